// Images of a list, decoded once into memory as bytes: of each the centre square, which is all that
// Darknet shows a network of it. What doesn't fit into amc_image_cache_budget() is decoded again
// whenever it is needed, so lists may be of any length.

#ifndef AMC_HOST_DATASET_H
#define AMC_HOST_DATASET_H

#include "host/image_list.h"

#include <stddef.h>

typedef struct amc_image {
    int side;
    unsigned char *pixels; // (side, side, 3) as stb_image decodes it; gray is repeated, alpha
                           // dropped. NULL: to be decoded from its file
    int label;             // class index
} amc_image;

typedef struct amc_dataset {
    int n;
    amc_image *images;    // (n) in the list's order
    amc_image_list *list; // that they are from
} amc_dataset;

// Decodes the images of one part (see amc_image_list_load), on `threads` threads. NULL with err set
// for a bad list or an unreadable image.
amc_dataset *amc_dataset_load(const amc_data_file *data, amc_dataset_part part, int limit,
                              uint64_t seed, int threads, amc_error *err);
void amc_dataset_free(amc_dataset *dataset);

// Bytes of pixels that a dataset loaded from now on may hold; 0: amc_image_cache_budget(). Images
// beyond that are decoded each time they are asked for.
void amc_dataset_hold(size_t bytes);

// Whether the network of the .cfg at `cfg_path`, with c input channels of height h, can be given
// images. -1 with err set if not.
int amc_dataset_check_input(const char *cfg_path, int c, int h, amc_error *err);

// Writes image i as floats (3, h, w) in [0, 1], resized as `darknet classifier valid` does, to the
// same bits: the centre square, scaled to w x h. h > 1. A file that can't be decoded any more ends
// the process with one sentence.
void amc_dataset_input(const amc_dataset *dataset, int i, int h, int w, float *input);

#endif
