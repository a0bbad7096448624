// Images and labels, decoded once into memory as bytes.
//
// A .data file has Darknet's keys (classes, train, valid, labels, top) plus `search`, the list of
// held-out training images that rewards are computed on. Without it, 10 % of train (at most 5,000)
// are held out by seed, each class in its proportion. `valid` is the test set: only
// AMC_DATASET_TEST opens it.
//
// Reading follows Darknet: in a .data file spaces and tabs vanish, '#' and ';' start comments at
// the start of a line, the first of a duplicated key wins; lists hold one path a line as it is; an
// image's class is the label that its path contains. What Darknet takes silently and wrongly is
// refused: CRLF, a byte order mark, a path with no label or two, fewer labels than classes.

#ifndef AMC_HOST_DATASET_H
#define AMC_HOST_DATASET_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct amc_data_file {
    char *path;                  // for messages
    int classes;                 // at least 1
    char *train, *search, *test; // lists of image paths; NULL where the key is missing
    char *labels;                // file of labels, one a line; NULL where missing
    char *backup;                // folder that training writes to; NULL where missing
    int top;                     // k of top-k, at most classes; 1 where missing
} amc_data_file;

// NULL with err set for a file that is missing, has no classes=, or a line that is no key=value.
// Keys that only other commands read are skipped.
amc_data_file *amc_data_file_load(const char *path, amc_error *err);
void amc_data_file_free(amc_data_file *data);

// A hash of what a search reads by it: classes, labels and lists of images, but for the test set's.
// Images themselves are not looked at. -1 with err set if a file can't be read.
int amc_data_file_hash(const amc_data_file *data, uint64_t *hash, amc_error *err);

typedef enum amc_dataset_part {
    AMC_DATASET_TRAIN, // without the images held out by seed, if `search` is missing
    AMC_DATASET_SEARCH,
    AMC_DATASET_TEST,
} amc_dataset_part;

typedef struct amc_image {
    int w, h;
    unsigned char *pixels; // (h, w, 3) as stb_image decodes it; gray is repeated, alpha dropped
    int label;             // class index
} amc_image;

typedef struct amc_dataset {
    int n;
    amc_image *images; // (n) in the list's order
    bool held_out;     // true if the images are one side of train's split by seed
    char *list;        // path of the list read
} amc_dataset;

// Decodes the images of one part, on `threads` threads. `limit` > 0 takes a subset of at most that
// many, each class in its proportion, chosen by `seed`: the same in every call. NULL with err set
// for a missing list, an unreadable image, a path that holds no label or more than one, an image of
// `search` that also stands in `train`, or too few images to hold any out.
amc_dataset *amc_dataset_load(const amc_data_file *data, amc_dataset_part part, int limit,
                              uint64_t seed, int threads, amc_error *err);
void amc_dataset_free(amc_dataset *dataset);

// Whether the network of the .cfg at `cfg_path`, with c input channels of height h, can be given
// images. -1 with err set if not.
int amc_dataset_check_input(const char *cfg_path, int c, int h, amc_error *err);

// Writes image i as floats (3, h, w) in [0, 1], resized as `darknet classifier valid` does, to the
// same bits: the centre square, scaled to w x h. h > 1.
void amc_dataset_input(const amc_dataset *dataset, int i, int h, int w, float *input);

#endif
