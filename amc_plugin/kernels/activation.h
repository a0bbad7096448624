// The activations that are worth fusing into a convolution's last pass. Darknet's others stay
// Darknet's.

#ifndef AMC_KERNELS_ACTIVATION_H
#define AMC_KERNELS_ACTIVATION_H

#include <stddef.h>

typedef enum amc_activation {
    AMC_LINEAR, // x
    AMC_RELU,   // x > 0 ? x : 0
    AMC_LEAKY,  // x > 0 ? x : 0.1 x
} amc_activation;

// y[i] = act(x[i] * scale + shift) for n floats; y may be x.
void amc_activation_scaled(const float *x, size_t n, float scale, float shift, amc_activation act,
                           float *y);

// x[i] = act(x[i]).
void amc_activation_forward(float *x, size_t n, amc_activation act);

// delta[i] *= act'(.), from the activation's *output* y (n), whose sign is its input's.
void amc_activation_backward(const float *y, size_t n, amc_activation act, float *delta);

#endif
