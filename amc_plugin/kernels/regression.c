#include "kernels/regression.h"

#include "base/memory.h"
#include "kernels/cholesky.h"
#include "kernels/gemm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

struct amc_regression {
    const float *x; // (n, d), less their means
    int n, d;
    double *means;  // (d)
    double *factor; // (d, d) of their moments; NULL if they never vary
};

// Turns of fitting through an activation, and what a sum's distance from the one before costs there
// to what the activation's error does.
enum { TURNS = 15 };
#define NEAR 0.1f

// Takes the means from the columns of a matrix (n, d); means: (d).
static void centre(float *matrix, int n, int d, double *means) {
    for (int j = 0; j < d; j++) means[j] = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < d; j++) means[j] += matrix[(size_t)i * d + j];
    for (int j = 0; j < d; j++) means[j] /= n;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < d; j++) matrix[(size_t)i * d + j] -= (float)means[j];
}

amc_regression *amc_regression_new(float *x, int n, int d, double ridge) {
    amc_regression *r = amc_memory_alloc(1, sizeof *r);
    float *square = amc_memory_alloc((size_t)d * d, sizeof *square);
    *r = (amc_regression){x, n, d, amc_memory_alloc((size_t)d, sizeof *r->means), NULL};
    centre(x, n, d, r->means);
    amc_gemm_parallel(true, false, d, d, n, 1.f / (float)n, x, d, x, d, 0, square, d);
    r->factor = amc_cholesky_new(square, d, ridge);
    free(square);
    return r;
}

void amc_regression_free(amc_regression *regression) {
    if (!regression) return;
    free(regression->means);
    free(regression->factor);
    free(regression);
}

// y += scale * x weights^T.
static void add_sums(const amc_regression *r, float scale, const float *weights, int filters,
                     float *y) {
    amc_gemm_parallel(false, true, r->n, filters, r->d, scale, r->x, r->d, weights, r->d, 1, y,
                      filters);
}

// Adds to the weights what explains most of the residuals (n, filters).
static void explain(const amc_regression *r, const float *residuals, int filters, float *weights) {
    if (!r->factor) return;
    float *right = amc_memory_alloc((size_t)filters * r->d, sizeof *right);
    amc_gemm_parallel(true, false, filters, r->d, r->n, 1.f / (float)r->n, residuals, filters, r->x,
                      r->d, 0, right, r->d);
    amc_cholesky_solve(r->factor, r->d, right, filters, weights);
    free(right);
}

void amc_regression_fit(const amc_regression *r, float *y, int filters, float *weights,
                        float *intercepts) {
    double *means = amc_memory_alloc((size_t)filters, sizeof *means);
    centre(y, r->n, filters, means);
    add_sums(r, -1, weights, filters, y);
    explain(r, y, filters, weights);
    for (int i = 0; i < r->n; i++)
        for (int f = 0; f < filters; f++) y[(size_t)i * filters + f] = (float)means[f];
    add_sums(r, 1, weights, filters, y);
    for (int f = 0; f < filters; f++) {
        double above = means[f];
        for (int j = 0; j < r->d; j++) above -= weights[(size_t)f * r->d + j] * r->means[j];
        intercepts[f] = (float)above;
    }
    free(means);
}

static float activated(float sum, float slope) {
    return sum > 0 ? sum : slope * sum;
}

// What it costs to have `sum` where the activation should be `wanted` and the sum was `fitted`.
static float cost(float sum, float wanted, float fitted, float slope) {
    float error = activated(sum, slope) - wanted, away = sum - fitted;
    return error * error + NEAR * away * away;
}

// The sum that costs least: the better one of those on either side of zero.
static float best_sum(float wanted, float fitted, float slope) {
    float above = (wanted + NEAR * fitted) / (1 + NEAR);
    float below = (slope * wanted + NEAR * fitted) / (slope * slope + NEAR);
    if (above < 0) above = 0;
    if (below > 0) below = 0;
    bool up = cost(above, wanted, fitted, slope) <= cost(below, wanted, fitted, slope);
    return up ? above : below;
}

void amc_regression_fit_activated(const amc_regression *r, float *y, int filters, float slope,
                                  float *weights, float *intercepts) {
    ptrdiff_t count = (ptrdiff_t)r->n * filters;
    float *wanted = amc_memory_alloc((size_t)count, sizeof *wanted);
    for (ptrdiff_t i = 0; i < count; i++) wanted[i] = activated(y[i], slope);
    amc_regression_fit(r, y, filters, weights, intercepts);
    for (int turn = 0; turn < TURNS; turn++) {
#pragma omp parallel for schedule(static)
        for (ptrdiff_t i = 0; i < count; i++) y[i] = best_sum(wanted[i], y[i], slope);
        amc_regression_fit(r, y, filters, weights, intercepts);
    }
    free(wanted);
}
