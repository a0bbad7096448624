// Batch normalization in training on the GPU, with the activation, by Darknet's formulas: the
// variance's denominator is count - 1, everything is divided by sqrt(variance + 1e-5), rolling
// averages take 1% of each batch. All blocks of the GPU share a channel's sums, whose order is
// fixed.
//
// x, y, delta (batch, c, pixels), the arrays of amc_gpu_batchnorm (c), all in the GPU's memory.
// Calls go to the default stream, one thread at a time.

#ifndef AMC_KERNELS_GPU_BATCHNORM_H
#define AMC_KERNELS_GPU_BATCHNORM_H

typedef struct amc_gpu_batchnorm {
    const float *scales, *biases;
    float *mean, *variance;                 // of this batch
    float *rolling_mean, *rolling_variance; // what inference uses
    float *scale_updates, *bias_updates;    // gradients are added here; only backward needs them
    float *sums;                            // (2 c), of backward; what was there is lost
} amc_gpu_batchnorm;

typedef struct amc_gpu_batch {
    int batch, c, pixels;
    float slope; // of the activation below 0: 0 for relu, 0.1 for leaky, 1 for linear
} amc_gpu_batch;

#ifdef __cplusplus
extern "C" {
#endif

// y <- act(normalised x); sets mean and variance, moves the rolling ones. y may not be x.
void amc_gpu_batchnorm_forward(const amc_gpu_batchnorm *bn, amc_gpu_batch s, const float *x,
                               float *y);

// delta, the gradient by forward's y, becomes that by its x.
void amc_gpu_batchnorm_backward(const amc_gpu_batchnorm *bn, amc_gpu_batch s, const float *x,
                                const float *y, float *delta);

#ifdef __cplusplus
}
#endif

#endif
