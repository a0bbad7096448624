// What host_network keeps on the GPU: Darknet's arrays of a network that was parsed while a GPU was
// started. For host/ only; without GPU=1 nothing is there to be done.

#ifndef AMC_HOST_GPU_NETWORK_H
#define AMC_HOST_GPU_NETWORK_H

#include "model/weights_file.h"

#include <darknet.h>
#include <stdbool.h>

#ifdef GPU

// Whether the network computes on a GPU.
static inline bool amc_gpu_network_is(const network *net) {
    return net->gpu_index >= 0;
}

// Frees what only training needs. All layers then share one array for the copies of what they
// normalize, which only a backward pass would read.
void amc_gpu_network_strip(network *net);

// Frees what Darknet's free_network leaves behind.
void amc_gpu_network_clear(network *net);

// Copies the weights of the graph that the network computes to the GPU.
void amc_gpu_network_push(network *net, const amc_weights *weights);

// Copies a layer's output of the last forward pass to its `output`.
void amc_gpu_network_pull_output(const network *net, int layer);

// The forward pass of the calibrator (see there): input (batch, inputs); only normalization is in
// training mode.
void amc_gpu_network_normalize(const network *net, const float *input);

// Copies the means and variances that layer l's last batch had into `weights`, its own.
void amc_gpu_network_pull_statistics(const layer *l, amc_layer_weights *weights);

#else

static inline bool amc_gpu_network_is(const network *net) {
    (void)net;
    return false;
}

static inline void amc_gpu_network_strip(network *net) {
    (void)net;
}

static inline void amc_gpu_network_clear(network *net) {
    (void)net;
}

static inline void amc_gpu_network_push(network *net, const amc_weights *weights) {
    (void)net, (void)weights;
}

static inline void amc_gpu_network_pull_output(const network *net, int layer) {
    (void)net, (void)layer;
}

static inline void amc_gpu_network_normalize(const network *net, const float *input) {
    (void)net, (void)input;
}

static inline void amc_gpu_network_pull_statistics(const layer *l, amc_layer_weights *weights) {
    (void)l, (void)weights;
}

#endif

#endif
