// Weights refitted after pruning, layer by layer: with the layers before it as they are now, pruned
// and refitted, each layer is given the filters that come nearest to what the original network
// computed there. What reconstruction (see reconstruction.h) can't know, the errors that come from
// the layers before, is made up for here (the asymmetric reconstruction of Zhang et al. 2015, eq.
// 9, which He, Zhang and Sun, Channel Pruning, 2017 use as well).
//
// It is part of a calibrator's pass, whose images it sees: normalization is re-estimated with the
// filters refitted already.

#ifndef AMC_HOST_REFIT_H
#define AMC_HOST_REFIT_H

#include "host/calibrator.h"
#include "model/channel_groups.h"
#include "model/prune_plan.h"

typedef struct amc_refit amc_refit;

// Notes what the original network computes at random places of the calibrator's images. Layers
// whose filters read more than that can decide, or go with all that they read (grouped
// convolutions), are left alone. NULL where the calibrator makes no visits. Borrows all of them.
amc_refit *amc_refit_new(amc_calibrator *calibrator, const amc_layer_graph *graph,
                         const amc_channel_groups *groups, const amc_weights *weights);
void amc_refit_free(amc_refit *refit);

// Calibrates small, the weights of `graph`, which are what the plan leaves, and refits their
// filters. The same bits whatever the number of threads.
void amc_refit_run(amc_refit *refit, const amc_prune_plan *plan, const amc_layer_graph *graph,
                   amc_weights *small);

#endif
