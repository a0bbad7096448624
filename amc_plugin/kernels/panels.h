// Products of weights with patches of images that the caller has packed into panels right where it
// cut them out. OpenBLAS, which is faster for large matrices, copies both of its arguments again
// for each image; on layers of tens of channels this overtakes it.
//
// Each entry's sum runs over the depth in one fixed order: it doesn't depend on what else is
// computed with it.

#ifndef AMC_KERNELS_PANELS_H
#define AMC_KERNELS_PANELS_H

#include <stddef.h>

enum {
    AMC_PANELS_ROWS = 6,     // of the left matrix that are multiplied at a time
    AMC_PANELS_COLUMNS = 16, // of the right matrix in one panel
};

// Panels for so many columns.
static inline int amc_panels_for(int columns) {
    return (columns + AMC_PANELS_COLUMNS - 1) / AMC_PANELS_COLUMNS;
}

// result = left * right. left: (rows, depth); right: `panels` panels of (depth,
// AMC_PANELS_COLUMNS); result: (rows, panels * AMC_PANELS_COLUMNS).
void amc_panels_product(int rows, int panels, int depth, const float *left, const float *right,
                        float *result);

// result += left * right.
void amc_panels_add_product(int rows, int panels, int depth, const float *left, const float *right,
                            float *result);

#endif
