// A plan carried out in memory: the smaller network, its batch normalization re-estimated if there
// is a calibrator.

#ifndef AMC_CMD_PRUNED_H
#define AMC_CMD_PRUNED_H

#include "cmd/network.h"
#include "host/calibrator.h"
#include "model/prune_plan.h"

typedef struct amc_pruned {
    amc_layer_graph *graph;
    amc_weights *weights;
} amc_pruned;

// calibrator may be NULL: then the network is exactly the original without the removed channels.
amc_pruned amc_pruned_make(const amc_network *network, const amc_prune_plan *plan,
                           amc_calibrator *calibrator);
void amc_pruned_clear(amc_pruned *pruned);

// A calibrator on `images` training images of the .data file, none of them held out for rewards.
// NULL with err set.
amc_calibrator *amc_pruned_calibrator(const amc_network *network, const amc_data_file *data,
                                      int images, uint64_t seed, int threads, amc_error *err);

#endif
