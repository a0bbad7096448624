// Arithmetic of sizes.

#ifndef AMC_KERNELS_INTEGERS_H
#define AMC_KERNELS_INTEGERS_H

static inline int amc_min(int a, int b) {
    return a < b ? a : b;
}

static inline int amc_max(int a, int b) {
    return a > b ? a : b;
}

// a / b, rounded up.
static inline int amc_ceiling(int a, int b) {
    return (a + b - 1) / b;
}

#endif
