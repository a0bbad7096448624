// Linear regression: from second moments that were summed once, or from samples.

#ifndef AMC_KERNELS_LEAST_SQUARES_H
#define AMC_KERNELS_LEAST_SQUARES_H

// Filters that read `d` features lose all but the `n` features `kept` (in rising order): what the
// others contributed is regressed onto the kept ones. For each filter w,
//
//     minimise E|w_R x_R - v x_S|^2 + ridge * |v|^2,    then   w_S += v,
//
// where S are the kept features, R the others, and the ridge is `ridge` times the mean moment of a
// kept feature. moments: (d, d), E[x x^T], symmetric; those of centred features make it a
// regression with an intercept. from: (filters, d); to: (filters, n), which holds from's kept
// columns and gets the sums. Solved in double by LAPACK's Cholesky factorization; where rounding
// leaves the matrix without one, with ten times the ridge.
void amc_least_squares_regress(const float *moments, int d, const int *kept, int n, double ridge,
                               int filters, const float *from, float *to);

// Filters are changed so that what they compute comes nearer to what it should be. For each filter
// w over n samples x_i, whose targets are y_i, both less their means,
//
//     minimise sum_i (y_i - (w + v) x_i)^2 / n + ridge * |v|^2,    then   w += v,
//
// with the ridge as above. x: (n, d) and y: (n, filters), which are overwritten; weights: (filters,
// d); intercepts: (filters), by how much the targets then lie above w x in the mean. Where rounding
// leaves no factorization, with ten times the ridge.
void amc_least_squares_fit(float *x, float *y, int n, int d, int filters, double ridge,
                           float *weights, float *intercepts);

#endif
