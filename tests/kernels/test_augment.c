// Crops and colours equal Darknet's own.

#include "fill.h"
#include "kernels/augment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <image.h>

// Random numbers from 0 to 1; a quarter of the pixels are grey, black or white.
static image image_new(int w, int h, uint64_t seed) {
    image im = make_image(w, h, 3);
    amc_rng rng;
    amc_rng_init(&rng, seed);
    for (int i = 0; i < w * h; i++) {
        float *pixel = im.data + i;
        for (int c = 0; c < 3; c++) pixel[c * w * h] = (float)amc_rng_uniform(&rng);
        uint32_t kind = amc_rng_below(&rng, 12);
        for (int c = 0; c < 3 && kind < 3; c++)
            pixel[c * w * h] = kind == 0 ? 0 : kind == 1 ? 1 : pixel[0];
    }
    return im;
}

// The largest difference between our view of an image and Darknet's.
static double crop_difference(const amc_augment_view *v, int w, int h, int out_w, int out_h) {
    image im = image_new(w, h, 1);
    image stock = rotate_crop_image(im, v->angle, v->scale, out_w, out_h, v->dx, v->dy, v->aspect);
    size_t count = (size_t)3 * out_w * out_h;
    float *y = fill_new(count, 2);
    amc_augment_crop(v, 3, h, w, im.data, out_h, out_w, y);
    double worst = 0;
    for (size_t i = 0; i < count; i++) worst = fmax(worst, fabs((double)y[i] - stock.data[i]));
    free(y);
    free_image(im);
    free_image(stock);
    return worst;
}

static void crop_equals_darknet(void **state) {
    (void)state;
    static const amc_augment_view views[] = {
        {0, 1, 1, 0, 0},           {0, 1.25f, 1, 3.7f, -2.2f},       {0, 1, 1, 0.5f, -31},
        {0.1f, 0.9f, 1.3f, 4, -4}, {-3, 1.7f, 0.75f, -20.3f, 11.1f}, {1, 0.2f, 1, 0, 0},
    };
    static const int sizes[][4] = {
        {32, 32, 32, 32}, {40, 25, 17, 29}, {7, 64, 100, 66}, {1, 1, 5, 4}};
    for (size_t v = 0; v < sizeof views / sizeof *views; v++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const int *s = sizes[i];
            double worst = crop_difference(&views[v], s[0], s[1], s[2], s[3]);
            // Where a pixel is sought is rounded to a few millionths of a pixel.
            if (!(worst < 5e-6)) fail_msg("view %zu, size %zu: off by %g", v, i, worst);
        }
    }
}

static void crop_far_outside_is_black(void **state) {
    (void)state;
    amc_augment_view view = {0.3f, 1e-3f, 1, 1e9f, -1e9f};
    float x[27], y[48];
    for (int i = 0; i < 27; i++) x[i] = 1;
    amc_augment_crop(&view, 3, 3, 3, x, 4, 4, y);
    for (int i = 0; i < 48; i++) assert_float_equal(y[i], 0, 0);
}

static void check_colours(float hue, float saturation, float exposure) {
    image im = image_new(37, 23, 3), stock = copy_image(im);
    distort_image(stock, hue, saturation, exposure);
    amc_augment_distort(im.data, (size_t)im.w * im.h, hue, saturation, exposure);
    for (int i = 0; i < 3 * im.w * im.h; i++) {
        double off = fabs((double)im.data[i] - stock.data[i]);
        if (!(off < 2e-6)) fail_msg("%g %g %g: off by %g", hue, saturation, exposure, off);
    }
    free_image(im);
    free_image(stock);
}

static void colours_equal_darknet(void **state) {
    (void)state;
    check_colours(0, 1, 1);
    check_colours(0.07f, 1, 1);
    check_colours(-0.3f, 1.5f, 0.7f);
    check_colours(0.99f, 0.4f, 1.6f);
    check_colours(0, 3, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crop_equals_darknet),
        cmocka_unit_test(crop_far_outside_is_black),
        cmocka_unit_test(colours_equal_darknet),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
