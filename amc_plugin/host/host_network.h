// One Darknet network stripped to what a forward pass needs, whose channel counts and weights can
// be rewritten in place. What host_model and calibrator are built on; for host/ only.

#ifndef AMC_HOST_HOST_NETWORK_H
#define AMC_HOST_HOST_NETWORK_H

#include "model/layer_graph.h"
#include "model/weights_file.h"

#include <stdbool.h>

#include <darknet.h>

// Whether the layer copies what it normalizes to `x`, and has means and variances.
static inline bool amc_host_network_normalizes(const layer *l) {
    return l->batch_normalize || l->type == BATCHNORM;
}

// Parses the .cfg at `path` (whose checked graph is `graph`) with Darknet, silently, for `batch`
// images at a time, and frees what only training needs. It has no weights: call apply before a
// forward pass. Redirects stderr meanwhile, so no other thread should print. NULL with err set if
// the file can't be read, names a tree or map of classes (Darknet would read those files
// unchecked), or Darknet makes something else of it than the graph says. Where a GPU was chosen
// (see gpu.h), it is started, and the network computes on it.
network *amc_host_network_new(const char *path, const amc_layer_graph *graph, int batch,
                              amc_error *err);

// A copy of a network on the CPU, sharing nothing with it but borrowed weights.
network *amc_host_network_copy(const network *net);

// Frees it, also what Darknet's free_network leaves behind, but not what is borrowed: weights,
// prepared or not, and the layers' x and x_norm.
void amc_host_network_free(network *net);

// Rewrites it to compute `graph` with `weights`, both borrowed until the next apply. The graph has
// the layers of the one it was made with and no more channels anywhere.
void amc_host_network_apply(network *net, const amc_layer_graph *graph, const amc_weights *weights);

// Floats in the largest output of one image.
size_t amc_host_network_widest(const network *net);

// Even in inference Darknet copies the output of a convolution to `x` before normalizing it. Nobody
// reads it, so one new array serves all layers; the caller frees it after the network.
float *amc_host_network_share_x(network *net);

#endif
