#include "kernels/regression.h"

#include "base/memory.h"
#include "kernels/cholesky.h"
#include "kernels/gemm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct amc_regression {
    const float *x; // (n, d), less their means
    int n, d;
    double *means; // (d)
    double ridge;
    float *moments; // (d, d) of which each filter takes those of its weights; NULL: all do
    double *factor; // (d, d) of the moments; NULL where filters take some, or if they never vary
};

// Turns of fitting through an activation, and what a sum's distance from the one before costs there
// to what the activation's error does.
enum { TURNS = 8 };
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

amc_regression *amc_regression_new(float *x, int n, int d, double ridge, bool sparse) {
    amc_regression *r = amc_memory_alloc(1, sizeof *r);
    float *moments = amc_memory_alloc((size_t)d * d, sizeof *moments);
    double *means = amc_memory_alloc((size_t)d, sizeof *means);
    centre(x, n, d, means);
    amc_gemm_parallel(true, false, d, d, n, 1.f / (float)n, x, d, x, d, 0, moments, d);
    *r = (amc_regression){x, n, d, means, ridge, moments, NULL};
    if (sparse) return r;
    r->factor = amc_cholesky_new(moments, d, ridge);
    r->moments = NULL;
    free(moments);
    return r;
}

void amc_regression_free(amc_regression *regression) {
    if (!regression) return;
    free(regression->means);
    free(regression->moments);
    free(regression->factor);
    free(regression);
}

// What is known while filters are fitted to one target after another.
typedef struct fitting {
    const amc_regression *r;
    int filters;
    float *weights; // (filters, d)
    float *steps;   // (filters, d), to the weights; scratch
    double *means;  // (filters) of the fitted
    double *rises;  // (filters), to the means; scratch
    float *fitted;  // (n, filters), what means and weights make of x
} fitting;

// fitted += x weights^T.
static void add_sums(fitting *f, const float *weights) {
    amc_gemm_parallel(false, true, f->r->n, f->filters, f->r->d, 1, f->r->x, f->r->d, weights,
                      f->r->d, 1, f->fitted, f->filters);
}

static fitting start(const amc_regression *r, int filters, float *weights) {
    fitting f = {.r = r, .filters = filters, .weights = weights};
    f.steps = amc_memory_alloc((size_t)filters * r->d, sizeof *f.steps);
    f.means = amc_memory_alloc((size_t)filters, sizeof *f.means);
    f.rises = amc_memory_alloc((size_t)filters, sizeof *f.rises);
    f.fitted = amc_memory_alloc((size_t)r->n * filters, sizeof *f.fitted);
    add_sums(&f, weights);
    return f;
}

// The step of one filter's weights but for those that are zero, of what all could explain (d).
static void solve_sparse(const amc_regression *r, const float *weights, const float *right,
                         float *step) {
    int d = r->d, n = 0, *kept = amc_memory_alloc((size_t)d, sizeof *kept);
    for (int j = 0; j < d; j++)
        if (weights[j] != 0) kept[n++] = j;
    float *moments = amc_memory_alloc((size_t)n * n, sizeof *moments);
    float *values = amc_memory_alloc(2 * (size_t)n, sizeof *values), *found = values + n;
    for (int i = 0; i < n; i++) {
        values[i] = right[kept[i]];
        for (int j = 0; j < n; j++) moments[i * n + j] = r->moments[kept[i] * d + kept[j]];
    }
    double *factor = n ? amc_cholesky_new(moments, n, r->ridge) : NULL;
    if (factor) amc_cholesky_solve(factor, n, values, 1, found);
    for (int i = 0; i < n; i++) step[kept[i]] = found[i];
    free(factor);
    free(values);
    free(moments);
    free(kept);
}

// The steps that explain most of the residuals (n, filters).
static void solve(fitting *f, const float *residuals) {
    const amc_regression *r = f->r;
    size_t count = (size_t)f->filters * r->d, d = (size_t)r->d;
    memset(f->steps, 0, count * sizeof *f->steps);
    if (!r->factor && !r->moments) return;
    float *right = amc_memory_alloc(count, sizeof *right);
    amc_gemm_parallel(true, false, f->filters, r->d, r->n, 1.f / (float)r->n, residuals, f->filters,
                      r->x, r->d, 0, right, r->d);
    if (r->factor) amc_cholesky_solve(r->factor, r->d, right, f->filters, f->steps);
#pragma omp parallel for schedule(dynamic) if (r->moments)
    for (int o = 0; o < (r->moments ? f->filters : 0); o++)
        solve_sparse(r, f->weights + o * d, right + o * d, f->steps + o * d);
    free(right);
}

// Fits to the targets (n, filters), which become residuals: what was fitted before is known, so
// that a turn takes two products of x, not three.
static void fit_to(fitting *f, float *targets) {
    ptrdiff_t count = (ptrdiff_t)f->r->n * f->filters;
    for (ptrdiff_t i = 0; i < count; i++) targets[i] -= f->fitted[i];
    centre(targets, f->r->n, f->filters, f->rises);
    solve(f, targets);
    for (ptrdiff_t i = 0; i < count; i++) f->fitted[i] += (float)f->rises[i % f->filters];
    add_sums(f, f->steps);
    for (int o = 0; o < f->filters; o++) f->means[o] += f->rises[o];
    for (ptrdiff_t i = 0; i < (ptrdiff_t)f->filters * f->r->d; i++) f->weights[i] += f->steps[i];
}

static void finish(fitting *f, float *y, float *intercepts) {
    const amc_regression *r = f->r;
    memcpy(y, f->fitted, (size_t)r->n * f->filters * sizeof *y);
    for (int o = 0; o < f->filters; o++) {
        double above = f->means[o];
        for (int j = 0; j < r->d; j++) above -= f->weights[(size_t)o * r->d + j] * r->means[j];
        intercepts[o] = (float)above;
    }
    free(f->steps);
    free(f->means);
    free(f->rises);
    free(f->fitted);
}

void amc_regression_fit(const amc_regression *r, float *y, int filters, float *weights,
                        float *intercepts) {
    fitting f = start(r, filters, weights);
    fit_to(&f, y);
    finish(&f, y, intercepts);
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

// Less what is added.
static void take_away(float *y, const float *added, ptrdiff_t count) {
    for (ptrdiff_t i = 0; i < count && added; i++) y[i] -= added[i];
}

void amc_regression_fit_activated(const amc_regression *r, float *y, int filters, float slope,
                                  const float *added, float *weights, float *intercepts) {
    ptrdiff_t count = (ptrdiff_t)r->n * filters;
    float *wanted = amc_memory_alloc((size_t)count, sizeof *wanted);
    for (ptrdiff_t i = 0; i < count; i++) wanted[i] = activated(y[i], slope);
    fitting f = start(r, filters, weights);
    take_away(y, added, count);
    fit_to(&f, y);
    for (int turn = 0; turn < TURNS; turn++) {
#pragma omp parallel for schedule(static)
        for (ptrdiff_t i = 0; i < count; i++)
            y[i] = best_sum(wanted[i], f.fitted[i] + (added ? added[i] : 0), slope);
        take_away(y, added, count);
        fit_to(&f, y);
    }
    finish(&f, y, intercepts);
    free(wanted);
}
