#include "host/patch_rows.h"

#include "base/memory.h"
#include "base/rng.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int amc_patch_rows_each(const amc_layer *layer) {
    return layer->type == AMC_CONNECTED ? layer->h * layer->w : layer->size * layer->size;
}

int amc_patch_rows_places(const amc_layer *layer, int images, int wanted) {
    int pixels = layer->type == AMC_CONNECTED ? 1 : layer->out_h * layer->out_w;
    int places = (wanted + images - 1) / images;
    return places < pixels ? places : pixels;
}

// The patch of x (c, h, w) that the filters see at output pixel (oy, ox).
static void read_patch(const amc_layer *layer, const float *x, int oy, int ox, float *to) {
    int size = layer->size, top = oy * layer->stride - layer->pad,
        left = ox * layer->stride - layer->pad;
    for (int c = 0; c < layer->c; c++, x += (size_t)layer->h * layer->w)
        for (int i = top; i < top + size; i++)
            for (int j = left; j < left + size; j++) {
                bool inside = i >= 0 && i < layer->h && j >= 0 && j < layer->w;
                *to++ = inside ? x[(size_t)i * layer->w + j] : 0;
            }
}

void amc_patch_rows_pixels(const amc_layer *layer, int places, uint64_t seed, int *pixels) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    int all = layer->type == AMC_CONNECTED ? 1 : layer->out_h * layer->out_w;
    for (int k = 0; k < places; k++) {
        int from = (int)((long)all * k / places), end = (int)((long)all * (k + 1) / places);
        pixels[k] = from + (int)amc_rng_below(&rng, (uint32_t)(end - from));
    }
}

void amc_patch_rows_read(const amc_layer *layer, const float *x, int places, uint64_t seed,
                         float *rows) {
    size_t d = (size_t)layer->c * (size_t)amc_patch_rows_each(layer);
    if (layer->type == AMC_CONNECTED) {
        memcpy(rows, x, d * sizeof *rows);
        return;
    }
    int *pixels = amc_memory_alloc((size_t)places, sizeof *pixels);
    amc_patch_rows_pixels(layer, places, seed, pixels);
    for (int k = 0; k < places; k++, rows += d)
        read_patch(layer, x, pixels[k] / layer->out_w, pixels[k] % layer->out_w, rows);
    free(pixels);
}
