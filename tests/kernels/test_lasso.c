// The LASSO's path against proximal gradient descent, another way to the same minima.

#include "base/memory.h"
#include "kernels/lasso.h"

#include "kernels/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 9, SAMPLES = 40, STEPS = 20000 };

#define GRID 1.06 // neighbouring lambdas are so far apart

// Contributions of different sizes that depend on each other; the last is nothing.
static void make_products(uint64_t seed, double products[N * N]) {
    float *y = fill_new(SAMPLES * N, seed);
    for (int s = 0; s < SAMPLES; s++)
        for (int i = 1; i < N; i++)
            y[s * N + i] = i == N - 1 ? 0 : (float)i * (y[s * N + i] + 0.2f * y[s * N + i - 1]);
    for (int i = 0; i < N * N; i++) {
        products[i] = 0;
        for (int s = 0; s < SAMPLES; s++)
            products[i] += (double)y[s * N + i / N] * y[s * N + i % N] / SAMPLES;
    }
    free(y);
}

// The factors at one lambda.
static void minimise(const double *products, double lambda, double factors[N]) {
    double trace = 0;
    for (int i = 0; i < N; i++) trace += products[i * N + i];
    for (int i = 0; i < N; i++) factors[i] = 1;
    for (int step = 0; step < STEPS; step++) {
        double gradient[N] = {0};
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) gradient[i] += products[i * N + j] * (factors[j] - 1);
        for (int i = 0; i < N; i++) {
            double x = factors[i] - gradient[i] / trace;
            factors[i] = copysign(fmax(fabs(x) - lambda / trace, 0), x);
        }
    }
}

static void test_path(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        double products[N * N], last[N], factors[N];
        make_products(seed, products);
        amc_lasso_path(products, N, last);
        for (int i = 0; i < N - 1; i++) {
            assert_true(last[i] > 0);
            minimise(products, last[i] / GRID, factors);
            if (fabs(factors[i]) < 1e-9) fail_msg("factor %d is 0 below %g", i, last[i]);
            for (double above = GRID; above < 3; above *= 1.3) {
                minimise(products, last[i] * above, factors);
                if (fabs(factors[i]) > 1e-9) fail_msg("factor %d isn't 0 above %g", i, last[i]);
            }
        }
        assert_true(last[N - 1] == 0);
    }
}

// Contributions that have nothing to do with each other go in the order of their sizes.
static void test_independent(void **state) {
    (void)state;
    double products[N * N] = {0}, last[N];
    for (int i = 0; i < N; i++) products[i * N + i] = 1 + i;
    amc_lasso_path(products, N, last);
    for (int i = 0; i < N; i++) assert_true(last[i] <= 1 + i && last[i] > (1 + i) / GRID);
}

static void test_nothing(void **state) {
    (void)state;
    double products[N * N] = {0}, last[N];
    amc_lasso_path(products, N, last);
    for (int i = 0; i < N; i++) assert_true(last[i] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_path),
        cmocka_unit_test(test_independent),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
