// The regression onto the kept features: its normal equations hold, features that repeat others are
// replaced without loss, and matrices without a Cholesky factorization are no obstacle.

#include "base/memory.h"
#include "kernels/gemm.h"
#include "kernels/least_squares.h"

#include "kernels/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { D = 37, FILTERS = 5, SAMPLES = 400 };

// Samples (SAMPLES, D) of features that depend on each other.
static float *samples_new(uint64_t seed) {
    float *x = fill_new(SAMPLES * D, seed);
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 1; j < D; j++) x[i * D + j] += 0.7f * x[i * D + j - 1];
    return x;
}

static float *moments_new(const float *x) {
    float *moments = amc_memory_alloc(D * D, sizeof *moments);
    amc_gemm(true, false, D, D, SAMPLES, 1.f / SAMPLES, x, D, x, D, 0, moments, D);
    return moments;
}

// Every third feature goes.
static int keep_some(int *kept) {
    int n = 0;
    for (int i = 0; i < D; i++)
        if (i % 3 != 1) kept[n++] = i;
    return n;
}

static float *sliced(const float *filters, const int *kept, int n) {
    float *part = amc_memory_alloc((size_t)FILTERS * n, sizeof *part);
    for (int f = 0; f < FILTERS; f++)
        for (int i = 0; i < n; i++) part[f * n + i] = filters[f * D + kept[i]];
    return part;
}

static void test_normal_equations(void **state) {
    (void)state;
    const double ridge = 0.01;
    float *x = samples_new(1), *moments = moments_new(x), *from = fill_new(FILTERS * D, 2);
    int kept[D], n = keep_some(kept);
    float *before = sliced(from, kept, n), *to = sliced(from, kept, n);
    amc_least_squares_regress(moments, D, kept, n, ridge, FILTERS, from, to);
    double add = 0;
    for (int i = 0; i < n; i++) add += ridge * moments[kept[i] * D + kept[i]] / n;
    for (int f = 0; f < FILTERS; f++)
        for (int i = 0; i < n; i++) {
            double gradient = add * (to[f * n + i] - before[f * n + i]), size = 0;
            for (int j = 0; j < n; j++)
                gradient += (double)moments[kept[i] * D + kept[j]] * to[f * n + j];
            for (int j = 0; j < D; j++) {
                gradient -= (double)moments[kept[i] * D + j] * from[f * D + j];
                size += fabs((double)moments[kept[i] * D + j] * from[f * D + j]);
            }
            if (!(fabs(gradient) < 1e-5 * size)) fail_msg("filter %d: %g of %g", f, gradient, size);
        }
    free(to);
    free(before);
    free(from);
    free(moments);
    free(x);
}

// Feature j + 1 repeats feature j where it is removed.
static void test_repeated_features(void **state) {
    (void)state;
    float *x = samples_new(3), *from = fill_new(FILTERS * D, 4);
    int kept[D], n = keep_some(kept);
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 1; j < D; j += 3) x[i * D + j] = x[i * D + j - 1];
    float *moments = moments_new(x), *to = sliced(from, kept, n);
    amc_least_squares_regress(moments, D, kept, n, 1e-6, FILTERS, from, to);
    for (int f = 0; f < FILTERS; f++)
        for (int i = 0; i < n; i++) {
            int j = kept[i];
            float sum = from[f * D + j] + (j % 3 == 0 && j + 1 < D ? from[f * D + j + 1] : 0);
            assert_true(fabsf(to[f * n + i] - sum) < 1e-3f);
        }
    free(to);
    free(moments);
    free(from);
    free(x);
}

// Features that all repeat each other, but for rounding, which leaves no Cholesky factorization
// with so small a ridge: only the sum of a filter's weights counts, and stays.
static void test_singular(void **state) {
    (void)state;
    float *moments = amc_memory_alloc(D * D, sizeof *moments), *from = fill_new(FILTERS * D, 5);
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) moments[i * D + j] = i == j ? 1 : 1 + 1e-6f;
    int kept[D], n = keep_some(kept);
    float *to = sliced(from, kept, n);
    amc_least_squares_regress(moments, D, kept, n, 1e-9, FILTERS, from, to);
    for (int f = 0; f < FILTERS; f++) {
        double before = 0, after = 0;
        for (int i = 0; i < D; i++) before += from[f * D + i];
        for (int i = 0; i < n; i++) after += to[f * n + i];
        if (!(fabs(before - after) < 1e-3)) fail_msg("%g, expected %g", after, before);
    }
    free(to);
    free(from);
    free(moments);
}

// Features that are always zero explain nothing.
static void test_nothing(void **state) {
    (void)state;
    float *moments = amc_memory_alloc(D * D, sizeof *moments), *from = fill_new(FILTERS * D, 6);
    int kept[D], n = keep_some(kept);
    float *before = sliced(from, kept, n), *to = sliced(from, kept, n);
    amc_least_squares_regress(moments, D, kept, n, 1e-4, FILTERS, from, to);
    assert_memory_equal(to, before, (size_t)FILTERS * n * sizeof *to);
    free(to);
    free(before);
    free(from);
    free(moments);
}

int main(void) {
    amc_gemm_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_equations),
        cmocka_unit_test(test_repeated_features),
        cmocka_unit_test(test_singular),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
