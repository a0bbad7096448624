#include "kernels/cholesky.h"

#include "base/memory.h"

#include <lapack.h>
#include <stdlib.h>

static double mean_diagonal(const float *square, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += square[(size_t)i * n + i];
    return sum / n;
}

double *amc_cholesky_new(const float *square, int n, double ridge) {
    double add = mean_diagonal(square, n) * ridge;
    if (!(add > 0)) return NULL;
    double *factor = amc_memory_alloc((size_t)n * n, sizeof *factor);
    for (int failed = 1; failed; add *= 10) {
        for (size_t i = 0; i < (size_t)n * n; i++) factor[i] = square[i];
        for (int i = 0; i < n; i++) factor[(size_t)i * n + i] += add;
        LAPACK_dpotrf("L", &n, factor, &n, &failed);
    }
    return factor;
}

void amc_cholesky_solve(const double *factor, int n, const float *right, int rows, float *to) {
    size_t count = (size_t)rows * n;
    double *solution = amc_memory_alloc(count, sizeof *solution); // a row is one of its columns
    int failed;
    for (size_t i = 0; i < count; i++) solution[i] = right[i];
    LAPACK_dpotrs("L", &n, &rows, factor, &n, solution, &n, &failed);
    for (size_t i = 0; i < count; i++) to[i] += (float)solution[i];
    free(solution);
}
