#include "kernels/least_squares.h"

#include "base/memory.h"
#include "kernels/gemm.h"

#include <lapack.h>
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

static void to_double(const float *from, size_t n, double *to) {
    for (size_t i = 0; i < n; i++) to[i] = from[i];
}

static double mean_diagonal(const float *square, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += square[(size_t)i * n + i];
    return sum / n;
}

// Solves (square + ridge) v = right for each row of right (filters, n), and adds v to `to`.
static void solve(const float *square, const float *right, int n, double ridge, int filters,
                  float *to) {
    double *factor = amc_memory_alloc((size_t)n * n, sizeof *factor);
    double *solution = amc_memory_alloc((size_t)filters * n, sizeof *solution);
    double add = mean_diagonal(square, n) * ridge;
    int failed = add > 0; // features that never vary explain nothing
    while (failed) {
        to_double(square, (size_t)n * n, factor);
        to_double(right, (size_t)filters * n, solution);
        for (int i = 0; i < n; i++) factor[(size_t)i * n + i] += add;
        LAPACK_dposv("L", &n, &filters, factor, &n, solution, &n, &failed); // rows: its columns
        add *= 10;
    }
    for (size_t i = 0; i < (size_t)filters * n; i++) to[i] += (float)solution[i];
    free(solution);
    free(factor);
}

void amc_least_squares_regress(const float *moments, int d, const int *kept, int n, double ridge,
                               int filters, const float *from, float *to) {
    float *square = gather(moments, d, kept, n, kept, n);
    float *right = right_side(moments, d, kept, n, filters, from);
    solve(square, right, n, ridge, filters, to);
    free(right);
    free(square);
}

// Takes the mean from each column of x (n, d); returns them, new memory.
static double *centre(float *x, int n, int d) {
    double *means = amc_memory_alloc((size_t)d, sizeof *means);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < d; j++) means[j] += x[(size_t)i * d + j];
    for (int j = 0; j < d; j++) means[j] /= n;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < d; j++) x[(size_t)i * d + j] -= (float)means[j];
    return means;
}

void amc_least_squares_fit(float *x, float *y, int n, int d, int filters, double ridge,
                           float *weights, float *intercepts) {
    float *square = amc_memory_alloc((size_t)d * d, sizeof *square);
    float *right = amc_memory_alloc((size_t)filters * d, sizeof *right);
    double *mean_x = centre(x, n, d), *mean_y = centre(y, n, filters);
    /* y <- y - x w^T */
    amc_gemm_parallel(false, true, n, filters, d, -1, x, d, weights, d, 1, y, filters);
    amc_gemm_parallel(true, false, d, d, n, 1.f / (float)n, x, d, x, d, 0, square, d);
    amc_gemm_parallel(true, false, filters, d, n, 1.f / (float)n, y, filters, x, d, 0, right, d);
    solve(square, right, d, ridge, filters, weights);
    for (int f = 0; f < filters; f++) {
        double above = mean_y[f];
        for (int j = 0; j < d; j++) above -= weights[(size_t)f * d + j] * mean_x[j];
        intercepts[f] = (float)above;
    }
    free(mean_y);
    free(mean_x);
    free(right);
    free(square);
}
