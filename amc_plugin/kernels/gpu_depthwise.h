// Depthwise convolution on the GPU: each channel has one filter of its own.
//
// x (batch, c, h, w), y (batch, c, out_h, out_w), weights (c, size, size), all in the GPU's memory.
// Sums have a fixed order. cuBLAS and cuDNN run these as one tiny product a channel.

#ifndef AMC_KERNELS_GPU_DEPTHWISE_H
#define AMC_KERNELS_GPU_DEPTHWISE_H

typedef struct amc_depthwise_shape {
    int batch, c, h, w, out_h, out_w;
    int size, stride, pad;
} amc_depthwise_shape;

#ifdef __cplusplus
extern "C" {
#endif

// y <- weights * x
void amc_gpu_depthwise_forward(amc_depthwise_shape s, const float *x, const float *weights,
                               float *y);

// dx += the gradient by x, from dy, that by y
void amc_gpu_depthwise_input(amc_depthwise_shape s, const float *weights, const float *dy,
                             float *dx);

// dweights += the gradient by the weights
void amc_gpu_depthwise_weights(amc_depthwise_shape s, const float *x, const float *dy,
                               float *dweights);

#ifdef __cplusplus
}
#endif

#endif
