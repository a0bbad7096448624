// Direct convolution: every tap reads its input pixels where they lie, in rows that got their zero
// padding once, eight neighbours at a time. Nothing is cut into patches, which on layers of few
// filters costs as much as the sums. conv.h hands over to it, with the same promises.

#ifndef AMC_KERNELS_DIRECT_H
#define AMC_KERNELS_DIRECT_H

#include "kernels/activation.h"
#include "kernels/conv_shape.h"

#include <stdbool.h>

// Whether it is the faster way for such a convolution: rows of eight pixels at least, and few
// enough vectors that are not full.
bool amc_direct_fits(const amc_conv_shape *s);

// y = finish(x * w), or y += x * w where `add` is set; finish may be NULL.
void amc_direct_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                        const amc_finish *finish, bool add, float *y);

#endif
