// Weights reconstructed after pruning: the filters that read removed channels take over, from the
// channels that stay, what those contributed, by least squares over the inputs that the original
// network has on some training images (He, Zhang and Sun, Channel Pruning, ICCV 2017, eq. 3; as in
// AMC, section 3.4). The moments of those inputs are summed once, so that a plan costs one solve a
// layer. Works for kernels of any size and stride. Grouped and depthwise convolutions need none:
// their filters go with all that they read.

#ifndef AMC_HOST_RECONSTRUCTOR_H
#define AMC_HOST_RECONSTRUCTOR_H

#include "host/dataset.h"
#include "model/channel_groups.h"
#include "model/prune_plan.h"
#include "model/weights_file.h"

typedef struct amc_reconstructor amc_reconstructor;

// Runs the images of `dataset` (which may be freed) through the network at `path` with `weights`,
// and keeps the moments of what its filters read. Borrows graph, groups and weights. Layers whose
// filters read more than AMC_RECONSTRUCTOR_MOST numbers are left out. NULL with err set if Darknet
// makes something else of the .cfg than the graph says, or the network can't take images.
amc_reconstructor *amc_reconstructor_new(const char *path, const amc_layer_graph *graph,
                                         const amc_channel_groups *groups,
                                         const amc_weights *weights, const amc_dataset *dataset,
                                         amc_error *err);
void amc_reconstructor_free(amc_reconstructor *reconstructor);

enum { AMC_RECONSTRUCTOR_MOST = 8192 };

// small: what the plan leaves of the weights (amc_slice_weights). Replaces the filters that lost
// inputs, and their means (or biases, without batch normalization), so that what they compute is on
// average what it was. The same bits whatever the number of threads.
void amc_reconstructor_run(const amc_reconstructor *reconstructor, const amc_prune_plan *plan,
                           amc_weights *small);

#endif
