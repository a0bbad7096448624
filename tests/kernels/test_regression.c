// Filters fitted to samples: the normal equations hold, with an intercept; filters that are right
// stay; features that repeat others are no obstacle; and fitted through an activation, what comes
// out of it is nearer to what it should be than from a fit that doesn't know of it.

#include "kernels/regression.h"

#include "kernels/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 600, D = 23, FILTERS = 7 };

// Samples (N, D) of features that depend on each other and have means.
static float *samples_new(uint64_t seed) {
    float *x = fill_new(N * D, seed);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < D; j++)
            x[i * D + j] += 0.5f * (float)j + (j ? 0.7f * x[i * D + j - 1] : 0);
    return x;
}

// What filters make of samples: (N, FILTERS).
static float *sums_new(const float *x, const float *weights, const float *intercepts) {
    float *y = amc_memory_alloc(N * FILTERS, sizeof *y);
    for (int i = 0; i < N; i++)
        for (int f = 0; f < FILTERS; f++) {
            double sum = intercepts[f];
            for (int j = 0; j < D; j++) sum += weights[f * D + j] * x[i * D + j];
            y[i * FILTERS + f] = (float)sum;
        }
    return y;
}

static float *copy_of(const float *from, size_t count) {
    return amc_memory_copy(from, count, sizeof *from);
}

static bool sparse; // how filters are fitted from here on

static void fit(const float *x, float *y, double ridge, float slope, float *weights,
                float *intercepts) {
    float *centred = copy_of(x, N * D);
    amc_regression *regression = amc_regression_new(centred, N, D, ridge, sparse);
    if (slope < 1)
        amc_regression_fit_activated(regression, y, FILTERS, slope, NULL, weights, intercepts);
    else
        amc_regression_fit(regression, y, FILTERS, weights, intercepts);
    amc_regression_free(regression);
    free(centred);
}

// The residuals are orthogonal to the constant and to every feature whose weight isn't zero, but
// for the ridge's share; the weights that were zero still are.
static void assert_normal_equations(bool has_zeros) {
    float *x = samples_new(1), *y = fill_new(N * FILTERS, 2), *weights = fill_new(FILTERS * D, 3);
    for (int i = 0; i < FILTERS * D && has_zeros; i++)
        if (i % 3 == 0 || i / D == 2) weights[i] = 0; // of filter 2 nothing is left
    float *before = copy_of(weights, FILTERS * D);
    float *made = copy_of(y, N * FILTERS), intercepts[FILTERS];
    fit(x, made, 1e-9, 1, weights, intercepts);
    float *sums = sums_new(x, weights, intercepts);
    assert_true(fill_difference(made, sums, N * FILTERS) < 1e-4);
    for (int f = 0; f < FILTERS; f++)
        for (int j = -1; j < D; j++) {
            if (j >= 0) assert_int_equal(weights[f * D + j] == 0, before[f * D + j] == 0);
            if (j >= 0 && before[f * D + j] == 0) continue;
            double product = 0, size = 0;
            for (int i = 0; i < N; i++) {
                double feature = j < 0 ? 1 : x[i * D + j];
                product += feature * (y[i * FILTERS + f] - sums[i * FILTERS + f]);
                size += fabs(feature * y[i * FILTERS + f]);
            }
            assert_true(fabs(product) < 1e-4 * size);
        }
    free(sums), free(made), free(before), free(weights), free(y), free(x);
}

static void test_normal_equations(void **state) {
    (void)state;
    assert_normal_equations(false);
    sparse = true;
    assert_normal_equations(false);
    assert_normal_equations(true);
    sparse = false;
}

// A large ridge keeps filters where they are, and only the intercept gives.
static void test_ridge(void **state) {
    (void)state;
    float *x = samples_new(1), *y = fill_new(N * FILTERS, 2), *weights = fill_new(FILTERS * D, 3);
    float *before = copy_of(weights, FILTERS * D), intercepts[FILTERS];
    fit(x, y, 1e9, 1, weights, intercepts);
    assert_true(fill_difference(weights, before, FILTERS * D) < 1e-6);
    free(before), free(weights), free(y), free(x);
}

