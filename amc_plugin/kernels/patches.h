// Images as matrices: column j holds what the kernel sees for output pixel j, row (c * size + ky) *
// size + kx what tap (ky, kx) of channel c sees everywhere. Cut out of frames, which are rows of
// images with the zero padding in place: every row of the matrix is a plain copy then.

#ifndef AMC_KERNELS_PATCHES_H
#define AMC_KERNELS_PATCHES_H

#include "kernels/conv_shape.h"

#include <stdbool.h>

enum { AMC_PATCHES_SLACK = 16 }; // floats beyond their ends that frames, lines and matrices need

// Rows of the padded image that `rows` output rows see.
static inline int amc_patches_rows(const amc_conv_shape *s, int rows) {
    return (rows - 1) * s->stride + s->size;
}

// Floats in one channel of a frame of so many rows, and in the matrix of one image's group.
size_t amc_patches_plane(const amc_conv_shape *s, int rows);
size_t amc_patches_matrix(const amc_conv_shape *s);

// A 1x1 kernel on each pixel: the image itself is the matrix.
bool amc_patches_is_image(const amc_conv_shape *s);

// Makes a frame of `channels` channels of an image, from row `first` of the padded image on; fills
// the slack too.
void amc_patches_frame(const amc_conv_shape *s, int channels, const float *x, int first, int rows,
                       float *frame);

// What one tap sees from `rows` output rows: rows * out_w floats. `frame` is at the channel and the
// first such row.
void amc_patches_line(const amc_conv_shape *s, const float *frame, int tap, int rows, float *line);

// The matrix of one group's channels at x, in `matrix`; `frame` is scratch for h + 2 pad rows of
// them.
void amc_patches_cut(const amc_conv_shape *s, const float *x, float *frame, float *matrix);

// The transpose of cutting: adds each entry to the pixel of x that it would have been copied from.
void amc_patches_paste(const amc_conv_shape *s, const float *matrix, float *frame, float *x);

#endif
