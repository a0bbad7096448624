// Vectors, and the versions of functions that processors with wider ones run.

#ifndef AMC_KERNELS_SIMD_H
#define AMC_KERNELS_SIMD_H

#include <stdbool.h>
#include <stddef.h>

// Four, eight and sixteen floats at any address. The order of every sum is written out with these,
// so that results depend neither on addresses nor on what the compiler feels like.
typedef float amc_v4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef float amc_v8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float amc_v16 __attribute__((vector_size(64), aligned(4), may_alias));

// What comparing two of them gives.
typedef int amc_v8i __attribute__((vector_size(32)));
typedef int amc_v16i __attribute__((vector_size(64)));

// The eight lanes' sum.
static inline __attribute__((always_inline)) float amc_v8_sum(amc_v8 v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

static inline __attribute__((always_inline)) void amc_v16_split(amc_v16 v, amc_v8 halves[2]) {
    halves[0] = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7);
    halves[1] = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
}

// A vector from four floats at each of at[0], at[4], ...; and back.
static inline __attribute__((always_inline)) amc_v8 amc_v8_get(const float *const at[],
                                                               size_t offset) {
    return __builtin_shufflevector(*(const amc_v4 *)(at[0] + offset),
                                   *(const amc_v4 *)(at[4] + offset), 0, 1, 2, 3, 4, 5, 6, 7);
}

static inline __attribute__((always_inline)) void amc_v8_put(amc_v8 v, float *const at[],
                                                             size_t offset) {
    *(amc_v4 *)(at[0] + offset) = __builtin_shufflevector(v, v, 0, 1, 2, 3);
    *(amc_v4 *)(at[4] + offset) = __builtin_shufflevector(v, v, 4, 5, 6, 7);
}

static inline __attribute__((always_inline)) amc_v16 amc_v16_get(const float *const at[],
                                                                 size_t offset) {
    return __builtin_shufflevector(amc_v8_get(at, offset), amc_v8_get(at + 8, offset), 0, 1, 2, 3,
                                   4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

static inline __attribute__((always_inline)) void amc_v16_put(amc_v16 v, float *const at[],
                                                              size_t offset) {
    amc_v8 halves[2];
    amc_v16_split(v, halves);
    amc_v8_put(halves[0], at, offset);
    amc_v8_put(halves[1], at + 8, offset);
}

// Transposes the two, or four, 4 x 4 matrices that four vectors hold side by side; to may be from.
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

static inline __attribute__((always_inline)) void amc_v16_transpose(const amc_v16 from[4],
                                                                    amc_v16 to[4]) {
#define LOW(x, y)                                                                                  \
    __builtin_shufflevector(x, y, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH(x, y)                                                                                 \
    __builtin_shufflevector(x, y, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define FIRST(x, y)                                                                                \
    __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define SECOND(x, y)                                                                               \
    __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
    amc_v16 a = LOW(from[0], from[1]), b = LOW(from[2], from[3]);
    amc_v16 c = HIGH(from[0], from[1]), d = HIGH(from[2], from[3]);
    to[0] = FIRST(a, b);
    to[1] = SECOND(a, b);
    to[2] = FIRST(c, d);
    to[3] = SECOND(c, d);
#undef LOW
#undef HIGH
#undef FIRST
#undef SECOND
}

// One name of two parts, which may be macros: how what is written once for vectors of eight and of
// sixteen calls itself.
#define AMC_JOIN(a, b) AMC_JOINED(a, b)
#define AMC_JOINED(a, b) a##b

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

// Where the processor's vectors hold sixteen floats, those of eight are used all the same: what
// comes out is the same to the last bit, which tests compare.
extern bool amc_simd_stays_narrow;

// Marks a function that is called only where amc_simd_is_wide.
#if defined(__x86_64__)
#define AMC_WIDE __attribute__((target("arch=x86-64-v3,avx512f")))
static inline bool amc_simd_is_wide(void) {
    return !amc_simd_stays_narrow && __builtin_cpu_supports("avx512f");
}
#else
#define AMC_WIDE
static inline bool amc_simd_is_wide(void) {
    return false;
}
#endif

#endif
