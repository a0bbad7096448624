// Layers on the GPU where Darknet's own code, without cuDNN, is slow or wrong:
//
// - Convolutions take as many images a call as fit in the workspace, by host/gpu_engine, where
//   Darknet takes one image, and one group, at a time. That mends the two faults its CPU code has
//   as well: a 1x1 convolution ignored stride and padding, and its backward pass overwrote what
//   shortcuts and routes had added to its input's delta.
// - Depthwise convolutions, and batch normalization in training, have kernels of our own, which
//   share a channel among blocks.
// - Crop, which changed its input, took it for three channels and cut between pixels: outside
//   training it is computed on the CPU.
//
// For host/hooks only; without GPU=1 nothing is there to be done.

#ifndef AMC_HOST_GPU_LAYERS_H
#define AMC_HOST_GPU_LAYERS_H

#include <darknet.h>

#ifdef GPU

// Gives a new convolutional layer, neither binary nor xnor, these passes, if a GPU is started.
void amc_gpu_layers_convolve(layer *l);

#else

static inline void amc_gpu_layers_convolve(layer *l) {
    (void)l;
}

#endif

#endif
