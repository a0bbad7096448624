// A network bound to images: what a plan, or the network itself, scores on them.

#ifndef AMC_CMD_SCORER_H
#define AMC_CMD_SCORER_H

#include "cmd/network.h"
#include "host/accuracy.h"
#include "model/prune_plan.h"

typedef struct amc_scorer_options {
    const char *data; // .data file; NULL: the network's own
    amc_dataset_part part;
    int limit; // images; 0: all
    int top;   // k of top-k; 0: what the .data file says
    uint64_t seed;
    int threads;
} amc_scorer_options;

typedef struct amc_scorer {
    const amc_network *network; // borrowed
    char *data_path;
    amc_data_file *data;
    amc_dataset *dataset;
    amc_host_model *model;
    amc_layer_graph *graph; // what the model computes now, if it is a plan's
    amc_weights *weights;
    int top;
} amc_scorer;

// Decodes the images and parses the network; says on stderr where images were held out by seed.
// NULL with err set.
amc_scorer *amc_scorer_new(const amc_network *network, amc_scorer_options options, amc_error *err);
void amc_scorer_free(amc_scorer *scorer);

// Accuracy of the whole network.
amc_accuracy amc_scorer_network(amc_scorer *scorer);

// Accuracy of the network that a plan leaves.
amc_accuracy amc_scorer_plan(amc_scorer *scorer, const amc_prune_plan *plan);

#endif
