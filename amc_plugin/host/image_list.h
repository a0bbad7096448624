// Which images a .data file names, and their classes.
//
// Without `search=`, 10 % of train (at most 5,000) are held out by seed, each class in its
// proportion. `valid` is the test set: only AMC_DATASET_TEST opens it.
//
// As Darknet reads them, lists hold one path a line as it is, and an image's class is the label
// that its path contains. What Darknet takes silently and wrongly is refused: CRLF, a byte order
// mark, a path with no label or two, fewer labels than classes.

#ifndef AMC_HOST_IMAGE_LIST_H
#define AMC_HOST_IMAGE_LIST_H

#include "base/text_lines.h"
#include "host/data_file.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum amc_dataset_part {
    AMC_DATASET_TRAIN, // without the images held out by seed, if `search` is missing
    AMC_DATASET_SEARCH,
    AMC_DATASET_TEST,
} amc_dataset_part;

typedef struct amc_image_entry {
    const char *path;
    int line;  // 1-based, in the list
    int label; // class index
} amc_image_entry;

typedef struct amc_image_list {
    char *path; // of the file
    int n;
    amc_image_entry *entries; // (n) in the file's order
    int held_out;             // images of train that its split by seed holds out; 0: no split
    amc_text_lines lines;     // what the entries' paths point into
} amc_image_list;

// The images of one part. `limit` > 0 takes a subset of at most that many, each class in its
// proportion, chosen by `seed`: the same in every call. NULL with err set for a missing list, a
// path that holds no label or more than one, an image of `search` that also stands in `train`, or
// too few images to hold any out. Without labels= images of `train` are all of class 0; others need
// one.
amc_image_list *amc_image_list_load(const amc_data_file *data, amc_dataset_part part, int limit,
                                    uint64_t seed, amc_error *err);
void amc_image_list_free(amc_image_list *list);

#endif
