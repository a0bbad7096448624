// The 3x3 depthwise convolution equals the naive one at every small size, where strips are narrow,
// overlap or end at edges, and on images of several bands; it writes nothing behind its output and
// reads nothing around its input.

#include "fill.h"
#include "kernels/conv.h"
#include "kernels/depthwise3x3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { GUARD = 8, CHANNELS = 2 };

// Around x are NaNs, which would show.
static float *guarded_input(size_t count) {
    float *x = fill_new(count + 2 * GUARD, 1);
    for (int i = 0; i < GUARD; i++) x[i] = x[GUARD + count + i] = NAN;
    return x;
}

static void check(int h, int w, int stride, const amc_finish *finish) {
    amc_conv_shape s = amc_conv_shape_make(CHANNELS, h, w, CHANNELS, 3, stride, 1, CHANNELS);
    if (!amc_depthwise3x3_fits(&s)) return;
    size_t in = (size_t)h * w, out = (size_t)s.out_h * s.out_w;
    float *x = guarded_input(CHANNELS * in), *kernels = fill_new(amc_conv_shape_weights(&s), 2);
    float *y = fill_new(CHANNELS * out + GUARD, 3), *expected = fill_new(CHANNELS * out, 4),
          guard[GUARD];
    memcpy(guard, y + CHANNELS * out, sizeof guard);
    amc_conv_forward_reference(&s, 1, x + GUARD, kernels, finish, expected);
    for (int c = CHANNELS - 1; c >= 0; c--) { // so that what one writes behind itself would show
        amc_depthwise3x3_planes(&s, c, c + 1, x + GUARD, kernels, finish, y);
        double difference = fill_difference(y + c * out, expected + c * out, (CHANNELS - c) * out);
        if (!(difference < 1e-5))
            fail_msg("h %d w %d stride %d channel %d: off by %g", h, w, stride, c, difference);
    }
    assert_memory_equal(guard, y + CHANNELS * out, sizeof guard);
    amc_depthwise3x3_planes(&s, 0, CHANNELS, x + GUARD, kernels, finish, y);
    assert_true(fill_difference(y, expected, CHANNELS * out) < 1e-5);
    float *alone = fill_new(CHANNELS * in, 1); // what is read behind it only sanitizers see
    amc_depthwise3x3_planes(&s, 0, CHANNELS, alone, kernels, finish, y);
    free(x), free(kernels), free(y), free(expected), free(alone);
}

static void equals_reference(void **state) {
    (void)state;
    const float centre[] = {0.5f, -0.5f}, scale[] = {2, -1}, shift[] = {0.25f, 1};
    const amc_finish leaky = {centre, scale, shift, AMC_LEAKY},
                     relu = {NULL, NULL, shift, AMC_RELU};
    for (int stride = 1; stride <= 2; stride++) {
        for (int h = 1; h <= 9; h++)
            for (int w = 1; w <= 36; w++) check(h, w, stride, h % 2 ? &leaky : NULL);
        for (int size = 1; size <= 17; size++) check(size, size, stride, &relu);
        for (int w = 47; w <= 50; w++) check(151, w, stride, &relu);
        check(20, 1000, stride, NULL);
        check(5000, 3, stride, NULL);
        check(3, 5000, stride, NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
