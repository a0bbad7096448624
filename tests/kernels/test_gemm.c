// The fast product equals three loops in double, on odd and on real shapes, with and without
// transposes.

#include "fill.h"
#include "kernels/gemm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef void gemm(bool, bool, int, int, int, float, const float *, int, const float *, int, float,
                  float *, int);

// Rows are stored `gap` floats longer than they are.
static void check(gemm *fast, bool ta, bool tb, int m, int n, int k, float alpha, float beta,
                  int gap) {
    int lda = (ta ? m : k) + gap, ldb = (tb ? k : n) + gap, ldc = n + gap;
    float *a = fill_new((size_t)(ta ? k : m) * lda, 1),
          *b = fill_new((size_t)(tb ? n : k) * ldb, 2);
    float *c = fill_new((size_t)m * ldc, 3), *expected = fill_new((size_t)m * ldc, 3);
    fast(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    amc_gemm_reference(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, expected, ldc);
    assert_true(fill_difference(c, expected, (size_t)m * ldc) < 1e-5);
    free(a);
    free(b);
    free(c);
    free(expected);
}

static void check_shapes(gemm *fast) {
    static const int shapes[][3] = {{1, 1, 1},       {1, 17, 5},   {7, 1, 3},    {3, 5, 1},
                                    {13, 29, 31},    {16, 49, 9},  {65, 64, 63}, {96, 49, 576},
                                    {128, 130, 257}, {300, 64, 13}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int t = 0; t < 4; t++) {
            const int *s = shapes[i];
            check(fast, t & 1, t & 2, s[0], s[1], s[2], 1, 0, 0);
            check(fast, t & 1, t & 2, s[0], s[1], s[2], -0.5f, 1, 3);
        }
    }
}

static void equals_reference(void **state) {
    (void)state;
    check_shapes(amc_gemm);
}

static void parallel_equals_reference(void **state) {
    (void)state;
    check_shapes(amc_gemm_parallel);
}

// What beta = 0 finds in C doesn't matter, even where it is no number.
static void beta_zero_overwrites(void **state) {
    (void)state;
    float a = 2, b = 3, c = NAN;
    amc_gemm(false, false, 1, 1, 1, 1, &a, 1, &b, 1, 0, &c, 1);
    assert_float_equal(c, 6, 0);
}

int main(void) {
    amc_gemm_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_reference),
        cmocka_unit_test(parallel_equals_reference),
        cmocka_unit_test(beta_zero_overwrites),
    };
    return cmocka_run_group_tests_name("gemm", tests, NULL, NULL);
}
