// What a layer's filters read at random places of an image, as rows of a matrix.

#ifndef AMC_HOST_PATCH_ROWS_H
#define AMC_HOST_PATCH_ROWS_H

#include "model/layer_graph.h"

#include <stdint.h>

// Numbers of one input channel that a filter reads.
int amc_patch_rows_each(const amc_layer *layer);

// Places of each of so many images, for about `wanted` rows in all; no more than there are.
int amc_patch_rows_places(const amc_layer *layer, int images, int wanted);

// The places: pixels (places) of the layer's output, spread by chance, the same for the same seed,
// however many channels there are. A connected layer has one place.
void amc_patch_rows_pixels(const amc_layer *layer, int places, uint64_t seed, int *pixels);

// Fills rows (places, c * each), in the order of a filter's weights, from x (c, h, w), at these.
void amc_patch_rows_read(const amc_layer *layer, const float *x, int places, uint64_t seed,
                         float *rows);

#endif
