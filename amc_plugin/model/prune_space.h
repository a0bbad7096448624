// What there is to decide about a network, and what a decision costs: of each group of units that
// are interchangeable in cost, how many are kept. Units are channels that go together (see
// channel_groups), which makes a smaller network, or the single weights of a layer, which are set
// to zero and leave its shape.

#ifndef AMC_MODEL_PRUNE_SPACE_H
#define AMC_MODEL_PRUNE_SPACE_H

#include "model/cost_model.h"

typedef enum amc_granularity {
    AMC_GRANULARITY_CHANNEL,
    AMC_GRANULARITY_WEIGHT,
} amc_granularity;

// What a network takes, and a budget limits.
typedef enum amc_resource {
    AMC_RESOURCE_MACS,   // multiply-accumulates, the paper's FLOPs; by weights: of those kept
    AMC_RESOURCE_PARAMS, // parameters; by weights: without those that are set to zero
    AMC_RESOURCES,       // how many there are
} amc_resource;

typedef struct amc_prune_group {
    int n_units;
    int n_layers;
    int *layers;   // (n_layers) whose filters make the channels, or whose weights they are
    bool prunable; // false: all units are always kept
} amc_prune_group;

typedef struct amc_prune_space {
    amc_granularity granularity;
    const amc_layer_graph *graph;
    int n;                   // groups
    amc_prune_group *groups; // in network order
    amc_cost_model *cost;    // of channels; NULL for weights
    int *group_of;           // (layers) of weights: the group of a layer\'s, -1 if it has none
} amc_prune_space;

// The groups of channels. Borrows both.
amc_prune_space *amc_prune_space_of_channels(const amc_layer_graph *graph,
                                             const amc_channel_groups *groups);

// The weights of each convolutional and connected layer are a group, those of layers that are
// skipped (layers; NULL: none) are not prunable. Borrows graph.
amc_prune_space *amc_prune_space_of_weights(const amc_layer_graph *graph, const bool *skipped);
void amc_prune_space_free(amc_prune_space *space);

// How much the network takes of a resource. counts: (groups) units kept of each group.
int64_t amc_prune_space_cost(const amc_prune_space *space, amc_resource resource,
                             const int *counts);

// The same of one layer.
int64_t amc_prune_space_layer_cost(const amc_prune_space *space, amc_resource resource,
                                   const int *counts, int layer);

// Of all layers that group g is about.
int64_t amc_prune_space_group_cost(const amc_prune_space *space, amc_resource resource,
                                   const int *counts, int g);

// Of the network before anything is cut.
int64_t amc_prune_space_whole_cost(const amc_prune_space *space, amc_resource resource);

// The smallest number of units s of group g such that keeping s more keeps every layer of it at a
// multiple of `round` channels; at most the group's size. 1 for weights.
int amc_prune_space_step(const amc_prune_space *space, int g, int round);

// What is nearest to ratio * units: a multiple of that step, or the whole group (which is always
// allowed, even where it is no multiple). At least one step.
int amc_prune_space_round(const amc_prune_space *space, int g, double ratio, int round);

#endif
