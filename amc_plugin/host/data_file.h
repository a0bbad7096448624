// A .data file: Darknet's keys (classes, train, valid, labels, top, backup) plus `search`, the list
// of held-out training images that rewards are computed on.
//
// Reading follows Darknet: spaces and tabs vanish, '#' and ';' start comments at the start of a
// line, the first of a duplicated key wins.

#ifndef AMC_HOST_DATA_FILE_H
#define AMC_HOST_DATA_FILE_H

#include "base/error.h"

#include <stdint.h>

typedef struct amc_data_file {
    char *path;                  // for messages
    int classes;                 // at least 1
    char *train, *search, *test; // lists of image paths; NULL where the key is missing
    char *labels;                // file of labels, one a line; NULL where missing
    char *backup;                // folder that training writes to; NULL where missing
    int top;                     // k of top-k, at most classes; 1 where missing
    char *unread;                // a warning of the first key that nobody reads, or NULL
} amc_data_file;

// NULL with err set for a file that is missing, has no classes=, or a line that is no key=value.
// Keys that only other commands read are skipped.
amc_data_file *amc_data_file_load(const char *path, amc_error *err);
void amc_data_file_free(amc_data_file *data);

// -1 with err set where a file that the .data file names isn't there.
int amc_data_file_require(const amc_data_file *data, const char *path, amc_error *err);

// A hash of what a search reads by it: classes, labels and lists of images, but for the test set's.
// Images themselves are not looked at. -1 with err set if a file can't be read.
int amc_data_file_hash(const amc_data_file *data, uint64_t *hash, amc_error *err);

#endif
