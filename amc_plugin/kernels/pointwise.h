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

// y = finish(x * w), or y += x * w where `add` is set; finish may be NULL. The weights are as
// always or, where `packed` is set, as amc_pointwise_pack leaves them: to the same bits, faster.
void amc_pointwise_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                           bool packed, const amc_finish *finish, bool add, float *y);

// As many floats as there are weights, in the order in which they are multiplied.
void amc_pointwise_pack(const amc_conv_shape *s, const float *w, float *packed);

#endif
