// Products of matrices that the caller has packed into panels, for convolutions: weights are packed
// once for all images, and patches of images are packed right where they are cut out. OpenBLAS,
// faster for large matrices, would copy both again for each image; here it is overtaken by a third
// and more on layers of tens of channels.
//
// Each entry's sum runs over the depth in one fixed order, so it doesn't depend on what else is
// computed with it.

#ifndef AMC_KERNELS_PANELS_H
#define AMC_KERNELS_PANELS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    AMC_PANELS_ROWS = 6,     // of the left matrix in one panel
    AMC_PANELS_COLUMNS = 16, // of the right matrix in one panel
};

// Panels for so many rows or columns.
static inline int amc_panels_over(int rows) {
    return (rows + AMC_PANELS_ROWS - 1) / AMC_PANELS_ROWS;
}
static inline int amc_panels_across(int columns) {
    return (columns + AMC_PANELS_COLUMNS - 1) / AMC_PANELS_COLUMNS;
}

// Packs the left matrix, (rows, depth), into amc_panels_over(rows) panels of (depth,
// AMC_PANELS_ROWS); missing rows are zeros.
void amc_panels_pack(int rows, int depth, const float *left, float *packed);

// result = left * right. left: packed, `rows` rows; right: amc_panels_across(columns) panels of
// (depth, AMC_PANELS_COLUMNS), whose last columns may hold anything; result: (rows, stride) with a
// stride of at least amc_panels_across(columns) * AMC_PANELS_COLUMNS floats.
void amc_panels_product(int rows, int columns, int depth, const float *left, const float *right,
                        float *result, size_t stride);

#endif
