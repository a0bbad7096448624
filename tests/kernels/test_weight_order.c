// The order in which a filter's weights go is that of a search which tries each of them at each
// step and solves for the others anew.

#include "base/memory.h"
#include "base/rng.h"
#include "kernels/gemm.h"
#include "kernels/surgeon.h"
#include "kernels/weight_order.h"

#include "kernels/fill.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { D = 12, SAMPLES = 100 };

#define RIDGE 1e-3

// Moments of features of different sizes that depend on each other.
static float *moments_new(uint64_t seed) {
    float *x = fill_new(SAMPLES * D, seed), *moments = amc_memory_alloc(D * D, sizeof *moments);
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 1; j < D; j++)
            x[i * D + j] = (float)(j % 4 + 1) * x[i * D + j] + 0.7f * x[i * D + j - 1];
    amc_gemm(true, false, D, D, SAMPLES, 1.f / SAMPLES, x, D, x, D, 0, moments, D);
    free(x);
    return moments;
}

// The least mean squared error of a filter that has no weight where `gone` is set: that of
// w_gone, of which the others' best weights take away what depends on them, by Gaussian elimination
// of the moments with a ridge.
static double error_without(const float *moments, const float *weights, const bool *gone) {
    double a[D][D], add = 0, error = 0;
    for (int i = 0; i < D; i++) add += RIDGE * moments[i * D + i] / D;
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) a[i][j] = moments[i * D + j] + (i == j ? add : 0);
    for (int k = 0; k < D; k++)
        for (int i = 0; i < D && !gone[k]; i++) {
            double factor = a[i][k] / a[k][k];
            for (int j = 0; j < D && i != k; j++) a[i][j] -= factor * a[k][j];
        }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++)
            if (gone[i] && gone[j]) error += weights[i] * a[i][j] * weights[j];
    return error;
}

static void assert_near(double a, double b, double tolerance) {
    if (!(fabs(a - b) <= tolerance)) fail_msg("%.9g, expected %.9g", a, b);
}

static void test_order(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        float *moments = moments_new(seed), *weights = fill_new(D, seed + 100);
        double *inverse = amc_surgeon_invert(moments, D, RIDGE), cost[D], error = 0, most = 0;
        amc_weight_order_cost(inverse, D, weights, cost);
        bool gone[D] = {false};
        for (int left = D; left > 0; left--) {
            int next = -1;
            double least = INFINITY;
            for (int i = 0; i < D; i++) {
                if (gone[i]) continue;
                gone[i] = true;
                double without = error_without(moments, weights, gone);
                gone[i] = false;
                if (without < least) least = without, next = i;
            }
            gone[next] = true;
            most = fmax(most, least - error);
            error = least;
            assert_near(cost[next], most, 1e-5 * most);
        }
        free(inverse);
        free(weights);
        free(moments);
    }
}

// A weight that is zero goes first; of two that read the same, one goes for next to nothing.
static void test_zeros_and_twins(void **state) {
    (void)state;
    float moments[] = {1, 1, 0, 1, 1, 0, 0, 0, 1}, weights[] = {2, 1, 0};
    double *inverse = amc_surgeon_invert(moments, 3, RIDGE), cost[3];
    amc_weight_order_cost(inverse, 3, weights, cost);
    assert_true(cost[2] == 0);
    assert_true(cost[1] > 0 && cost[1] < 0.01);
    assert_near(cost[0], 9, 0.1);
    free(inverse);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_zeros_and_twins)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
