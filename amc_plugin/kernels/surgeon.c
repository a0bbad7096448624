#include "kernels/surgeon.h"

#include "base/memory.h"
#include "kernels/cholesky.h"

#include <cblas.h>
#include <lapack.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct amc_surgeon {
    int d, filters;
    double *inverse; // (d, d) of the moments of the features that are left; 0 for the others
    double *weights; // (d, filters) a feature's weights in all filters, 0 for the others
};

// LAPACK's lower triangle of columns is the upper one here.
double *amc_surgeon_invert(const float *moments, int d, double ridge) {
    double *inverse = amc_cholesky_new(moments, d, ridge);
    if (!inverse) { // features that never vary: all cost the same but for their weights
        inverse = amc_memory_alloc((size_t)d * d, sizeof *inverse);
        for (int i = 0; i < d; i++) inverse[(size_t)i * d + i] = 1;
        return inverse;
    }
    int failed;
    LAPACK_dpotri("L", &d, inverse, &d, &failed);
    for (int i = 0; i < d; i++)
        for (int j = 0; j < i; j++) inverse[(size_t)i * d + j] = inverse[(size_t)j * d + i];
    return inverse;
}

amc_surgeon *amc_surgeon_new(const float *moments, int d, double ridge, int filters,
                             const double *factors, const float *weights) {
    amc_surgeon *s = amc_memory_alloc(1, sizeof *s);
    s->d = d;
    s->filters = filters;
    s->inverse = amc_surgeon_invert(moments, d, ridge);
    s->weights = amc_memory_alloc((size_t)d * filters, sizeof *s->weights);
    for (int f = 0; f < filters; f++)
        for (int i = 0; i < d; i++)
            s->weights[(size_t)i * filters + f] = factors[f] * weights[(size_t)f * d + i];
    return s;
}

void amc_surgeon_free(amc_surgeon *surgeon) {
    if (!surgeon) return;
    free(surgeon->inverse);
    free(surgeon->weights);
    free(surgeon);
}

// Solves P_BB x = right, (n, columns), in place, where B are the features.
static void solve(const amc_surgeon *s, const int *features, int n, int columns, double *right) {
    double *block = amc_memory_alloc((size_t)n * n, sizeof *block);
    double *turned = amc_memory_alloc((size_t)n * columns, sizeof *turned);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            block[i * n + j] = s->inverse[(size_t)features[i] * s->d + features[j]];
    for (int i = 0; i < n; i++)
        for (int k = 0; k < columns; k++)
            turned[(size_t)k * n + i] = right[(size_t)i * columns + k];
    int failed; // only of a matrix that rounding has made of no use, then nothing is made up for
    LAPACK_dposv("L", &n, &columns, block, &n, turned, &n, &failed);
    for (int i = 0; i < n; i++)
        for (int k = 0; k < columns; k++)
            right[(size_t)i * columns + k] = failed ? 0 : turned[(size_t)k * n + i];
    free(turned);
    free(block);
}

// The sum over filters of w_B^T P_BB^-1 w_B, as a trace.
double amc_surgeon_cost(const amc_surgeon *surgeon, const int *features, int n) {
    int filters = surgeon->filters;
    double *squares = amc_memory_alloc((size_t)n * n, sizeof *squares), cost = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            squares[i * n + j] =
                cblas_ddot(filters, surgeon->weights + (size_t)features[i] * filters, 1,
                           surgeon->weights + (size_t)features[j] * filters, 1);
    solve(surgeon, features, n, n, squares);
    for (int i = 0; i < n; i++) cost += squares[i * n + i];
    free(squares);
    return cost;
}

// Rows of a matrix.
static double *rows_of(const double *matrix, int columns, const int *rows, int n) {
    double *part = amc_memory_alloc((size_t)n * columns, sizeof *part);
    for (int i = 0; i < n; i++)
        memcpy(part + (size_t)i * columns, matrix + (size_t)rows[i] * columns,
               (size_t)columns * sizeof *part);
    return part;
}

// matrix (d, columns) -= P_:B P_BB^-1 matrix_B; its rows B become 0. across: (n, d) is P_B:.
static void eliminate(const amc_surgeon *s, const int *features, int n, const double *across,
                      int columns, double *matrix) {
    double *right = rows_of(matrix, columns, features, n);
    solve(s, features, n, columns, right);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, s->d, columns, n, -1, across, s->d, right,
                columns, 1, matrix, columns);
    for (int i = 0; i < n; i++)
        memset(matrix + (size_t)features[i] * columns, 0, (size_t)columns * sizeof *matrix);
    free(right);
}

void amc_surgeon_remove(amc_surgeon *surgeon, const int *features, int n) {
    int d = surgeon->d;
    double *across = rows_of(surgeon->inverse, d, features, n);
    eliminate(surgeon, features, n, across, surgeon->filters, surgeon->weights);
    eliminate(surgeon, features, n, across, d, surgeon->inverse);
    for (int i = 0; i < d; i++)
        for (int j = 0; j < n; j++) surgeon->inverse[(size_t)i * d + features[j]] = 0;
    free(across);
}
