// The depthwise convolution that networks have: 3x3 kernels, padding 1, stride 1 or 2. It reads
// images where they lie, without a padded copy: what is beyond an edge is shifted in as zero.

#ifndef AMC_KERNELS_DEPTHWISE3X3_H
#define AMC_KERNELS_DEPTHWISE3X3_H

#include "kernels/activation.h"
#include "kernels/conv_shape.h"

#include <stdbool.h>

static inline bool amc_depthwise3x3_fits(const amc_conv_shape *s) {
    return s->groups == s->c && s->c == s->n && s->size == 3 && s->pad == 1 && s->stride <= 2 &&
           s->h * s->w >= 8;
}

// Planes from .. end of the batch * c: y (batch, c, out_h, out_w) = the sums of x (batch, c, h, w)
// under the kernels w (c, 3, 3), finished.
void amc_depthwise3x3_planes(const amc_conv_shape *s, int from, int end, const float *x,
                             const float *w, const amc_finish *finish, float *y);

#endif
