// Convolution of a batch of images, forward and backward.
//
// Images are shared out to threads; inside somebody else's parallel region everything runs in the
// caller's thread. A result of one image depends neither on the size of its batch nor on the number
// of threads, to the last bit, and neither do weight gradients on the number of threads.

#ifndef AMC_KERNELS_CONV_H
#define AMC_KERNELS_CONV_H

#include "kernels/activation.h"
#include "kernels/conv_shape.h"

// y = finish(x * w). x is (batch, c, h, w), w the weights, y (batch, n, out_h, out_w), overwritten.
// finish may be NULL.
void amc_conv_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                      const amc_finish *finish, float *y);

// Weights that many calls share can be brought once into the form that the kernel works on: an
// array of so many floats. 0 where that is the weights as they are.
size_t amc_conv_prepared_size(const amc_conv_shape *s);
void amc_conv_prepare(const amc_conv_shape *s, const float *w, float *prepared);

// amc_conv_forward to the same bits, with prepared weights.
void amc_conv_forward_prepared(const amc_conv_shape *s, int batch, const float *x,
                               const float *prepared, const amc_finish *finish, float *y);

// dw += the loss's gradient by the weights, from dy, its gradient by y.
void amc_conv_backward_weights(const amc_conv_shape *s, int batch, const float *x, const float *dy,
                               float *dw);

// dx += the loss's gradient by x. It adds, whatever the kernel's size: other layers may have added
// there before.
void amc_conv_backward_input(const amc_conv_shape *s, int batch, const float *w, const float *dy,
                             float *dx);

// What the three are tested against: seven loops, sums in double.
void amc_conv_forward_reference(const amc_conv_shape *s, int batch, const float *x, const float *w,
                                const amc_finish *finish, float *y);
void amc_conv_backward_weights_reference(const amc_conv_shape *s, int batch, const float *x,
                                         const float *dy, float *dw);
void amc_conv_backward_input_reference(const amc_conv_shape *s, int batch, const float *w,
                                       const float *dy, float *dx);

#endif
