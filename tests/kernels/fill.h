// Made-up numbers and comparisons for the kernels' tests.

#ifndef AMC_TESTS_KERNELS_FILL_H
#define AMC_TESTS_KERNELS_FILL_H

#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stddef.h>

// `count` standard normal floats on the heap; equal seeds give equal ones.
static inline float *fill_new(size_t count, uint64_t seed) {
    float *x = amc_memory_alloc(count, sizeof *x);
    amc_rng rng;
    amc_rng_init(&rng, seed);
    for (size_t i = 0; i < count; i++) x[i] = (float)amc_rng_normal(&rng);
    return x;
}

// The largest difference between a and b, relative to the largest magnitude in b. NaN where either
// has one.
static inline double fill_difference(const float *a, const float *b, size_t count) {
    double worst = 0, size = 1e-30;
    for (size_t i = 0; i < count; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d <= worst)) worst = d;
        if (fabs(b[i]) > size) size = fabs(b[i]);
    }
    return worst / size;
}

#endif
