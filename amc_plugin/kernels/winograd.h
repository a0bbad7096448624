// Winograd's minimal filtering F(4x4, 3x3): 16 output pixels of a 3x3 kernel for 36 products
// instead of 144 (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016). Tiles
// of 6x6 pixels and all kernels are taken to 36 frequencies, multiplied there as matrices, and what
// comes out is taken back. conv.h hands over to it, with the same promises.
//
// Weights that don't change between calls are worth transforming once: an array of
// amc_winograd_weights() floats, laid out as (36, n, c) with a gap
// after each of the 36.

#ifndef AMC_KERNELS_WINOGRAD_H
#define AMC_KERNELS_WINOGRAD_H

#include "kernels/activation.h"
#include "kernels/conv_shape.h"

#include <stdbool.h>

// Whether it is the faster way for such a convolution: 3x3 kernels with a stride of 1, and channels
// and filters enough that what is saved pays for the transforms.
bool amc_winograd_fits(const amc_conv_shape *s);

// Floats of transformed weights.
size_t amc_winograd_weights(const amc_conv_shape *s);

// transformed from the weights (n, c, 3, 3).
void amc_winograd_transform(const amc_conv_shape *s, const float *w, float *transformed);

// y = finish(x * w), or y += x * w where `add` is set; finish may be NULL.
void amc_winograd_forward(const amc_conv_shape *s, int batch, const float *x,
                          const float *transformed, const amc_finish *finish, bool add, float *y);

// dw = the loss's gradient by the weights (n, c, 3, 3), from dy, its gradient by y, summed over the
// batch in order. Runs on the calling thread alone.
void amc_winograd_backward_weights(const amc_conv_shape *s, int batch, const float *x,
                                   const float *dy, float *dw);

#endif
