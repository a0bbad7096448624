// What there is to decide about a network, and what a decision costs: of each group of units that
// are interchangeable in cost, how many are kept. Units are channels that go together (see
// channel_groups), which makes a smaller network, or the single weights of a layer, which are set
// to zero and leave its shape.

#ifndef AMC_MODEL_PRUNE_SPACE_H
#define AMC_MODEL_PRUNE_SPACE_H

#include "model/activation_memory.h"
#include "model/cost_model.h"
#include "model/latency_table.h"

typedef enum amc_granularity {
    AMC_GRANULARITY_CHANNEL,
    AMC_GRANULARITY_WEIGHT,
} amc_granularity;

// What a network takes, and a budget limits.
typedef enum amc_resource {
    AMC_RESOURCE_MACS,    // multiply-accumulates, the paper's FLOPs; by weights: of those kept
    AMC_RESOURCE_PARAMS,  // parameters; by weights: without those that are set to zero
    AMC_RESOURCE_LATENCY, // nanoseconds an image, as predicted; 0 until there is a table, and by
                          // weights, whose zeros take as long as others
    AMC_RESOURCE_MEMORY,  // bytes of activations at a time (see activation_memory)
    AMC_RESOURCES,        // how many there are
} amc_resource;

// "FLOPs", "parameters", "latency", "activation memory"
const char *amc_resource_name(amc_resource resource);

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
    int *group_of;           // (layers) of weights: the group of a layer's, -1 if it has none
    amc_activation_memory *memory;
    const amc_latency_grid **latency; // (layers) times to predict from; NULL without a table
} amc_prune_space;

// The groups of channels. Borrows both.
amc_prune_space *amc_prune_space_of_channels(const amc_layer_graph *graph,
                                             const amc_channel_groups *groups);

// The weights of each convolutional and connected layer are a group, those of layers that are
// skipped (layers; NULL: none) are not prunable. Borrows graph.
amc_prune_space *amc_prune_space_of_weights(const amc_layer_graph *graph, const bool *skipped);
void amc_prune_space_free(amc_prune_space *space);

// Gives latency a meaning: grids (layers), of every layer, copied as pointers; borrows the grids.
// Of channels only.
void amc_prune_space_set_latency(amc_prune_space *space, const amc_latency_grid *const *grids);

// How much the network takes of a resource. counts: (groups) units kept of each group.
int64_t amc_prune_space_cost(const amc_prune_space *space, amc_resource resource,
                             const int *counts);

// The same of one layer; of memory, what lives while it runs.
int64_t amc_prune_space_layer_cost(const amc_prune_space *space, amc_resource resource,
                                   const int *counts, int layer);

// Of all layers that group g is about.
int64_t amc_prune_space_group_cost(const amc_prune_space *space, amc_resource resource,
                                   const int *counts, int g);

// How much memory a plan takes beyond `bytes`, summed over the layers: falls with every cut that
// helps, where the most alone often doesn't.
double amc_prune_space_memory_beyond(const amc_prune_space *space, const int *counts,
                                     int64_t bytes);

// The same as cost of a graph that a plan of channels leaves.
int64_t amc_prune_space_graph_cost(const amc_prune_space *space, amc_resource resource,
                                   const amc_layer_graph *graph);

// Of the network before anything is cut.
int64_t amc_prune_space_whole_cost(const amc_prune_space *space, amc_resource resource);

// The smallest number of units s of group g such that keeping s more keeps every layer of it at a
// multiple of `round` channels; at most the group's size. 1 for weights.
int amc_prune_space_step(const amc_prune_space *space, int g, int round);

// What is nearest to ratio * units: a multiple of that step, or the whole group (which is always
// allowed, even where it is no multiple). At least one step.
int amc_prune_space_round(const amc_prune_space *space, int g, double ratio, int round);

#endif
