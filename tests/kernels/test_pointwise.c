// The 1x1 convolution equals the naive one: tails of filters, channels and pixels, panels of many
// images, several pieces, units, blocks and tiles, groups; an image's result depends neither on its
// batch nor on threads nor on how wide vectors are.

#include "fill.h"
#include "kernels/conv.h"
#include "kernels/pointwise.h"
#include "threads.h"
#include "widths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// c, h, w, n, groups, batch
static const int shapes[][6] = {
    {1, 1, 1, 1, 1, 1},     {3, 1, 1, 5, 1, 19},    {7, 2, 3, 13, 1, 5},    {5, 7, 7, 6, 1, 3},
    {8, 7, 7, 7, 1, 8},     {9, 14, 14, 20, 1, 2},  {383, 3, 5, 11, 1, 3},  {384, 7, 7, 12, 1, 2},
    {385, 4, 4, 9, 1, 3},   {770, 5, 3, 4, 1, 4},   {16, 33, 31, 64, 1, 3}, {2, 60, 60, 3, 1, 2},
    {40, 7, 7, 200, 1, 11}, {300, 9, 9, 190, 1, 3}, {12, 13, 5, 6, 3, 4},   {4, 4, 4, 4, 4, 3},
    {800, 3, 3, 10, 2, 3},  {17, 1, 40, 97, 1, 2},  {15, 1, 1, 15, 1, 2},   {5, 1, 1, 5, 1, 4},
    {7, 1, 2, 7, 1, 2},     {3, 2, 2, 3, 1, 6},
};

static amc_conv_shape shape_at(size_t i) {
    const int *d = shapes[i];
    return amc_conv_shape_make(d[0], d[1], d[2], d[3], 1, 1, 0, d[4]);
}

static void check(const amc_conv_shape *s, int batch, const amc_finish *finish, bool add) {
    size_t outputs = batch * amc_conv_shape_outputs(s);
    float *x = fill_new(batch * amc_conv_shape_inputs(s), 1);
    float *w = fill_new(amc_conv_shape_weights(s), 2), *y = fill_new(outputs + 1, 3);
    float *expected = fill_new(outputs + 1, 3), *sums = fill_new(outputs, 4);
    amc_conv_forward_reference(s, batch, x, w, finish, sums);
    for (size_t i = 0; i < outputs; i++) expected[i] = add ? expected[i] + sums[i] : sums[i];
    amc_pointwise_forward(s, batch, x, w, false, finish, add, y);
    double difference = fill_difference(y, expected, outputs);
    if (!(difference < 1e-5))
        fail_msg("c %d h %d w %d n %d groups %d batch %d: off by %g", s->c, s->h, s->w, s->n,
                 s->groups, batch, difference);
    assert_memory_equal(&y[outputs], &expected[outputs], sizeof *y); // nothing behind the output
    free(x), free(w), free(y), free(expected), free(sums);
}

static void equals_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        amc_conv_shape s = shape_at(i);
        float *scale = fill_new(s.n, 5), *shift = fill_new(s.n, 6);
        const amc_finish finishes[] = {{NULL, NULL, shift, AMC_RELU},
                                       {shift, scale, shift, AMC_LEAKY},
                                       {NULL, scale, NULL, AMC_LINEAR}};
        for (int f = 0; f < 3; f++) check(&s, shapes[i][5], &finishes[f], false);
        check(&s, shapes[i][5], NULL, false);
        check(&s, shapes[i][5], NULL, true);
        free(scale), free(shift);
    }
}

static void bits_are_independent_of_batch_threads_packing_and_width(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        amc_conv_shape s = shape_at(i);
        int batch = shapes[i][5];
        size_t in = amc_conv_shape_inputs(&s), out = amc_conv_shape_outputs(&s);
        float *x = fill_new(batch * in, 1), *w = fill_new(amc_conv_shape_weights(&s), 2);
        float *together = fill_new(batch * out, 3), *alone = fill_new(batch * out, 4);
        float *scale = fill_new(s.n, 5), *shift = fill_new(s.n, 6);
        const amc_finish finish = {shift, scale, shift, AMC_LEAKY};
        threads(1);
        amc_pointwise_forward(&s, batch, x, w, false, &finish, false, together);
        threads(3);
        for (int b = 0; b < batch; b++)
            amc_pointwise_forward(&s, 1, x + b * in, w, false, &finish, false, alone + b * out);
        assert_memory_equal(together, alone, batch * out * sizeof(float));
        amc_pointwise_forward(&s, batch, x, w, false, &finish, false, alone);
        assert_memory_equal(together, alone, batch * out * sizeof(float));
        float *packed = fill_new(amc_conv_shape_weights(&s), 7);
        amc_pointwise_pack(&s, w, packed);
        memset(alone, 0, batch * out * sizeof(float));
        amc_pointwise_forward(&s, batch, x, packed, true, &finish, false, alone);
        assert_memory_equal(together, alone, batch * out * sizeof(float));
        ASSERT_SAME_WITH_ANY_WIDTH(
            alone, batch * out,
            amc_pointwise_forward(&s, batch, x, packed, true, &finish, false, alone));
        ASSERT_SAME_WITH_ANY_WIDTH(
            alone, batch * out,
            amc_pointwise_forward(&s, batch, x, w, false, &finish, false, alone));
        free(packed);
        free(x), free(w), free(together), free(alone), free(scale), free(shift);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_reference),
        cmocka_unit_test(bits_are_independent_of_batch_threads_packing_and_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
