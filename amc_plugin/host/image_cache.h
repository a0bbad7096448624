// Decoded images, kept as bytes by path: a training list that fits into memory is decoded once and
// not in every epoch.
//
// Nothing is evicted: once the budget is spent, other images are decoded each time, as without a
// cache. With images drawn at random every choice of those to keep is as good.

#ifndef AMC_HOST_IMAGE_CACHE_H
#define AMC_HOST_IMAGE_CACHE_H

#include <stddef.h>

typedef struct amc_image_cache amc_image_cache;

// `budget` is in bytes: three for each pixel and a little for each image.
amc_image_cache *amc_image_cache_new(size_t budget);
void amc_image_cache_free(amc_image_cache *cache);

// The image as Darknet loads it, to the last bit: floats (3, *h, *w) from 0 to 1, new memory. NULL
// if the file can't be read or holds no image. A file that has changed since (in its size, or the
// time of its last change) is decoded again. cache may be NULL. Any number of threads may call.
float *amc_image_cache_load(amc_image_cache *cache, const char *path, int *h, int *w);

// Images kept now.
int amc_image_cache_count(const amc_image_cache *cache);

// A quarter of the machine's memory and at most 1 GiB.
size_t amc_image_cache_budget(void);

#endif
