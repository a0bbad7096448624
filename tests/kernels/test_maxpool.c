// Max pooling equals Darknet's own loops, on padded, clipped and overlapping windows.

#include "fill.h"
#include "kernels/maxpool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <maxpool_layer.h>

enum { BATCH = 3, C = 5 };

// h, w, size, stride, padding
static const int shapes[][5] = {
    {28, 28, 2, 2, 0}, {14, 14, 2, 2, 0}, {4, 38, 2, 2, 0}, {7, 9, 2, 2, 1}, {13, 13, 2, 1, 1},
    {14, 15, 3, 2, 2}, {6, 6, 3, 3, 0},   {5, 4, 5, 1, 4},  {8, 8, 2, 2, 1}, {1, 1, 1, 1, 0}};

static void equals_darknet(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int *s = shapes[i];
        layer l = make_maxpool_layer(BATCH, s[0], s[1], C, s[2], s[3], s[4]);
        amc_maxpool_shape shape = {l.h, l.w, l.out_h, l.out_w, l.size, l.stride, -l.pad / 2};
        size_t in = (size_t)BATCH * l.inputs, out = (size_t)BATCH * l.outputs;
        network net = {.input = fill_new(in, 1), .delta = fill_new(in, 2)};
        float *y = fill_new(out, 3), *dx = fill_new(in, 2), *dy = fill_new(out, 4);
        int *indexes = amc_memory_alloc(out, sizeof *indexes);
        memcpy(l.delta, dy, out * sizeof *dy);
        for (size_t j = 0; j < in; j += 3) net.input[j] = 0.25f; // ties
        forward_maxpool_layer(l, net);
        backward_maxpool_layer(l, net);
        amc_maxpool_forward(&shape, BATCH * C, net.input, y, indexes);
        amc_maxpool_backward(&shape, BATCH * C, indexes, dy, dx);
        assert_memory_equal(y, l.output, out * sizeof *y);
        assert_memory_equal(indexes, l.indexes, out * sizeof *indexes);
        assert_memory_equal(dx, net.delta, in * sizeof *dx);
        free(net.input);
        free(net.delta);
        free(y);
        free(dx);
        free(dy);
        free(indexes);
        free_layer(l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_darknet)};
    return cmocka_run_group_tests_name("maxpool", tests, NULL, NULL);
}
