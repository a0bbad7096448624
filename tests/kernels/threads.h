// How many threads the kernels may start, for the tests that nothing depends on it.

#ifndef AMC_TESTS_KERNELS_THREADS_H
#define AMC_TESTS_KERNELS_THREADS_H

#ifdef _OPENMP
#include <omp.h>
#endif

static inline void threads(int count) {
#ifdef _OPENMP
    omp_set_num_threads(count);
#else
    (void)count;
#endif
}

#endif
