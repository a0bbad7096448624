// Compares what vectors of eight and of sixteen floats make of the same.

#ifndef AMC_TESTS_KERNELS_WIDTHS_H
#define AMC_TESTS_KERNELS_WIDTHS_H

#include "base/memory.h"
#include "kernels/simd.h"

#include <string.h>

// Runs `statement`, which writes n floats to y, with vectors of eight, then with those that the
// processor has. Builds for sanitizers only run it: the former have no fused multiply-adds there.
#ifdef AMC_SAN
#define ASSERT_SAME_WITH_ANY_WIDTH(y, n, statement)                                                \
    do {                                                                                           \
        statement;                                                                                 \
    } while (0)
#else
#define ASSERT_SAME_WITH_ANY_WIDTH(y, n, statement)                                                \
    do {                                                                                           \
        float *narrow_ = amc_memory_alloc(n, sizeof *narrow_);                                     \
        amc_simd_stays_narrow = true;                                                              \
        statement;                                                                                 \
        amc_simd_stays_narrow = false;                                                             \
        memcpy(narrow_, y, (n) * sizeof *narrow_);                                                 \
        memset(y, 0xff, (n) * sizeof *narrow_);                                                    \
        statement;                                                                                 \
        assert_memory_equal(narrow_, y, (n) * sizeof *narrow_);                                    \
        free(narrow_);                                                                             \
    } while (0)
#endif

#endif
