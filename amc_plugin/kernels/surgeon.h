// Optimal Brain Surgeon (Hassibi and Stork, 1993) for linear filters: what removing features costs
// when the filters' other weights make up for it as well as they can, and the weights that do.

#ifndef AMC_KERNELS_SURGEON_H
#define AMC_KERNELS_SURGEON_H

typedef struct amc_surgeon amc_surgeon;

// (moments + ridge)^-1, both (d, d): moments as least_squares.h has them, `ridge` a share of their
// mean, ten times as much where rounding leaves no Cholesky factorization otherwise; 1 for moments
// that are of no use, so that all features cost the same but for their weights. New memory.
double *amc_surgeon_invert(const float *moments, int d, double ridge);

// weights: (filters, d), each filter taken times its factor. moments, ridge: see
// amc_surgeon_invert.
amc_surgeon *amc_surgeon_new(const float *moments, int d, double ridge, int filters,
                             const double *factors, const float *weights);
void amc_surgeon_free(amc_surgeon *surgeon);

// By how much the mean squared error of all filters would grow without these n features, none of
// which has been removed.
double amc_surgeon_cost(const amc_surgeon *surgeon, const int *features, int n);

// Removes them.
void amc_surgeon_remove(amc_surgeon *surgeon, const int *features, int n);

#endif
