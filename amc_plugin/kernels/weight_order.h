// Optimal Brain Surgeon (see surgeon.h) for the single weights of one filter, which go one by one.

#ifndef AMC_KERNELS_WEIGHT_ORDER_H
#define AMC_KERNELS_WEIGHT_ORDER_H

// Takes away a filter's weights (d), always the one whose absence costs least when those that are
// left make up for it, until none is left. inverse: (d, d), amc_surgeon_invert of the moments of
// what the filter reads. cost (d): by how much the mean squared error had grown at most in one of
// the steps up to the weight's own; so weights that go earlier never cost more.
void amc_weight_order_cost(const double *inverse, int d, const float *weights, double *cost);

#endif