static void test_right_filters_stay(void **state) {
    (void)state;
    for (int activated = 0; activated < 2; activated++) {
        float *x = samples_new(4), *weights = fill_new(FILTERS * D, 5);
        float *right = copy_of(weights, FILTERS * D), *intercepts = fill_new(FILTERS, 6);
        float *y = sums_new(x, weights, intercepts), found[FILTERS];
        fit(x, y, 1e-2, activated ? 0.1f : 1, weights, found);
        assert_true(fill_difference(weights, right, FILTERS * D) < 1e-4);
        assert_true(fill_difference(found, intercepts, FILTERS) < 1e-3);
        free(y), free(intercepts), free(right), free(weights), free(x);
    }
}

static void test_repeated_and_still_features(void **state) {
    (void)state;
    float *x = samples_new(7), *weights = fill_new(FILTERS * D, 8), none[FILTERS] = {0};
    float *y = sums_new(x, weights, none), *wanted = copy_of(y, N * FILTERS), intercepts[FILTERS];
    for (int i = 0; i < N; i++) x[i * D + 3] = x[i * D + 2], x[i * D + 5] = 1;
    fit(x, y, 1e-12, 1, weights, intercepts);
    for (int i = 0; i < FILTERS * D; i++) assert_true(isfinite(weights[i]));
    assert_true(fill_difference(y, wanted, N * FILTERS) < 1);
    memset(x, 0, N * D * sizeof *x); // nothing varies: the mean is all there is
    fit(x, wanted, 1e-3, 1, weights, intercepts);
    for (int f = 0; f < FILTERS; f++) assert_true(fabsf(wanted[f] - intercepts[f]) < 1e-4f);
    free(wanted), free(y), free(weights), free(x);
}

static double activation_error(const float *sums, const float *wanted, float slope) {
    double error = 0;
    for (int i = 0; i < N * FILTERS; i++) {
        double a = sums[i] > 0 ? sums[i] : slope * sums[i];
        double b = wanted[i] > 0 ? wanted[i] : slope * wanted[i];
        error += (a - b) * (a - b);
    }
    return error;
}

// Targets that depend on more than the features that are left.
static void test_through_an_activation(void **state) {
    (void)state;
    const float slopes[] = {0, 0.1f};
    for (int k = 0; k < 2; k++) {
        float *x = fill_new(N * D, 9), *filters = fill_new(FILTERS * D, 10), none[FILTERS] = {0};
        float *wanted = sums_new(x, filters, none), *linear = copy_of(wanted, N * FILTERS);
        float *through = copy_of(wanted, N * FILTERS), intercepts[FILTERS];
        for (int i = 0; i < N; i++)
            for (int j = 12; j < D; j++) x[i * D + j] = 0;
        float *a = fill_new(FILTERS * D, 11), *b = copy_of(a, FILTERS * D);
        fit(x, linear, 1e-3, 1, a, intercepts);
        fit(x, through, 1e-3, slopes[k], b, intercepts);
        double plain = activation_error(linear, wanted, slopes[k]);
        double better = activation_error(through, wanted, slopes[k]);
        if (!(better < 0.95 * plain)) fail_msg("slope %g: %g of %g", slopes[k], better, plain);
        free(b), free(a), free(through), free(linear), free(wanted), free(filters), free(x);
    }
}

// With a part of every sum given, only the rest is fitted.
static void test_added(void **state) {
    (void)state;
    float *x = samples_new(12), *weights = fill_new(FILTERS * D, 13), none[FILTERS] = {0};
    float *right = copy_of(weights, FILTERS * D), *added = fill_new(N * FILTERS, 14);
    float *sums = sums_new(x, weights, none), *y = copy_of(sums, N * FILTERS);
    float *centred = copy_of(x, N * D), intercepts[FILTERS];
    for (int i = 0; i < N * FILTERS; i++) y[i] += 5 * added[i], added[i] *= 5;
    amc_regression *regression = amc_regression_new(centred, N, D, 1e-2, false);
    amc_regression_fit_activated(regression, y, FILTERS, 0, added, weights, intercepts);
    amc_regression_free(regression);
    assert_true(fill_difference(weights, right, FILTERS * D) < 1e-4);
    assert_true(fill_difference(y, sums, N * FILTERS) < 1e-4);
    free(centred), free(y), free(sums), free(added), free(right), free(weights), free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_normal_equations),
        cmocka_unit_test(test_ridge),
        cmocka_unit_test(test_right_filters_stay),
        cmocka_unit_test(test_repeated_and_still_features),
        cmocka_unit_test(test_through_an_activation),
        cmocka_unit_test(test_added),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
