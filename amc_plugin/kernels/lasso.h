// The LASSO's path (Tibshirani 1996) by coordinate descent.

#ifndef AMC_KERNELS_LASSO_H
#define AMC_KERNELS_LASSO_H

// What n contributions, each times a factor b, explain of their sum:
//
//     minimise 1/2 (1 - b)^T A (1 - b) + lambda * |b|_1
//
// for lambda from 0, where all b are 1, to where all are 0. last: (n) gets, of each contribution,
// the largest lambda (of a geometric grid) at which its factor isn't 0: larger is more important.
// products: (n, n) A, symmetric, not negative.
void amc_lasso_path(const double *products, int n, double *last);

#endif
