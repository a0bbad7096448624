// Threads, one of the two kinds of parallel work in the kernels; the other is in simd.h.

#ifndef AMC_KERNELS_PARALLEL_H
#define AMC_KERNELS_PARALLEL_H

#include <stdbool.h>
#ifdef _OPENMP
#include <omp.h>
#endif

// False inside somebody else's parallel region: a kernel called there stays in its thread.
static inline bool amc_parallel_is_free(void) {
#ifdef _OPENMP
    return !omp_in_parallel();
#else
    return false;
#endif
}

// The threads that a parallel region started here would have.
static inline int amc_parallel_threads(void) {
#ifdef _OPENMP
    return amc_parallel_is_free() ? omp_get_max_threads() : 1;
#else
    return 1;
#endif
}

// Which of its region's threads this one is.
static inline int amc_parallel_thread(void) {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

#endif
