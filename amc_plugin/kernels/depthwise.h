// Depthwise convolution: as many groups as input channels and filters, so each channel is convolved
// with one small kernel of its own. Matrix products have nothing to share there; these are direct
// loops. conv.h hands over to them, with the same arguments and promises.

#ifndef AMC_KERNELS_DEPTHWISE_H
#define AMC_KERNELS_DEPTHWISE_H

#include "kernels/activation.h"
#include "kernels/conv_shape.h"

#include <stdbool.h>

static inline bool amc_depthwise_fits(const amc_conv_shape *s) {
    return s->groups == s->c && s->c == s->n;
}

void amc_depthwise_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                           const amc_finish *finish, float *y);

void amc_depthwise_backward_weights(const amc_conv_shape *s, int batch, const float *x,
                                    const float *dy, float *dw);

void amc_depthwise_backward_input(const amc_conv_shape *s, int batch, const float *w,
                                  const float *dy, float *dx);

#endif
