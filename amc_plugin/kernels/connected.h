// A fully connected layer on a batch, forward. Its gradients are plain matrix products:
// amc_gemm_parallel.

#ifndef AMC_KERNELS_CONNECTED_H
#define AMC_KERNELS_CONNECTED_H

#include "kernels/activation.h"

// y[b][o] = finish(dot of x[b] (inputs) and w[o] (inputs)); x is (batch, inputs), w (outputs,
// inputs), y (batch, outputs). The order of each dot product's sum is fixed: a row of y doesn't
// depend on its batch or on the number of threads, to the last bit, which OpenBLAS doesn't promise.
void amc_connected_forward(int batch, int inputs, int outputs, const float *x, const float *w,
                           const amc_finish *finish, float *y);

#endif
