// Cutting an image into patches reads what each tap sees; pasting is its transpose.

#include "fill.h"
#include "kernels/patches.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

// c, h, w, size, stride, pad
static const int shapes[][6] = {{2, 7, 5, 3, 1, 1},   {1, 28, 28, 5, 1, 2}, {3, 9, 14, 3, 2, 1},
                                {2, 10, 11, 2, 3, 0}, {2, 4, 6, 1, 2, 0},   {1, 3, 3, 1, 1, 2}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

typedef struct cut_image {
    amc_conv_shape s;
    float *x, *frame, *matrix; // the image, scratch, its patches
    int rows, columns;         // of the matrix
} cut_image;

static cut_image cut_new(const int *of) {
    cut_image c = {.s = amc_conv_shape_make(of[0], of[1], of[2], 1, of[3], of[4], of[5], 1)};
    c.rows = of[0] * of[3] * of[3];
    c.columns = c.s.out_h * c.s.out_w;
    c.x = fill_new(amc_conv_shape_inputs(&c.s), 1);
    c.frame = fill_new(of[0] * amc_patches_plane(&c.s, of[1] + 2 * of[5]) + AMC_PATCHES_SLACK, 2);
    c.matrix = fill_new(amc_patches_matrix(&c.s) + AMC_PATCHES_SLACK, 3);
    amc_patches_cut(&c.s, c.x, c.frame, c.matrix);
    return c;
}

static void cut_free(cut_image *c) {
    free(c->x);
    free(c->frame);
    free(c->matrix);
}

static void cut_reads_what_taps_see(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        cut_image c = cut_new(shapes[i]);
        const amc_conv_shape *s = &c.s;
        for (int row = 0; row < c.rows; row++) {
            for (int j = 0; j < c.columns; j++) {
                int tap = row % (s->size * s->size), channel = row / (s->size * s->size);
                int y = j / s->out_w * s->stride - s->pad + tap / s->size;
                int x = j % s->out_w * s->stride - s->pad + tap % s->size;
                bool inside = y >= 0 && x >= 0 && y < s->h && x < s->w;
                float expected = inside ? c.x[(channel * s->h + y) * s->w + x] : 0;
                assert_true(c.matrix[row * c.columns + j] == expected);
            }
        }
        cut_free(&c);
    }
}

// <cut(x), m> = <x, paste(m)> for any m; paste adds to what is there.
static void paste_is_the_transpose(void **state) {
    (void)state;
    for (int i = 0; i < SHAPES; i++) {
        cut_image c = cut_new(shapes[i]);
        size_t inputs = amc_conv_shape_inputs(&c.s), entries = amc_patches_matrix(&c.s);
        float *m = fill_new(entries, 4), *pasted = fill_new(inputs, 5),
              *before = fill_new(inputs, 5);
        amc_patches_paste(&c.s, m, c.frame, pasted);
        double left = 0, right = 0;
        for (size_t j = 0; j < entries; j++) left += (double)c.matrix[j] * m[j];
        for (size_t j = 0; j < inputs; j++) right += (double)c.x[j] * (pasted[j] - before[j]);
        assert_true(fabs(left - right) < 1e-4 * (1 + fabs(left)));
        free(m);
        free(pasted);
        free(before);
        cut_free(&c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_reads_what_taps_see),
        cmocka_unit_test(paste_is_the_transpose),
    };
    return cmocka_run_group_tests_name("patches", tests, NULL, NULL);
}
