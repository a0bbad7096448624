#include "cmd/pruned.h"

#include "base/memory.h"
#include "host/reconstruction.h"
#include "model/slice.h"

#include <stdlib.h>

amc_pruned amc_pruned_make(const amc_network *network, const amc_prune_plan *plan,
                           const amc_repair *repair) {
    amc_pruned pruned = {
        amc_slice_graph(network->graph, network->groups, plan),
        amc_slice_weights(network->graph, network->groups, plan, network->weights),
        amc_prune_plan_copy(plan),
        NULL,
    };
    if (repair->grams) amc_reconstruct(repair->grams, plan, pruned.weights);
    if (repair->calibrator)
        amc_calibrator_run(repair->calibrator, pruned.graph, pruned.weights, NULL, NULL);
    return pruned;
}

amc_pruned amc_pruned_make_sparse(const amc_network *network, const amc_weight_ranking *ranking,
                                  const int *counts, const amc_repair *repair) {
    size_t groups = (size_t)amc_weight_ranking_groups(ranking);
    amc_pruned pruned = {
        amc_layer_graph_copy(network->graph),
        amc_weight_ranking_keep(ranking, counts),
        NULL,
        amc_memory_copy(counts, groups, sizeof *counts),
    };
    if (repair->grams) amc_reconstruct_sparse(repair->grams, pruned.weights);
    if (repair->calibrator)
        amc_calibrator_run(repair->calibrator, pruned.graph, pruned.weights, NULL, NULL);
    return pruned;
}

void amc_pruned_clear(amc_pruned *pruned) {
    amc_layer_graph_free(pruned->graph);
    amc_weights_free(pruned->weights);
    amc_prune_plan_free(pruned->plan);
    free(pruned->counts);
    *pruned = (amc_pruned){0};
}

void amc_pruned_refit(amc_pruned *pruned, amc_refit *refit) {
    amc_refit_run(refit, pruned->plan, pruned->graph, pruned->weights);
}
