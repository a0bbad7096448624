// Carries out a plan: (graph, weights, plan) -> the smaller graph and weights, and the .cfg edited
// to say so. Exact: the smaller network computes what the original does with the removed channels'
// consumers zeroed.

#ifndef AMC_MODEL_SLICE_H
#define AMC_MODEL_SLICE_H

#include "model/prune_plan.h"
#include "model/weights_file.h"

// The graph with the channel counts that the plan leaves. New memory.
amc_layer_graph *amc_slice_graph(const amc_layer_graph *graph, const amc_channel_groups *groups,
                                 const amc_prune_plan *plan);

// The weights of that smaller graph. New memory.
amc_weights *amc_slice_weights(const amc_layer_graph *graph, const amc_channel_groups *groups,
                               const amc_prune_plan *plan, const amc_weights *weights);

// Sets filters=, groups= and output= in a copy of the .cfg wherever `small` differs from `graph`.
amc_cfg_text *amc_slice_cfg(const amc_cfg_text *cfg, const amc_layer_graph *graph,
                            const amc_layer_graph *small);

// The original weights with the weights that read removed channels set to zero: the reference that
// the smaller network is tested against.
amc_weights *amc_slice_zeroed(const amc_layer_graph *graph, const amc_channel_groups *groups,
                              const amc_prune_plan *plan, const amc_weights *weights);

#endif
