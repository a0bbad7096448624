#include "kernels/least_squares.h"

#include "base/memory.h"
#include "kernels/cholesky.h"
#include "kernels/gemm.h"

#include <stdlib.h>
#include <string.h>

// The features that aren't kept; returns how many.
static int find_removed(int d, const int *kept, int n, int *removed) {
    int count = 0;
    for (int i = 0, k = 0; i < d; i++) {
        if (k < n && kept[k] == i)
            k++;
        else
            removed[count++] = i;
    }
    return count;
}

// The rows and columns of a matrix with d columns.
static float *gather(const float *matrix, int d, const int *rows, int n_rows, const int *columns,
                     int n_columns) {
    float *part = amc_memory_alloc((size_t)n_rows * n_columns, sizeof *part), *to = part;
    for (int i = 0; i < n_rows; i++) {
        const float *row = matrix + (size_t)(rows ? rows[i] : i) * d;
        for (int j = 0; j < n_columns; j++) *to++ = row[columns[j]];
    }
    return part;
}

// (filters, n): the moments of what the removed features contribute with each kept one.
static float *right_side(const float *moments, int d, const int *kept, int n, int filters,
                         const float *from) {
    int *removed = amc_memory_alloc((size_t)d, sizeof *removed);
    int n_removed = find_removed(d, kept, n, removed);
    float *weights = gather(from, d, NULL, filters, removed, n_removed);
    float *mixed = gather(moments, d, removed, n_removed, kept, n);
    float *right = amc_memory_alloc((size_t)filters * n, sizeof *right);
    amc_gemm(false, false, filters, n, n_removed, 1, weights, n_removed, mixed, n, 0, right, n);
    free(mixed);
    free(weights);
    free(removed);
    return right;
}

void amc_least_squares_regress(const float *moments, int d, const int *kept, int n, double ridge,
                               int filters, const float *from, float *to) {
    float *square = gather(moments, d, kept, n, kept, n);
    double *factor = amc_cholesky_new(square, n, ridge);
    if (factor) { // features that never vary explain nothing
        float *right = right_side(moments, d, kept, n, filters, from);
        amc_cholesky_solve(factor, n, right, filters, to);
        free(right);
    }
    free(factor);
    free(square);
}
