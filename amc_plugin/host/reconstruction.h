// Weights reconstructed after pruning: the filters that read removed channels take over, from the
// channels that stay, what those contributed, by least squares over the inputs that the original
// network has on training images (He, Zhang and Sun, Channel Pruning, ICCV 2017, eq. 3; as in AMC,
// section 3.4). Works for kernels of any size and stride.

#ifndef AMC_HOST_RECONSTRUCTION_H
#define AMC_HOST_RECONSTRUCTION_H

#include "host/grams.h"

// small: what the plan leaves of the weights (amc_slice_weights). Replaces the filters that lost
// inputs, and their means (or biases, without batch normalization), so that what they compute is on
// average what it was. The same bits whatever the number of threads.
void amc_reconstruct(const amc_grams *grams, const amc_prune_plan *plan, amc_weights *small);

// The same where single weights are gone: each filter's weights that aren't zero take over what the
// others contributed. sparse: the original weights, some of them zero, which stay so.
void amc_reconstruct_sparse(const amc_grams *grams, amc_weights *sparse);

#endif
