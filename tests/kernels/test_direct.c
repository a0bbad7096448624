// The direct convolution equals the naive one wherever it can be asked to, also where it would not
// be the faster way: rows that vectors don't fill, strides, pieces of deep sums, tiles.

#include "fill.h"
#include "kernels/conv.h"
#include "kernels/direct.h"
#include "widths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 2 };

// c, h, w, n, size, stride, pad, groups
static const int shapes[][8] = {
    {3, 8, 8, 6, 3, 1, 1, 1},      {3, 28, 28, 16, 3, 1, 1, 1},  {16, 32, 32, 11, 3, 1, 1, 1},
    {5, 9, 13, 7, 3, 1, 1, 1},     {4, 11, 15, 23, 5, 1, 2, 1},  {2, 9, 12, 5, 3, 1, 0, 1},
    {3, 20, 23, 20, 3, 2, 1, 1},   {4, 25, 29, 13, 5, 3, 2, 1},  {3, 31, 37, 4, 7, 4, 3, 1},
    {2, 18, 18, 3, 2, 2, 0, 1},    {6, 17, 17, 9, 1, 2, 0, 1},   {3, 9, 9, 4, 1, 1, 1, 1},
    {130, 12, 10, 17, 3, 1, 1, 1}, {1000, 3, 9, 2, 1, 1, 0, 1},  {129, 9, 9, 6, 3, 1, 1, 3},
    {8, 12, 16, 12, 3, 1, 1, 4},   {7, 3, 43, 13, 1, 1, 0, 1},   {3, 64, 65, 9, 1, 1, 0, 1},
    {1, 1, 9, 1, 1, 1, 0, 1},      {40, 40, 40, 30, 3, 1, 1, 1}, {2, 5, 3, 4, 3, 1, 4, 1},
    {90, 60, 60, 8, 3, 2, 1, 1},
};

static void check(const amc_conv_shape *s, const amc_finish *finish, bool add) {
    size_t outputs = BATCH * amc_conv_shape_outputs(s);
    float *x = fill_new(BATCH * amc_conv_shape_inputs(s), 1);
    float *w = fill_new(amc_conv_shape_weights(s), 2), *y = fill_new(outputs, 3);
    float *expected = fill_new(outputs, 3), *sums = fill_new(outputs, 4);
    amc_conv_forward_reference(s, BATCH, x, w, finish, sums);
    for (size_t i = 0; i < outputs; i++) expected[i] = add ? expected[i] + sums[i] : sums[i];
    amc_direct_forward(s, BATCH, x, w, finish, add, y);
    double difference = fill_difference(y, expected, outputs);
    if (!(difference < 1e-5))
        fail_msg("c %d h %d w %d n %d size %d stride %d pad %d groups %d: off by %g", s->c, s->h,
                 s->w, s->n, s->size, s->stride, s->pad, s->groups, difference);
    free(x), free(w), free(y), free(expected), free(sums);
}

static amc_conv_shape shape_at(size_t i) {
    const int *d = shapes[i];
    return amc_conv_shape_make(d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7]);
}

static void equals_reference(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        amc_conv_shape s = shape_at(i);
        float *scale = fill_new(s.n, 5), *shift = fill_new(s.n, 6);
        const amc_finish finishes[] = {{NULL, NULL, shift, AMC_RELU},
                                       {shift, scale, shift, AMC_LEAKY},
                                       {NULL, scale, NULL, AMC_LINEAR}};
        for (int f = 0; f < 3; f++) check(&s, &finishes[f], false);
        check(&s, NULL, false);
        check(&s, NULL, true);
        free(scale), free(shift);
    }
}

static void same_with_any_width(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        amc_conv_shape s = shape_at(i);
        size_t outputs = BATCH * amc_conv_shape_outputs(&s);
        float *x = fill_new(BATCH * amc_conv_shape_inputs(&s), 1), *shift = fill_new(s.n, 4);
        float *w = fill_new(amc_conv_shape_weights(&s), 2), *y = fill_new(outputs, 3);
        for (int act = AMC_LINEAR; act <= AMC_LEAKY; act++) {
            const amc_finish finish = {shift, NULL, shift, (amc_activation)act};
            ASSERT_SAME_WITH_ANY_WIDTH(y, outputs,
                                       amc_direct_forward(&s, BATCH, x, w, &finish, false, y));
        }
        free(x), free(w), free(y), free(shift);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_reference),
        cmocka_unit_test(same_with_any_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
