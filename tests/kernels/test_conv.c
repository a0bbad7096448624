// The fast convolution and its gradients equal the naive ones on odd and on real shapes; a result
// doesn't depend on the batch or on threads.

#include "fill.h"
#include "kernels/conv.h"
#include "kernels/gemm.h"
#include "threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 3 };

// c, h, w, n, size, stride, pad, groups
static const int shapes[][8] = {
    {1, 1, 1, 1, 1, 1, 0, 1},   {3, 28, 28, 16, 3, 1, 1, 1}, {16, 14, 14, 24, 3, 2, 1, 1},
    {32, 7, 7, 33, 3, 1, 1, 1}, {5, 7, 9, 11, 3, 1, 0, 1},   {3, 13, 6, 7, 5, 2, 2, 1},
    {4, 9, 9, 6, 3, 3, 1, 2},   {2, 11, 11, 5, 7, 1, 3, 1},  {7, 7, 7, 13, 1, 1, 0, 1},
    {6, 8, 8, 9, 1, 2, 0, 1},   {6, 9, 9, 9, 1, 2, 0, 1},    {3, 6, 6, 4, 1, 1, 1, 1},
    {4, 7, 5, 8, 1, 3, 2, 2},   {8, 14, 14, 8, 3, 1, 1, 8},  {9, 14, 13, 9, 3, 2, 1, 9},
    {6, 7, 7, 6, 5, 1, 2, 6},   {6, 10, 10, 12, 3, 1, 1, 6}, {12, 5, 5, 18, 3, 1, 1, 3},
    {96, 7, 7, 40, 3, 1, 1, 1}, {2, 40, 40, 3, 3, 1, 1, 1},  {3, 4, 4, 2, 2, 2, 0, 1},
    {3, 5, 5, 2, 2, 1, 1, 1},   {4, 3, 3, 4, 3, 1, 2, 4},    {70, 6, 4, 6, 3, 1, 1, 1},
    {1, 33, 70, 1, 3, 1, 1, 1}, {4, 11, 10, 4, 3, 3, 1, 4},  {3, 9, 9, 3, 3, 1, 3, 3},
    {64, 4, 4, 96, 1, 1, 0, 1}, {5, 3, 2, 7, 3, 2, 3, 1},    {12, 9, 10, 8, 3, 1, 1, 1},
    {1, 6, 9, 1, 1, 1, 0, 1},
};

static amc_conv_shape shape_at(size_t i) {
    const int *s = shapes[i];
    return amc_conv_shape_make(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7]);
}

#define EACH_SHAPE(s)                                                                              \
    for (size_t i_ = 0; i_ < sizeof shapes / sizeof *shapes; i_++)                                 \
        for (amc_conv_shape s = shape_at(i_), *once_ = &s; once_; once_ = NULL)

static void assert_close(const amc_conv_shape *s, const float *a, const float *b, size_t count) {
    double difference = fill_difference(a, b, count);
    if (!(difference < 1e-5))
        fail_msg("c %d h %d w %d n %d size %d stride %d pad %d groups %d: off by %g", s->c, s->h,
                 s->w, s->n, s->size, s->stride, s->pad, s->groups, difference);
}

static void forward_equals_reference(void **state) {
    (void)state;
    EACH_SHAPE(s) {
        float *x = fill_new(BATCH * amc_conv_shape_inputs(&s), 1),
              *w = fill_new(amc_conv_shape_weights(&s), 2);
        float *scale = fill_new(s.n, 3), *shift = fill_new(s.n, 4);
        size_t outputs = BATCH * amc_conv_shape_outputs(&s);
        float *y = fill_new(outputs, 5), *expected = fill_new(outputs, 6);
        const amc_finish finishes[] = {{NULL, NULL, NULL, AMC_LINEAR},
                                       {NULL, NULL, shift, AMC_RELU},
                                       {shift, scale, shift, AMC_LEAKY},
                                       {NULL, scale, NULL, AMC_LINEAR}};
        for (int f = -1; f < 4; f++) {
            const amc_finish *finish = f < 0 ? NULL : &finishes[f];
            amc_conv_forward(&s, BATCH, x, w, finish, y);
            amc_conv_forward_reference(&s, BATCH, x, w, finish, expected);
            assert_close(&s, y, expected, outputs);
        }
        free(x);
        free(w);
        free(scale);
        free(shift);
        free(y);
        free(expected);
    }
}

static void weight_gradients_add_to_reference(void **state) {
    (void)state;
    EACH_SHAPE(s) {
        size_t weights = amc_conv_shape_weights(&s);
        float *x = fill_new(BATCH * amc_conv_shape_inputs(&s), 1);
        float *dy = fill_new(BATCH * amc_conv_shape_outputs(&s), 2);
        float *dw = fill_new(weights, 3), *expected = fill_new(weights, 3);
        amc_conv_backward_weights(&s, BATCH, x, dy, dw);
        amc_conv_backward_weights_reference(&s, BATCH, x, dy, expected);
        assert_close(&s, dw, expected, weights);
        free(x);
        free(dy);
        free(dw);
        free(expected);
    }
}

