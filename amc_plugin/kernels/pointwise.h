// 1x1 convolution at every pixel: the product of the weights with a matrix of pixels. Both are
// packed in pieces that stay in the caches, pixels of several images side by side, so that small
// images fill vectors as well as large ones do. conv.h hands over to it, with the same promises.

#ifndef AMC_KERNELS_POINTWISE_H
#define AMC_KERNELS_POINTWISE_H

#include "kernels/activation.h"
#include "kernels/conv_shape.h"

#include <stdbool.h>

static inline bool amc_pointwise_fits(const amc_conv_shape *s) {
    return s->size == 1 && s->stride == 1 && s->pad == 0;
}

// y = finish(x * w), or y += x * w where `add` is set; finish may be NULL.
void amc_pointwise_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                           const amc_finish *finish, bool add, float *y);

#endif
