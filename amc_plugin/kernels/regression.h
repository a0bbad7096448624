// Linear regression of many filters on the same samples, also through an activation.

#ifndef AMC_KERNELS_REGRESSION_H
#define AMC_KERNELS_REGRESSION_H

#include <stdbool.h>

typedef struct amc_regression amc_regression;

// Prepares for fitting to x (n, d), n samples of what filters read, which is borrowed and loses its
// columns' means. ridge: a share of the features' mean variance, ten times as much where rounding
// leaves no Cholesky factorization. sparse: weights that are zero stay so.
amc_regression *amc_regression_new(float *x, int n, int d, double ridge, bool sparse);
void amc_regression_free(amc_regression *regression);

// Changes filters so that what they compute comes nearer to y (n, filters). For each filter w,
//
//     minimise mean_i (y_i - (w + v) x_i - b)^2 + ridge * |v|^2,    then   w += v.
//
// weights: (filters, d); intercepts: (filters), which gets b. y becomes what they compute.
void amc_regression_fit(const amc_regression *regression, float *y, int filters, float *weights,
                        float *intercepts);

// The same, but what has to come near is what an activation makes of it: max(s, slope s) of sums s;
// slope from 0 to 1. How far below zero a sum is hardly matters then, and filters are free to be
// right elsewhere (the nonlinear reconstruction of Zhang et al. 2015, "Efficient and accurate
// approximations of nonlinear convolutional networks", eq. 7: turns of choosing sums that give the
// right activations near those that there are, and fitting to these). added: (n, filters) is added
// to what the filters compute before the activation, y includes it at first, and not in the end;
// NULL: nothing is.
void amc_regression_fit_activated(const amc_regression *regression, float *y, int filters,
                                  float slope, const float *added, float *weights,
                                  float *intercepts);

#endif