static void input_gradients_add_to_reference(void **state) {
    (void)state;
    EACH_SHAPE(s) {
        size_t inputs = BATCH * amc_conv_shape_inputs(&s);
        float *w = fill_new(amc_conv_shape_weights(&s), 1);
        float *dy = fill_new(BATCH * amc_conv_shape_outputs(&s), 2);
        float *dx = fill_new(inputs, 3), *expected = fill_new(inputs, 3);
        amc_conv_backward_input(&s, BATCH, w, dy, dx);
        amc_conv_backward_input_reference(&s, BATCH, w, dy, expected);
        assert_close(&s, dx, expected, inputs);
        free(w);
        free(dy);
        free(dx);
        free(expected);
    }
}

// Every output bit of an image is the same alone, at any place in a batch of 19, and in the
// caller's own threads.
static void image_is_independent_of_batch(void **state) {
    (void)state;
    enum { MANY = 19 };
    EACH_SHAPE(s) {
        size_t in = amc_conv_shape_inputs(&s), out = amc_conv_shape_outputs(&s);
        float *x = fill_new(MANY * in, 1), *w = fill_new(amc_conv_shape_weights(&s), 2);
        float *together = fill_new(MANY * out, 3), *alone = fill_new(MANY * out, 4);
        amc_conv_forward(&s, MANY, x, w, NULL, together);
        for (int b = 0; b < MANY; b++)
            amc_conv_forward(&s, 1, x + b * in, w, NULL, alone + b * out);
        assert_memory_equal(together, alone, MANY * out * sizeof(float));
#pragma omp parallel for
        for (int b = 0; b < MANY; b += 5)
            amc_conv_forward(&s, MANY - b < 5 ? MANY - b : 5, x + b * in, w, NULL, alone + b * out);
        assert_memory_equal(together, alone, MANY * out * sizeof(float));
        free(x);
        free(w);
        free(together);
        free(alone);
    }
}

static void prepared_weights_give_the_same_bits(void **state) {
    (void)state;
    int prepared = 0;
    EACH_SHAPE(s) {
        size_t size = amc_conv_prepared_size(&s), outputs = BATCH * amc_conv_shape_outputs(&s);
        if (size == 0) continue;
        float *x = fill_new(BATCH * amc_conv_shape_inputs(&s), 1);
        float *w = fill_new(amc_conv_shape_weights(&s), 2), *better = fill_new(size, 3);
        float *y = fill_new(outputs, 4), *expected = fill_new(outputs, 5);
        amc_conv_prepare(&s, w, better);
        amc_conv_forward(&s, BATCH, x, w, NULL, expected);
        amc_conv_forward_prepared(&s, BATCH, x, better, NULL, y);
        assert_memory_equal(y, expected, outputs * sizeof *y);
        free(x), free(w), free(better), free(y), free(expected);
        prepared++;
    }
    assert_true(prepared >= 5);
}

static void gradients_are_independent_of_threads(void **state) {
    (void)state;
    enum { MANY = 19 };
    EACH_SHAPE(s) {
        size_t inputs = MANY * amc_conv_shape_inputs(&s), weights = amc_conv_shape_weights(&s);
        float *x = fill_new(inputs, 1), *w = fill_new(weights, 2);
        float *dy = fill_new(MANY * amc_conv_shape_outputs(&s), 3);
        float *dw[2], *dx[2];
        for (int i = 0; i < 2; i++) {
            dw[i] = fill_new(weights, 4);
            dx[i] = fill_new(inputs, 5);
            threads(i ? 3 : 1);
            amc_conv_backward_weights(&s, MANY, x, dy, dw[i]);
            amc_conv_backward_input(&s, MANY, w, dy, dx[i]);
        }
        assert_memory_equal(dw[0], dw[1], weights * sizeof(float));
        assert_memory_equal(dx[0], dx[1], inputs * sizeof(float));
        free(x);
        free(w);
        free(dy);
        for (int i = 0; i < 2; i++) {
            free(dw[i]);
            free(dx[i]);
        }
    }
}

int main(void) {
    amc_gemm_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_equals_reference),
        cmocka_unit_test(weight_gradients_add_to_reference),
        cmocka_unit_test(input_gradients_add_to_reference),
        cmocka_unit_test(image_is_independent_of_batch),
        cmocka_unit_test(prepared_weights_give_the_same_bits),
        cmocka_unit_test(gradients_are_independent_of_threads),
    };
    return cmocka_run_group_tests_name("conv", tests, NULL, NULL);
}
