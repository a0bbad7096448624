// Batch normalisation equals sums in double, and Darknet's own functions, forward and backward.

#include "fill.h"
#include "kernels/batchnorm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// Darknet's, from blas.h and batchnorm_layer.h.
void mean_cpu(float *x, int batch, int filters, int spatial, float *mean);
void variance_cpu(float *x, float *mean, int batch, int filters, int spatial, float *variance);
void normalize_cpu(float *x, float *mean, float *variance, int batch, int filters, int spatial);
void scale_bias(float *output, float *scales, int batch, int n, int size);
void add_bias(float *output, float *biases, int batch, int n, int size);
void mean_delta_cpu(float *delta, float *variance, int batch, int filters, int spatial,
                    float *mean_delta);
void variance_delta_cpu(float *x, float *delta, float *mean, float *variance, int batch,
                        int filters, int spatial, float *variance_delta);
void normalize_delta_cpu(float *x, float *mean, float *variance, float *mean_delta,
                         float *variance_delta, int batch, int filters, int spatial, float *delta);

// batch, channels, pixels
static const int shapes[][3] = {{2, 3, 1},   {5, 1, 7},   {4, 6, 49},  {3, 17, 196},
                                {64, 5, 33}, {1, 4, 100}, {2, 2, 5000}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct layer_arrays {
    float *of[8];     // in amc_batchnorm's order, each (c)
    amc_batchnorm bn; // pointers into them
} layer_arrays;

static layer_arrays arrays_new(int c) {
    layer_arrays a;
    for (int i = 0; i < 8; i++) a.of[i] = fill_new(c, 10 + i);
    for (int i = 0; i < c; i++) a.of[5][i] = 0.5f + fabsf(a.of[5][i]); // a variance
    a.bn = (amc_batchnorm){a.of[0], a.of[1], a.of[2], a.of[3], a.of[4], a.of[5], a.of[6], a.of[7]};
    return a;
}

static void arrays_free(layer_arrays *a) {
    for (int i = 0; i < 8; i++) free(a->of[i]);
}

// Numbers that lie far from zero, where a one-pass variance would lose its digits.
static float *far_new(size_t count, uint64_t seed) {
    float *x = fill_new(count, seed);
    for (size_t i = 0; i < count; i++) x[i] = 20 + x[i];
    return x;
}

static void forward_equals_reference_and_darknet(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        int batch = shapes[i][0], c = shapes[i][1], pixels = shapes[i][2];
        size_t count = (size_t)batch * c * pixels;
        layer_arrays a = arrays_new(c), e = arrays_new(c);
        float *x = far_new(count, 1), *y = fill_new(count, 2), *expected = fill_new(count, 3),
              *stock = far_new(count, 1);
        amc_batchnorm_forward(&a.bn, batch, c, pixels, x, AMC_LINEAR, y);
        amc_batchnorm_forward_reference(&e.bn, batch, c, pixels, x, expected);
        assert_true(fill_difference(a.bn.mean, e.bn.mean, c) < 1e-5);
        assert_true(fill_difference(a.bn.variance, e.bn.variance, c) < 1e-5);
        assert_true(fill_difference(y, expected, count) < 1e-5);
        mean_cpu(stock, batch, c, pixels, e.of[2]);
        variance_cpu(stock, e.of[2], batch, c, pixels, e.of[3]);
        normalize_cpu(stock, e.of[2], e.of[3], batch, c, pixels);
        scale_bias(stock, e.of[0], batch, c, pixels);
        add_bias(stock, e.of[1], batch, c, pixels);
        assert_true(fill_difference(y, stock, count) < 1e-4);
        for (int j = 0; j < c; j++) {
            assert_float_equal(a.bn.rolling_mean[j],
                               0.99 * e.bn.rolling_mean[j] + 0.01 * a.bn.mean[j], 1e-5);
            assert_float_equal(a.bn.rolling_variance[j],
                               0.99 * e.bn.rolling_variance[j] + 0.01 * a.bn.variance[j], 1e-5);
        }
        arrays_free(&a);
        arrays_free(&e);
        free(x);
        free(y);
        free(expected);
        free(stock);
    }
}

