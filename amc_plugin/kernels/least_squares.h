// Linear regression from second moments that were summed once.

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

#endif
