// The connected layer's product equals the reference, and a row of it doesn't depend on its batch.

#include "fill.h"
#include "kernels/connected.h"
#include "kernels/gemm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// batch, inputs, outputs
static const int shapes[][3] = {{1, 1, 1},     {3, 7, 2},      {5, 64, 10},
                                {33, 257, 65}, {2, 1000, 513}, {64, 490, 100}};

static void equals_reference_in_any_batch(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        int batch = shapes[i][0], in = shapes[i][1], out = shapes[i][2];
        float *x = fill_new((size_t)batch * in, 1), *w = fill_new((size_t)out * in, 2);
        float *y = fill_new((size_t)batch * out, 3), *expected = fill_new((size_t)batch * out, 4);
        amc_connected_forward(batch, in, out, x, w, NULL, y);
        amc_gemm_reference(false, true, batch, out, in, 1, x, in, w, in, 0, expected, out);
        assert_true(fill_difference(y, expected, (size_t)batch * out) < 1e-5);
        for (int b = 0; b < batch; b++)
            amc_connected_forward(1, in, out, x + (size_t)b * in, w, NULL, expected + b * out);
        assert_memory_equal(y, expected, (size_t)batch * out * sizeof(float));
        free(x);
        free(w);
        free(y);
        free(expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_reference_in_any_batch)};
    return cmocka_run_group_tests_name("connected", tests, NULL, NULL);
}
