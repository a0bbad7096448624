// Weights refitted after pruning, layer by layer: with the layers before it as they are now, pruned
// and refitted, each layer is given the filters that bring its activations nearest to what the
// original network has there. Reconstruction (see reconstruction.h) is quick enough for every plan
// of a search, but knows only what the original's filters read: here the errors that come from the
// layers before are made up for, too, and the activation's zeros are left out of account (Zhang et
// al. 2015, "Efficient and accurate approximations of nonlinear convolutional networks", sections
// 3.2 and 3.3; the former is what He, Zhang and Sun, Channel Pruning, 2017 use as well).

#ifndef AMC_HOST_REFIT_H
#define AMC_HOST_REFIT_H

#include "host/dataset.h"
#include "model/channel_groups.h"
#include "model/prune_plan.h"
#include "model/weights_file.h"

typedef struct amc_refit amc_refit;

// Notes what the original network, of the .cfg at `path`, computes at random places of the images
// of `dataset`, which may be freed: of as many as a calibrator of 2 GiB takes (see calibrator.h; on
// the CPU only), at so many places that 3 GiB hold what all layers compute there. Layers are left
// alone whose filters read the image, more than those places can decide, or more than 4,608
// numbers, or go with all that they read (grouped convolutions). Borrows graph, groups and weights.
// NULL with err set as for a calibrator.
amc_refit *amc_refit_new(const char *path, const amc_layer_graph *graph,
                         const amc_channel_groups *groups, const amc_weights *weights,
                         const amc_dataset *dataset, amc_error *err);
void amc_refit_free(amc_refit *refit);

// How many images it took.
int amc_refit_images(const amc_refit *refit);

// Refits small, the weights of `graph`, which are what the plan leaves, and re-estimates its
// normalization on the way. plan: NULL where all channels are left and single weights are zero,
// which stay so. The same bits whatever the number of threads.
void amc_refit_run(amc_refit *refit, const amc_prune_plan *plan, const amc_layer_graph *graph,
                   amc_weights *small);

#endif
