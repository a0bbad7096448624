// Passes over arrays equal plain loops in double, in one piece and in many.

#include "fill.h"
#include "kernels/vector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const size_t sizes[] = {1, 7, 1000, 100003, 600005};
enum { SIZES = sizeof sizes / sizeof *sizes };

static double slope_of(amc_activation act) {
    return act == AMC_RELU ? 0 : act == AMC_LEAKY ? 0.1 : 1;
}

static void fill_sets_all(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        size_t n = sizes[s];
        float *x = fill_new(n + 2, 1), before = x[0], after = x[n + 1];
        amc_vector_fill(x + 1, n, 0.5f);
        for (size_t i = 1; i <= n; i++) assert_float_equal(x[i], 0.5, 0);
        assert_float_equal(x[0], before, 0);
        assert_float_equal(x[n + 1], after, 0);
        free(x);
    }
}

static void blend_equals_loop(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        for (int act = AMC_LINEAR; act <= AMC_LEAKY; act++) {
            size_t n = sizes[s];
            float *a = fill_new(n, 1), *b = fill_new(n, 2), *y = fill_new(n, 3);
            float *expected = fill_new(n, 4);
            for (size_t i = 0; i < n; i++) {
                double v = 1.5 * a[i] - 0.25 * b[i];
                expected[i] = (float)(v > 0 ? v : slope_of(act) * v);
            }
            amc_vector_blend(a, 1.5f, b, -0.25f, n, act, y);
            assert_true(fill_difference(y, expected, n) < 1e-6);
            free(a);
            free(b);
            free(y);
            free(expected);
        }
    }
}

static void check_blend_backward(size_t n, amc_activation act, bool same) {
    float *y = fill_new(n, 1), *dy = fill_new(n, 2), *da = fill_new(n, 3), *db = fill_new(n, 4);
    float *to = same ? da : db;
    float *by_a = fill_new(n, 3), *by_b = fill_new(n, 4);
    for (size_t i = 0; i < n; i++) {
        double d = y[i] > 0 ? dy[i] : slope_of(act) * dy[i];
        by_a[i] = (float)(by_a[i] + 1.5 * d - (same ? 0.25 * d : 0));
        by_b[i] = (float)(by_b[i] - (same ? 0 : 0.25 * d));
    }
    amc_vector_blend_backward(y, dy, n, act, 1.5f, da, -0.25f, to);
    assert_true(fill_difference(da, by_a, n) < 1e-6);
    assert_true(fill_difference(db, by_b, n) < 1e-6);
    free(y);
    free(dy);
    free(da);
    free(db);
    free(by_a);
    free(by_b);
}

static void blend_backward_equals_loop(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        for (int act = AMC_LINEAR; act <= AMC_LEAKY; act++) {
            check_blend_backward(sizes[s], act, false);
            check_blend_backward(sizes[s], act, true);
        }
    }
}

// With zeros of both signs among the weights, which take steps or don't.
static void check_descend(size_t n, bool holds, int every) {
    float *w = fill_new(n, 1), *updates = fill_new(n, 2);
    float *stepped = fill_new(n, 1), *kept = fill_new(n, 2);
    for (size_t i = 0; i < n; i++) {
        if (every && i % (size_t)every == 0) w[i] = stepped[i] = i % 2 ? -0.0f : 0.0f;
        double step = holds && stepped[i] == 0 ? 0 : kept[i] - 0.25 * stepped[i];
        stepped[i] = (float)(stepped[i] + 0.125 * step);
        kept[i] = (float)(0.75 * step);
    }
    (holds ? amc_vector_descend_nonzero : amc_vector_descend)(n, 0.125f, 0.25f, 0.75f, w, updates);
    assert_true(fill_difference(w, stepped, n) < 1e-6);
    assert_true(fill_difference(updates, kept, n) < 1e-6);
    for (size_t i = 0; holds && every && i < n; i += (size_t)every)
        assert_true(w[i] == 0 && updates[i] == 0);
    free(w);
    free(updates);
    free(stepped);
    free(kept);
}

static void descend_equals_loop(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++) {
        check_descend(sizes[s], false, 0);
        check_descend(sizes[s], false, 3);
    }
}

static void descend_nonzero_equals_loop(void **state) {
    (void)state;
    for (int s = 0; s < SIZES; s++)
        for (int every = 0; every < 4; every++) check_descend(sizes[s], true, every);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill_sets_all),
        cmocka_unit_test(blend_equals_loop),
        cmocka_unit_test(blend_backward_equals_loop),
        cmocka_unit_test(descend_equals_loop),
        cmocka_unit_test(descend_nonzero_equals_loop),
    };
    return cmocka_run_group_tests_name("vector", tests, NULL, NULL);
}
