// Batch normalisation with Darknet's constants and formulas: per channel over batch and pixels,
// forward divides by sqrt(variance) + 1e-6 (backward: sqrt(variance + 1e-5)), the variance's
// denominator is count - 1, rolling averages take 1% of each batch. Channels are shared out to
// threads; sums don't depend on how many there are.

#ifndef AMC_KERNELS_BATCHNORM_H
#define AMC_KERNELS_BATCHNORM_H

#include "kernels/activation.h"

// The arrays of one layer, each (c).
typedef struct amc_batchnorm {
    const float *scales, *biases;
    float *mean, *variance;                 // of this batch
    float *rolling_mean, *rolling_variance; // what inference uses
    float *scale_updates, *bias_updates;    // gradients are added here; only backward needs them
} amc_batchnorm;

// y = act(normalised x), both (batch, c, pixels); sets mean and variance, moves the rolling ones. y
// may not be x.
void amc_batchnorm_forward(const amc_batchnorm *bn, int batch, int c, int pixels, const float *x,
                           amc_activation act, float *y);

// delta *= act'(.), and then by the batch normalisation's gradient; x as given to forward, whose
// mean, variance, scales and biases must be those it left. Adds to scale_updates and bias_updates.
// Gives act AMC_LINEAR where the caller multiplied delta by the activation's gradient already.
void amc_batchnorm_backward(const amc_batchnorm *bn, int batch, int c, int pixels, const float *x,
                            amc_activation act, float *delta);

// What inference multiplies by: normalised x = (x - rolling_mean[i]) * scale[i] + biases[i]; scale
// is (c).
void amc_batchnorm_scale(const amc_batchnorm *bn, int c, float *scale);

// The same without batch statistics: delta *= act'(y), bias_updates += its sums, delta *= scale[i]
// (NULL for ones).
void amc_bias_backward(int batch, int c, int pixels, const float *y, const float *scale,
                       amc_activation act, float *delta, float *bias_updates);

// What forward (with AMC_LINEAR) is tested against: sums in double. Doesn't touch the rolling
// averages.
void amc_batchnorm_forward_reference(const amc_batchnorm *bn, int batch, int c, int pixels,
                                     const float *x, float *y);

// What backward (with AMC_LINEAR) is tested against.
void amc_batchnorm_backward_reference(const amc_batchnorm *bn, int batch, int c, int pixels,
                                      const float *x, float *delta);

#endif
