// The activations that are worth fusing into a convolution's last pass. Darknet's others stay
// Darknet's.

#ifndef AMC_KERNELS_ACTIVATION_H
#define AMC_KERNELS_ACTIVATION_H

#include "kernels/simd.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum amc_activation {
    AMC_LINEAR, // x
    AMC_RELU,   // x > 0 ? x : 0
    AMC_LEAKY,  // x > 0 ? x : 0.1 x
} amc_activation;

// What a negative input is multiplied by.
static inline float amc_activation_slope(amc_activation act) {
    return act == AMC_RELU ? 0.0f : act == AMC_LEAKY ? 0.1f : 1.0f;
}

// y[i] = act((x[i] - centre) * scale + shift) for n floats; y may be x. The subtraction comes
// first: a channel that is all but constant has a scale of a million, which x * scale would round
// to nonsense.
void amc_activation_scaled(const float *x, size_t n, float centre, float scale, float shift,
                           amc_activation act, float *y);

// x[i] = act(x[i]).
void amc_activation_forward(float *x, size_t n, amc_activation act);

// delta[i] *= act'(.), from the activation's *output* y (n), whose sign is its input's.
void amc_activation_backward(const float *y, size_t n, amc_activation act, float *delta);

// What happens to each sum of output channel i right after it is computed, while it is in the
// cache: it becomes act((sum - centre[i]) * scale[i] + shift[i]).
typedef struct amc_finish {
    const float *centre; // (channels), NULL for zeros
    const float *scale;  // (channels), NULL for ones
    const float *shift;  // (channels), NULL for zeros
    amc_activation act;
} amc_finish;

// What it is for one channel: max(v, slope * v) of v = (sum - centre) * scale + shift.
typedef struct amc_affine {
    float centre, scale, shift, slope;
} amc_affine;

// finish may be NULL: then sums stay as they are.
amc_affine amc_finish_of(const amc_finish *finish, int i);

// amc_affine_vector_8 and _16: the same for a vector of sums. amc_affine_started_8 and _16: for
// sums that started at -centre; relu: whether the slope is zero.
#define AMC_AFFINE(lanes)                                                                          \
    static inline __attribute__((always_inline))                                                   \
    amc_v##lanes amc_affine_started_##lanes(amc_affine a, bool relu, amc_v##lanes sum) {           \
        amc_v##lanes v = sum * a.scale + a.shift, low = v * a.slope;                               \
        if (relu) return (amc_v##lanes)((amc_v##lanes##i)v & ~(v <= 0)); /* NaNs stay */           \
        amc_v##lanes##i above = v > 0;                                                             \
        return (amc_v##lanes)(((amc_v##lanes##i)v & above) | ((amc_v##lanes##i)low & ~above));     \
    }                                                                                              \
    static inline __attribute__((always_inline))                                                   \
    amc_v##lanes amc_affine_vector_##lanes(amc_affine a, amc_v##lanes sum) {                       \
        return amc_affine_started_##lanes(a, false, sum - a.centre);                               \
    }
AMC_AFFINE(8)
AMC_AFFINE(16)

// Finishes n sums of output channel i: y[j] from x[j]; y may be x, finish may be NULL.
void amc_finish_row(const amc_finish *finish, int i, const float *x, size_t n, float *y);

#endif
