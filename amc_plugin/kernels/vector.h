// Passes over plain arrays, which are as fast as memory: each reads and writes every number once,
// and long arrays are shared out to threads.

#ifndef AMC_KERNELS_VECTOR_H
#define AMC_KERNELS_VECTOR_H

#include "kernels/activation.h"

#include <stddef.h>

// x[i] = value for n floats.
void amc_vector_fill(float *x, size_t n, float value);

// What a shortcut computes: y[i] = act(alpha a[i] + beta b[i]) for n floats.
void amc_vector_blend(const float *a, float alpha, const float *b, float beta, size_t n,
                      amc_activation act, float *y);

// Its gradients, from dy, the gradient by its output y (n): with d = dy[i] act'(.), da[i] += alpha
// d and db[i] += beta d. da may be db.
void amc_vector_blend_backward(const float *y, const float *dy, size_t n, amc_activation act,
                               float alpha, float *da, float beta, float *db);

// Gradient descent with momentum and weight decay, as Darknet writes it: `updates` (n), whose sign
// is the negative gradient's, lose decay w, w gains rate times them, and momentum of them is kept.
void amc_vector_descend(size_t n, float rate, float decay, float momentum, float *w,
                        float *updates);

// The same for those of w that aren't exactly zero: zeros stay zero, and their updates become 0.
void amc_vector_descend_nonzero(size_t n, float rate, float decay, float momentum, float *w,
                                float *updates);

#endif
