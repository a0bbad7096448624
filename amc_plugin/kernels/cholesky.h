// Systems of equations with a symmetric matrix of moments, which is made definite by a ridge.

#ifndef AMC_KERNELS_CHOLESKY_H
#define AMC_KERNELS_CHOLESKY_H

// The Cholesky factor (n, n) of square (n, n) with a ridge on its diagonal: that share of the mean
// diagonal, or ten times as much, and so on, where rounding leaves no factorization. NULL if the
// diagonal is 0.
double *amc_cholesky_new(const float *square, int n, double ridge);

// Adds to each row of `to` (rows, n) the solution for that row of right (rows, n).
void amc_cholesky_solve(const double *factor, int n, const float *right, int rows, float *to);

#endif
