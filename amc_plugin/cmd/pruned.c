#include "cmd/pruned.h"

#include "model/slice.h"

#include <stddef.h>

amc_pruned amc_pruned_make(const amc_network *network, const amc_prune_plan *plan,
                           amc_calibrator *calibrator) {
    amc_pruned pruned = {
        amc_slice_graph(network->graph, network->groups, plan),
        amc_slice_weights(network->graph, network->groups, plan, network->weights),
    };
    if (calibrator) amc_calibrator_run(calibrator, pruned.graph, pruned.weights);
    return pruned;
}

void amc_pruned_clear(amc_pruned *pruned) {
    amc_layer_graph_free(pruned->graph);
    amc_weights_free(pruned->weights);
    *pruned = (amc_pruned){0};
}

amc_calibrator *amc_pruned_calibrator(const amc_network *network, const amc_data_file *data,
                                      int images, uint64_t seed, int threads, amc_error *err) {
    amc_dataset *dataset = amc_dataset_load(data, AMC_DATASET_TRAIN, images, seed, threads, err);
    if (!dataset) return NULL;
    amc_calibrator *calibrator =
        amc_calibrator_new(network->cfg_path, network->graph, dataset, err);
    amc_dataset_free(dataset);
    return calibrator;
}
