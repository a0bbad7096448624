#include "cmd/pruned.h"

#include "model/slice.h"

#include <stddef.h>

static int open_reconstructor(amc_repair *repair, const amc_network *network,
                              const amc_data_file *data, amc_repair_options o, amc_error *err) {
    amc_dataset *images =
        amc_dataset_load(data, AMC_DATASET_TRAIN, o.reconstruct, o.seed, o.threads, err);
    if (!images) return -1;
    repair->reconstructor = amc_reconstructor_new(network->cfg_path, network->graph,
                                                  network->groups, network->weights, images, err);
    amc_dataset_free(images);
    return repair->reconstructor ? 0 : -1;
}

static int open_calibrator(amc_repair *repair, const amc_network *network,
                           const amc_data_file *data, amc_repair_options o, amc_error *err) {
    amc_dataset *images =
        amc_dataset_load(data, AMC_DATASET_TRAIN, o.calibrate, o.seed, o.threads, err);
    if (!images) return -1;
    repair->calibrator = amc_calibrator_new(network->cfg_path, network->graph, images, err);
    amc_dataset_free(images);
    return repair->calibrator ? 0 : -1;
}

int amc_repair_open(amc_repair *repair, const amc_network *network, const amc_data_file *data,
                    amc_repair_options options, amc_error *err) {
    *repair = (amc_repair){0};
    if (options.reconstruct && open_reconstructor(repair, network, data, options, err) < 0)
        return -1;
    if (options.calibrate && open_calibrator(repair, network, data, options, err) < 0) {
        amc_repair_close(repair);
        return -1;
    }
    return 0;
}

void amc_repair_close(amc_repair *repair) {
    amc_reconstructor_free(repair->reconstructor);
    amc_calibrator_free(repair->calibrator);
    *repair = (amc_repair){0};
}

amc_pruned amc_pruned_make(const amc_network *network, const amc_prune_plan *plan,
                           const amc_repair *repair) {
    amc_pruned pruned = {
        amc_slice_graph(network->graph, network->groups, plan),
        amc_slice_weights(network->graph, network->groups, plan, network->weights),
    };
    if (repair->reconstructor) amc_reconstructor_run(repair->reconstructor, plan, pruned.weights);
    if (repair->calibrator) amc_calibrator_run(repair->calibrator, pruned.graph, pruned.weights);
    return pruned;
}

void amc_pruned_clear(amc_pruned *pruned) {
    amc_layer_graph_free(pruned->graph);
    amc_weights_free(pruned->weights);
    *pruned = (amc_pruned){0};
}
