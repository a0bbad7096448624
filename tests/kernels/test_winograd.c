// Winograd's convolution and weight gradients equal the naive ones wherever they can be asked to:
// ragged tiles, any padding, tiles of several images in a vector, channels that fill no vector.

#include "fill.h"
#include "kernels/conv.h"
#include "kernels/winograd.h"
#include "widths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// batch, c, h, w, n, pad
static const int shapes[][6] = {
    {1, 1, 3, 3, 1, 1},     {1, 3, 4, 4, 2, 1},      {5, 7, 8, 8, 7, 1},     {2, 16, 32, 32, 11, 1},
    {3, 9, 7, 7, 13, 1},    {2, 8, 13, 13, 17, 1},   {4, 12, 5, 9, 6, 0},    {2, 5, 6, 11, 8, 2},
    {1, 33, 14, 14, 24, 1}, {17, 24, 4, 4, 23, 1},   {1, 10, 56, 60, 12, 1}, {40, 8, 3, 3, 9, 1},
    {1, 20, 1, 30, 10, 1},  {2, 300, 10, 10, 40, 1}, {3, 45, 9, 8, 100, 1},  {1, 8, 120, 7, 8, 3},
};

typedef struct subject {
    amc_conv_shape s;
    int batch;
    size_t outputs;
    float *x, *w, *transformed, *y, *expected;
} subject;

static subject subject_new(const int d[6]) {
    subject t = {.s = amc_conv_shape_make(d[1], d[2], d[3], d[4], 3, 1, d[5], 1), .batch = d[0]};
    t.outputs = t.batch * amc_conv_shape_outputs(&t.s);
    t.x = fill_new(t.batch * amc_conv_shape_inputs(&t.s), 1);
    t.w = fill_new(amc_conv_shape_weights(&t.s), 2);
    t.transformed = fill_new(amc_winograd_weights(&t.s), 3);
    t.y = fill_new(t.outputs, 4), t.expected = fill_new(t.outputs, 4);
    amc_winograd_transform(&t.s, t.w, t.transformed);
    return t;
}

static void subject_free(subject *t) {
    free(t->x), free(t->w), free(t->transformed), free(t->y), free(t->expected);
}

static void assert_close(const subject *t, const float *a, const float *b, size_t count) {
    double difference = fill_difference(a, b, count);
    if (!(difference < 1e-5))
        fail_msg("batch %d c %d h %d w %d n %d pad %d: off by %g", t->batch, t->s.c, t->s.h, t->s.w,
                 t->s.n, t->s.pad, difference);
}

#define EACH_SUBJECT(t)                                                                            \
    for (size_t i_ = 0; i_ < sizeof shapes / sizeof *shapes; i_++)                                 \
        for (subject t = subject_new(shapes[i_]), *once_ = &t; once_;                              \
             subject_free(&t), once_ = NULL)

static void forward_equals_reference(void **state) {
    (void)state;
    EACH_SUBJECT(t) {
        float *scale = fill_new(t.s.n, 5), *shift = fill_new(t.s.n, 6);
        const amc_finish finishes[] = {{NULL, NULL, NULL, AMC_LINEAR},
                                       {NULL, NULL, shift, AMC_RELU},
                                       {shift, scale, shift, AMC_LEAKY}};
        for (int f = 0; f < 3; f++) {
            amc_conv_forward_reference(&t.s, t.batch, t.x, t.w, &finishes[f], t.expected);
            amc_winograd_forward(&t.s, t.batch, t.x, t.transformed, &finishes[f], false, t.y);
            assert_close(&t, t.y, t.expected, t.outputs);
        }
        free(scale), free(shift);
    }
}

static void sums_are_added(void **state) {
    (void)state;
    EACH_SUBJECT(t) {
        float *sums = fill_new(t.outputs, 5);
        amc_conv_forward_reference(&t.s, t.batch, t.x, t.w, NULL, sums);
        for (size_t i = 0; i < t.outputs; i++) t.expected[i] += sums[i];
        amc_winograd_forward(&t.s, t.batch, t.x, t.transformed, NULL, true, t.y);
        assert_close(&t, t.y, t.expected, t.outputs);
        free(sums);
    }
}

static void weight_gradients_equal_reference(void **state) {
    (void)state;
    EACH_SUBJECT(t) {
        size_t weights = amc_conv_shape_weights(&t.s);
        float *dw = fill_new(weights, 5), *expected = fill_new(weights, 6);
        memset(expected, 0, weights * sizeof *expected);
        amc_conv_backward_weights_reference(&t.s, t.batch, t.x, t.y, expected);
        amc_winograd_backward_weights(&t.s, t.batch, t.x, t.y, dw);
        assert_close(&t, dw, expected, weights);
        free(dw), free(expected);
    }
}

static void bits_are_independent_of_width(void **state) {
    (void)state;
    EACH_SUBJECT(t) {
        float *shift = fill_new(t.s.n, 6);
        const amc_finish finish = {shift, NULL, shift, AMC_LEAKY};
        ASSERT_SAME_WITH_ANY_WIDTH(
            t.y, t.outputs,
            amc_winograd_forward(&t.s, t.batch, t.x, t.transformed, &finish, false, t.y));
        free(shift);
    }
}

// Nothing that isn't a number gets from an image, or from beyond it, to another one.
static void images_are_apart(void **state) {
    (void)state;
    EACH_SUBJECT(t) {
        size_t in = amc_conv_shape_inputs(&t.s), out = t.outputs / t.batch;
        amc_winograd_forward(&t.s, t.batch, t.x, t.transformed, NULL, false, t.expected);
        memset(t.x + in * (t.batch - 1), 0xff, in * sizeof *t.x); // not a number
        amc_winograd_forward(&t.s, t.batch, t.x, t.transformed, NULL, false, t.y);
        assert_memory_equal(t.y, t.expected, (t.outputs - out) * sizeof *t.y);
        assert_true(t.y[t.outputs - 1] != t.y[t.outputs - 1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_equals_reference),
        cmocka_unit_test(sums_are_added),
        cmocka_unit_test(weight_gradients_equal_reference),
        cmocka_unit_test(bits_are_independent_of_width),
        cmocka_unit_test(images_are_apart),
    };
    return cmocka_run_group_tests_name("winograd", tests, NULL, NULL);
}