static void backward_equals_reference_and_darknet(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        int batch = shapes[i][0], c = shapes[i][1], pixels = shapes[i][2];
        size_t count = (size_t)batch * c * pixels;
        layer_arrays a = arrays_new(c), e = arrays_new(c);
        float *x = fill_new(count, 1), *y = fill_new(count, 2), *by_mean = fill_new(c, 3),
              *by_variance = fill_new(c, 3);
        float *delta = fill_new(count, 4), *expected = fill_new(count, 4),
              *stock = fill_new(count, 4);
        amc_batchnorm_forward(&a.bn, batch, c, pixels, x, AMC_LINEAR, y);
        amc_batchnorm_forward(&e.bn, batch, c, pixels, x, AMC_LINEAR, y);
        amc_batchnorm_backward(&a.bn, batch, c, pixels, x, AMC_LINEAR, delta);
        amc_batchnorm_backward_reference(&e.bn, batch, c, pixels, x, expected);
        assert_true(fill_difference(delta, expected, count) < 1e-4);
        assert_true(fill_difference(a.bn.bias_updates, e.bn.bias_updates, c) < 1e-5);
        assert_true(fill_difference(a.bn.scale_updates, e.bn.scale_updates, c) < 1e-5);
        scale_bias(stock, e.of[0], batch, c, pixels);
        mean_delta_cpu(stock, e.of[3], batch, c, pixels, by_mean);
        variance_delta_cpu(x, stock, e.of[2], e.of[3], batch, c, pixels, by_variance);
        normalize_delta_cpu(x, e.of[2], e.of[3], by_mean, by_variance, batch, c, pixels, stock);
        assert_true(fill_difference(delta, stock, count) < 1e-4);
        arrays_free(&a);
        arrays_free(&e);
        free(x);
        free(y);
        free(by_mean);
        free(by_variance);
        free(delta);
        free(expected);
        free(stock);
    }
}

static void activation_is_fused(void **state) {
    (void)state;
    enum { B = 3, C = 5, P = 21, N = B * C * P };
    for (int act = AMC_LINEAR; act <= AMC_LEAKY; act++) {
        layer_arrays a = arrays_new(C), e = arrays_new(C);
        float *x = fill_new(N, 1), *y = fill_new(N, 2), *plain = fill_new(N, 2);
        float *delta = fill_new(N, 3), *expected = fill_new(N, 3);
        amc_batchnorm_forward(&a.bn, B, C, P, x, act, y);
        amc_batchnorm_forward(&e.bn, B, C, P, x, AMC_LINEAR, plain);
        float slope = act == AMC_RELU ? 0 : act == AMC_LEAKY ? 0.1f : 1;
        for (int i = 0; i < N; i++) {
            if (plain[i] <= 0) expected[i] *= slope;
            assert_float_equal(y[i], plain[i] > 0 ? plain[i] : slope * plain[i], 1e-6);
        }
        amc_batchnorm_backward(&a.bn, B, C, P, x, act, delta);
        amc_batchnorm_backward(&e.bn, B, C, P, x, AMC_LINEAR, expected);
        assert_true(fill_difference(delta, expected, N) < 1e-6);
        arrays_free(&a);
        arrays_free(&e);
        free(x);
        free(y);
        free(plain);
        free(delta);
        free(expected);
    }
}

static void scale_is_inference(void **state) {
    (void)state;
    enum { C = 9 };
    layer_arrays a = arrays_new(C);
    float scale[C], x[C], *start = fill_new(C, 1);
    memcpy(x, start, sizeof x);
    normalize_cpu(x, a.of[4], a.of[5], 1, C, 1);
    scale_bias(x, a.of[0], 1, C, 1);
    add_bias(x, a.of[1], 1, C, 1);
    amc_batchnorm_scale(&a.bn, C, scale);
    for (int i = 0; i < C; i++)
        assert_float_equal((start[i] - a.of[4][i]) * scale[i] + a.of[1][i], x[i], 1e-5);
    arrays_free(&a);
    free(start);
}

static void one_value_is_no_nan(void **state) {
    (void)state;
    layer_arrays a = arrays_new(1);
    float x = 3, y = NAN;
    amc_batchnorm_forward(&a.bn, 1, 1, 1, &x, AMC_LINEAR, &y);
    assert_float_equal(y, a.bn.biases[0], 1e-6);
    arrays_free(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_equals_reference_and_darknet),
        cmocka_unit_test(backward_equals_reference_and_darknet),
        cmocka_unit_test(activation_is_fused),
        cmocka_unit_test(scale_is_inference),
        cmocka_unit_test(one_value_is_no_nan),
    };
    return cmocka_run_group_tests_name("batchnorm", tests, NULL, NULL);
}
