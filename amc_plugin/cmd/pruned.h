// What is decided carried out in memory: the smaller network.

#ifndef AMC_CMD_PRUNED_H
#define AMC_CMD_PRUNED_H

#include "cmd/repair.h"
#include "model/prune_plan.h"
#include "model/weight_ranking.h"

// With nothing to repair it with, the network is exactly the original without what was removed.
typedef struct amc_pruned {
    amc_layer_graph *graph;
    amc_weights *weights;
    amc_prune_plan *plan; // the channels that were kept; NULL where weights were chosen,
    int *counts;          // and how many of each layer then, by the network's space of weights
} amc_pruned;

// The network that a plan leaves.
amc_pruned amc_pruned_make(const amc_network *network, const amc_prune_plan *plan,
                           const amc_repair *repair);

// The network with the counts[g] most important weights of each layer.
amc_pruned amc_pruned_make_sparse(const amc_network *network, const amc_weight_ranking *ranking,
                                  const int *counts, const amc_repair *repair);

// Refits the network.
void amc_pruned_refit(amc_pruned *pruned, amc_refit *refit);

void amc_pruned_clear(amc_pruned *pruned);

#endif
