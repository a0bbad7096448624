// Removing features: costs are those of the Schur complement, whatever is removed first the sum is
// the same, and of features that repeat each other only the last costs something.

#include "base/memory.h"
#include "kernels/gemm.h"
#include "kernels/surgeon.h"

#include "kernels/fill.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { D = 24, FILTERS = 5, SAMPLES = 300 };

#define RIDGE 1e-3

static const double factors[FILTERS] = {1, -2, 0.5, 1, 3};

// Moments of features that depend on each other, and where `twins` is set come in pairs.
static float *moments_new(uint64_t seed, bool twins) {
    float *x = fill_new(SAMPLES * D, seed), *moments = amc_memory_alloc(D * D, sizeof *moments);
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 1; j < D; j++)
            x[i * D + j] =
                twins && j % 2 ? x[i * D + j - 1] : x[i * D + j] + 0.7f * x[i * D + j - 1];
    amc_gemm(true, false, D, D, SAMPLES, 1.f / SAMPLES, x, D, x, D, 0, moments, D);
    free(x);
    return moments;
}

typedef struct subject {
    float *moments, *weights;
    amc_surgeon *surgeon;
} subject;

static subject subject_new(uint64_t seed, bool twins) {
    subject s = {moments_new(seed, twins), fill_new(FILTERS * D, seed + 100), NULL};
    s.surgeon = amc_surgeon_new(s.moments, D, RIDGE, FILTERS, factors, s.weights);
    return s;
}

static void subject_free(subject s) {
    amc_surgeon_free(s.surgeon);
    free(s.weights);
    free(s.moments);
}

static void assert_near(double a, double b) {
    if (!(fabs(a - b) <= 1e-6 * fabs(b))) fail_msg("%.9g, expected %.9g", a, b);
}

// The moments with a ridge, in double.
static void dense(const subject *s, double a[D][D]) {
    double add = 0;
    for (int i = 0; i < D; i++) add += RIDGE * s->moments[i * D + i] / D;
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) a[i][j] = s->moments[i * D + j] + (i == j ? add : 0);
}

// One feature's cost: its weights squared times what eliminating all others leaves of its moment.
static double expected(const subject *s, int feature) {
    double a[D][D], squares = 0;
    dense(s, a);
    for (int k = 0; k < D; k++) {
        if (k == feature) continue;
        for (int i = 0; i < D; i++) {
            double factor = a[i][k] / a[k][k];
            if (i == k) continue;
            for (int j = 0; j < D; j++) a[i][j] -= factor * a[k][j];
        }
    }
    for (int f = 0; f < FILTERS; f++) {
        double w = factors[f] * s->weights[f * D + feature];
        squares += w * w;
    }
    return squares * a[feature][feature];
}

static void test_costs(void **state) {
    (void)state;
    subject s = subject_new(1, false);
    for (int i = 0; i < D; i++) assert_near(amc_surgeon_cost(s.surgeon, &i, 1), expected(&s, i));
    subject_free(s);
}

static void test_order(void **state) {
    (void)state;
    const int all[] = {3, 4, 5, 17, 18, 9};
    subject s = subject_new(2, false);
    double together = amc_surgeon_cost(s.surgeon, all, 6), one_by_one = 0;
    const int sizes[] = {2, 1, 3};
    for (int k = 0, from = 0; k < 3; from += sizes[k++]) {
        one_by_one += amc_surgeon_cost(s.surgeon, all + from, sizes[k]);
        amc_surgeon_remove(s.surgeon, all + from, sizes[k]);
    }
    assert_near(one_by_one, together);
    subject_free(s);
}

static void test_twins(void **state) {
    (void)state;
    subject s = subject_new(3, true);
    for (int i = 0; i < D; i += 2) {
        int twin = i + 1;
        double first = amc_surgeon_cost(s.surgeon, &i, 1);
        amc_surgeon_remove(s.surgeon, &i, 1);
        assert_true(first < 0.02 * amc_surgeon_cost(s.surgeon, &twin, 1));
    }
    subject_free(s);
}

// Features that never vary, and fewer samples than features.
static void test_degenerate(void **state) {
    (void)state;
    float *moments = amc_memory_alloc(D * D, sizeof *moments), *weights = fill_new(FILTERS * D, 4);
    for (int filled = 0; filled < 2; filled++) {
        for (int i = 0; i < D * D; i++) moments[i] = (float)filled;
        amc_surgeon *surgeon = amc_surgeon_new(moments, D, 1e-12, FILTERS, factors, weights);
        for (int i = 0; i < D; i++) {
            assert_true(amc_surgeon_cost(surgeon, &i, 1) >= 0);
            amc_surgeon_remove(surgeon, &i, 1);
        }
        amc_surgeon_free(surgeon);
    }
    free(weights);
    free(moments);
}

int main(void) {
    amc_gemm_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_degenerate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
