// What every subcommand starts from: the user's network, read and checked.

#ifndef AMC_CMD_NETWORK_H
#define AMC_CMD_NETWORK_H

#include "model/prune_space.h"
#include "model/weights_file.h"

typedef struct amc_network {
    char *name; // "vgg16" of cfg/vgg16.cfg
    char *cfg_path;
    char *weights_path; // NULL if there are no weights
    amc_cfg_text *cfg;
    amc_layer_graph *graph;
    amc_channel_groups *groups;
    bool *skipped;        // (layers) to be left whole, by request
    amc_weights *weights; // NULL if there are none
} amc_network;

typedef enum amc_network_weights {
    AMC_WEIGHTS_NEEDED, // weights_path; where that is NULL weights/<name>.weights, or else what is
                        // beside the .cfg
    AMC_WEIGHTS_TO_SCORE, // the same, once it is clear that the network can be scored
    AMC_WEIGHTS_IF_GIVEN, // weights_path, or none
} amc_network_weights;

// NULL with err set. Of the first .cfg that is read, keys that Darknet ignores are told on stderr.
amc_network *amc_network_load(const char *cfg_path, const char *weights_path,
                              amc_network_weights need, amc_error *err);
void amc_network_free(amc_network *network);

// Whether the network has an accuracy: -1 with err set for detectors.
int amc_network_check_scored(const amc_network *network, amc_error *err);

// Keeps the layers of a list such as "0,3,12" whole. -1 with err set for a bad list.
int amc_network_skip(amc_network *network, const char *layers, amc_error *err);

// What a policy or a search decides about the network. The caller frees it; it borrows the network.
amc_prune_space *amc_network_space(const amc_network *network, amc_granularity granularity);

// How much the network takes of a resource, with weights that are zero or without.
int64_t amc_network_cost(const amc_network *network, amc_granularity granularity,
                         amc_resource resource);

// <name><ending> in the .cfg's folder. New text.
char *amc_network_beside(const amc_network *network, const char *ending);

// The .data file to use: `given`, or <name>.data beside the .cfg. New text.
char *amc_network_data_path(const amc_network *network, const char *given);

#endif
