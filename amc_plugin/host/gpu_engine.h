// What computes convolutions on the GPU: cuBLAS (gpu_engine_cublas.c), or cuDNN where the binary is
// built with CUDNN=1 (gpu_engine_cudnn.c).
//
// For host/gpu_layers only. All pointers of layers and networks are to the GPU's memory; what fails
// ends the process by Darknet's error().

#ifndef AMC_HOST_GPU_ENGINE_H
#define AMC_HOST_GPU_ENGINE_H

#include <darknet.h>

// Bytes of the network's workspace that a layer needs for its batch.
size_t amc_gpu_engine_workspace(const layer *l);

// y (batch, n, out_h, out_w) <- the sums of the filters over net->input_gpu (batch, c, h, w).
void amc_gpu_engine_convolve(const layer *l, const network *net, float *y);

// From dy, the gradient by these sums, adds to weight_updates_gpu and, if it's wanted,
// net->delta_gpu.
void amc_gpu_engine_add_gradients(const layer *l, const network *net, float *dy);

#endif
