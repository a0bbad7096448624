// What Winograd's convolution and its gradient share: the tiles that a batch of images is cut into,
// where each of them is, and how one is taken to the frequencies.

#ifndef AMC_KERNELS_WINOGRAD_TILES_H
#define AMC_KERNELS_WINOGRAD_TILES_H

#include "kernels/conv_shape.h"
#include "kernels/simd.h"
#include "kernels/workspace.h"

#include <stdbool.h>

enum {
    AMC_WINOGRAD_OUT = 4, // a tile's output is so many pixels wide and high
    AMC_WINOGRAD_IN = 6,  // and sees so many
    AMC_WINOGRAD_FREQUENCIES = AMC_WINOGRAD_IN * AMC_WINOGRAD_IN,
    AMC_WINOGRAD_LANES = 8,  // of a vector
    AMC_WINOGRAD_APART = 16, // floats between frequencies, lest all fall on one line of the cache
};

// The points are 0, infinity, +-NEAR and +-FAR. With 1 and 2 instead, which is usual, rounding
// errors are almost three times as large.
#define AMC_WINOGRAD_NEAR 0.70710678f // NEAR^2 = 1/2
#define AMC_WINOGRAD_FAR 1.41421356f  // FAR^2 = 2

// transform: B^T d, in place. put: that on the columns of d, whose rows it was done to, to `to` +
// frequency * step.
#define AMC_WINOGRAD_INPUT(vector, transform, put)                                                 \
    static inline __attribute__((always_inline)) void transform(vector d[AMC_WINOGRAD_IN]) {       \
        vector near = d[4] - 2 * d[2], near_odd = AMC_WINOGRAD_NEAR * (d[3] - 2 * d[1]);           \
        vector far = d[4] - 0.5f * d[2], far_odd = AMC_WINOGRAD_FAR * (d[3] - 0.5f * d[1]);        \
        d[0] = d[0] - 2.5f * d[2] + d[4];                                                          \
        d[5] = d[1] - 2.5f * d[3] + d[5];                                                          \
        d[1] = near + near_odd;                                                                    \
        d[2] = near - near_odd;                                                                    \
        d[3] = far + far_odd;                                                                      \
        d[4] = far - far_odd;                                                                      \
    }                                                                                              \
    static inline __attribute__((always_inline)) void put(                                         \
        vector d[AMC_WINOGRAD_IN][AMC_WINOGRAD_IN], size_t step, float *to) {                      \
        _Pragma("GCC unroll 6") for (int c = 0; c < AMC_WINOGRAD_IN; c++) {                        \
            vector column[] = {d[0][c], d[1][c], d[2][c], d[3][c], d[4][c], d[5][c]};              \
            transform(column);                                                                     \
            _Pragma("GCC unroll 6") for (int r = 0; r < AMC_WINOGRAD_IN; r++, to += step) *        \
                (vector *)to = column[r];                                                          \
        }                                                                                          \
    }
AMC_WINOGRAD_INPUT(amc_v8, amc_winograd_transform_input_8, amc_winograd_put_frequencies_8)
AMC_WINOGRAD_INPUT(amc_v16, amc_winograd_transform_input_16, amc_winograd_put_frequencies_16)

// All tiles of a batch, in the order of images, rows and columns.
typedef struct amc_winograd_grid {
    const amc_conv_shape *s;
    const float *x;   // (batch, c, h, w)
    float *y;         // (batch, n, out_h, out_w)
    int across, down; // tiles of an image
    int tiles;        // of the batch
} amc_winograd_grid;

amc_winograd_grid amc_winograd_grid_make(const amc_conv_shape *s, int batch, const float *x,
                                         float *y);

// Some tile rows of one image, which see `rows` rows of it.
typedef struct amc_winograd_band {
    const float *x; // the image's
    int row, rows;  // first one seen, in the image; may be outside
    int at;         // first pixel in the frame
} amc_winograd_band;

// Where one tile is.
typedef struct amc_winograd_tile {
    int in;            // first pixel in the frame
    float *out;        // in y, of filter 0
    int rows, columns; // of its output that there are
    bool eight_whole;  // every eighth tile: all of its output and of the next seven's is there
} amc_winograd_tile;

// Some of the tiles. Their bands lie below each other in a frame of rows of `width` pixels, with
// the padding in place.
typedef struct amc_winograd_part {
    int tiles, width, rows; // rows of the frame
    int n_bands;            // one an image
    amc_winograd_tile *list;
    amc_winograd_band *bands;
} amc_winograd_part;

// Tiles first .. first + tiles, a multiple of AMC_WINOGRAD_LANES, of which those beyond the batch
// have no rows. Its memory is the thread's AMC_WORKSPACE_TABLES.
amc_winograd_part amc_winograd_part_make(const amc_winograd_grid *grid, int first, int tiles);

// Pixels that the frame of so many tiles has at most.
size_t amc_winograd_most_pixels(const amc_winograd_grid *grid, int tiles);

// The rows of the band that the image has: row r of the band is row band->row + r of the image.
static inline int amc_winograd_first_row(const amc_winograd_band *band) {
    return band->row < 0 ? -band->row : 0;
}
static inline int amc_winograd_end_row(const amc_winograd_band *band, const amc_conv_shape *s) {
    return band->rows < s->h - band->row ? band->rows : s->h - band->row;
}

#endif
