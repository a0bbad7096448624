// Products with packed panels equal the reference, for every number of rows that a block can have
// and for sums in one piece and in several.

#include "fill.h"
#include "kernels/gemm.h"
#include "kernels/panels.h"
#include "widths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void check(int rows, int panels, int depth) {
    int columns = panels * AMC_PANELS_COLUMNS;
    float *left = fill_new((size_t)rows * depth, 1), *right = fill_new((size_t)depth * columns, 2);
    float *packed = amc_memory_alloc((size_t)depth * columns, sizeof *packed);
    float *result = fill_new((size_t)rows * columns, 3),
          *expected = fill_new((size_t)rows * columns, 4);
    for (int p = 0; p < depth; p++) {
        for (int j = 0; j < columns; j++)
            packed[(j / AMC_PANELS_COLUMNS * depth + p) * AMC_PANELS_COLUMNS +
                   j % AMC_PANELS_COLUMNS] = right[p * columns + j];
    }
    amc_panels_product(rows, panels, depth, left, packed, result);
    amc_gemm_reference(false, false, rows, columns, depth, 1, left, depth, right, columns, 0,
                       expected, columns);
    assert_true(fill_difference(result, expected, (size_t)rows * columns) < 1e-5);
    ASSERT_SAME_WITH_ANY_WIDTH(result, (size_t)rows * columns,
                               amc_panels_product(rows, panels, depth, left, packed, result));
    free(left);
    free(right);
    free(packed);
    free(result);
    free(expected);
}

static void equals_reference(void **state) {
    (void)state;
    static const int depths[] = {1, 9, 27, 768, 769, 2000};
    for (int rows = 1; rows <= 2 * AMC_PANELS_ROWS + 1; rows++) {
        for (int i = 0; i < 6; i++) check(rows, 1 + i % 3, depths[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(equals_reference)};
    return cmocka_run_group_tests_name("panels", tests, NULL, NULL);
}
