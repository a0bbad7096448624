// Threads and vectors, the two kinds of parallel work in the kernels.

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

// Eight floats at any address. The order of every sum is written out with these, so that results
// depend neither on addresses nor on what the compiler feels like.
typedef float amc_v8 __attribute__((vector_size(32), aligned(4), may_alias));

typedef int amc_v8i __attribute__((vector_size(32))); // what comparing two of them gives

// The eight lanes' sum.
static inline __attribute__((always_inline)) float amc_v8_sum(amc_v8 v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

// Sixteen.
typedef float amc_v16 __attribute__((vector_size(64), aligned(4), may_alias));

// Four floats at any address, and two of them as one vector.
typedef float amc_v4 __attribute__((vector_size(16), aligned(4), may_alias));

static inline __attribute__((always_inline)) amc_v8 amc_v8_join(const float *low,
                                                                const float *high) {
    return __builtin_shufflevector(*(const amc_v4 *)low, *(const amc_v4 *)high, 0, 1, 2, 3, 4, 5, 6,
                                   7);
}

// Transposes the two 4 x 4 matrices that the halves of four vectors are; to may be from.
static inline __attribute__((always_inline)) void amc_v8_transpose(const amc_v8 from[4],
                                                                   amc_v8 to[4]) {
    amc_v8 a = __builtin_shufflevector(from[0], from[1], 0, 8, 1, 9, 4, 12, 5, 13),
           b = __builtin_shufflevector(from[2], from[3], 0, 8, 1, 9, 4, 12, 5, 13),
           c = __builtin_shufflevector(from[0], from[1], 2, 10, 3, 11, 6, 14, 7, 15),
           d = __builtin_shufflevector(from[2], from[3], 2, 10, 3, 11, 6, 14, 7, 15);
    to[0] = __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13);
    to[1] = __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
    to[2] = __builtin_shufflevector(c, d, 0, 1, 8, 9, 4, 5, 12, 13);
    to[3] = __builtin_shufflevector(c, d, 2, 3, 10, 11, 6, 7, 14, 15);
}

// function(N, ...) with N = rows, 1 to 6, known to the compiler: then the sums of so many rows stay
// in registers.
#define AMC_KNOWN_ROWS(function, rows, ...)                                                        \
    switch (rows) {                                                                                \
    case 1:                                                                                        \
        function(1, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 2:                                                                                        \
        function(2, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 3:                                                                                        \
        function(3, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 4:                                                                                        \
        function(4, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    case 5:                                                                                        \
        function(5, __VA_ARGS__);                                                                  \
        break;                                                                                     \
    default:                                                                                       \
        function(6, __VA_ARGS__);                                                                  \
    }

// Marks a hot function for which the compiler makes a second version with AVX2 and FMA, taken where
// the processor has them. Sanitizers can't run before the program is relocated, which choosing a
// version needs.
#if defined(__x86_64__) && !defined(AMC_SAN)
#define AMC_CLONES __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define AMC_CLONES
#endif

// Marks a function that is called only where the processor's vectors hold sixteen floats.
#if defined(__x86_64__)
#define AMC_WIDE __attribute__((target("arch=x86-64-v3,avx512f")))
static inline bool amc_parallel_is_wide(void) {
    return __builtin_cpu_supports("avx512f");
}
#else
#define AMC_WIDE
static inline bool amc_parallel_is_wide(void) {
    return false;
}
#endif

#endif
