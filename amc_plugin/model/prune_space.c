#include "model/prune_space.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static amc_prune_space *new_space(amc_granularity granularity, const amc_layer_graph *graph) {
    amc_prune_space *space = amc_memory_alloc(1, sizeof *space);
    space->granularity = granularity;
    space->graph = graph;
    space->memory = amc_activation_memory_new(graph);
    return space;
}

amc_prune_space *amc_prune_space_of_channels(const amc_layer_graph *graph,
                                             const amc_channel_groups *groups) {
    amc_prune_space *space = new_space(AMC_GRANULARITY_CHANNEL, graph);
    space->n = groups->n;
    space->groups = amc_memory_alloc((size_t)space->n, sizeof *space->groups);
    for (int g = 0; g < space->n; g++) {
        const amc_channel_group *group = &groups->groups[g];
        space->groups[g] = (amc_prune_group){
            group->n_units, group->n_layers,
            amc_memory_copy(group->layers, (size_t)group->n_layers, sizeof *group->layers),
            group->prunable};
    }
    space->cost = amc_cost_model_new(graph, groups);
    return space;
}

amc_prune_space *amc_prune_space_of_weights(const amc_layer_graph *graph, const bool *skipped) {
    amc_prune_space *space = new_space(AMC_GRANULARITY_WEIGHT, graph);
    space->groups = amc_memory_alloc((size_t)graph->n, sizeof *space->groups);
    space->group_of = amc_memory_alloc((size_t)graph->n, sizeof *space->group_of);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        space->group_of[l] = -1;
        if (layer->type != AMC_CONVOLUTIONAL && layer->type != AMC_CONNECTED) continue;
        space->group_of[l] = space->n;
        space->groups[space->n++] =
            (amc_prune_group){(int)amc_layer_weight_count(layer), 1,
                              amc_memory_copy(&l, 1, sizeof l), !skipped || !skipped[l]};
    }
    return space;
}

void amc_prune_space_free(amc_prune_space *space) {
    if (!space) return;
    for (int g = 0; g < space->n; g++) free(space->groups[g].layers);
    amc_cost_model_free(space->cost);
    amc_activation_memory_free(space->memory);
    free(space->latency);
    free(space->groups);
    free(space->group_of);
    free(space);
}

void amc_prune_space_set_latency(amc_prune_space *space, const amc_latency_grid *const *grids) {
    assert(space->granularity == AMC_GRANULARITY_CHANNEL);
    free(space->latency);
    space->latency = amc_memory_copy(grids, (size_t)space->graph->n, sizeof *grids);
}

// ---- costs --------------------------------------------------------------------------------------

static const char *const names[AMC_RESOURCES] = {"FLOPs", "parameters", "latency",
                                                 "activation memory"};

const char *amc_resource_name(amc_resource resource) {
    return names[resource];
}

// Of weights: the whole layer's cost less that of the weights that are gone, each of which was
// used once for every place of the output.
static int64_t layer_cost_by_weights(const amc_prune_space *space, amc_resource resource,
                                     const int *counts, int l) {
    const amc_layer *layer = &space->graph->layers[l];
    int64_t all =
        resource == AMC_RESOURCE_MACS ? amc_cost_layer_macs(layer) : amc_cost_layer_params(layer);
    int g = space->group_of[l];
    if (g < 0) return all;
    int64_t gone = space->groups[g].n_units - counts[g];
    int64_t uses = resource == AMC_RESOURCE_MACS
                       ? amc_cost_layer_macs(layer) / amc_layer_weight_count(layer)
                       : 1;
    return all - gone * uses;
}

static int64_t sum_by_weights(const amc_prune_space *space, amc_resource resource,
                              const int *counts) {
    int64_t sum = 0;
    for (int l = 0; l < space->graph->n; l++)
        sum += layer_cost_by_weights(space, resource, counts, l);
    return sum;
}

static int64_t layer_latency(const amc_prune_space *space, const int *counts, int l) {
    if (!space->latency) return 0;
    return amc_latency_grid_predict(space->latency[l],
                                    amc_cost_model_layer_in(space->cost, counts, l),
                                    amc_cost_model_layer_out(space->cost, counts, l));
}

static int64_t sum_latency(const amc_prune_space *space, const int *counts) {
    int64_t sum = 0;
    for (int l = 0; l < space->graph->n; l++) sum += layer_latency(space, counts, l);
    return sum;
}

// Bytes that live while each layer runs: live (layers), or NULL. Returns the most. Zeros among
// weights leave all channels.
static int64_t live_memory(const amc_prune_space *space, const int *counts, int64_t *live) {
    if (!space->cost) return amc_activation_memory_live(space->memory, NULL, live);
    int layers = space->graph->n, *out = amc_memory_alloc((size_t)layers, sizeof *out);
    for (int l = 0; l < layers; l++) out[l] = amc_cost_model_layer_out(space->cost, counts, l);
    int64_t most = amc_activation_memory_live(space->memory, out, live);
    free(out);
    return most;
}

static int64_t layer_memory(const amc_prune_space *space, const int *counts, int l) {
    int64_t *live = amc_memory_alloc((size_t)space->graph->n, sizeof *live);
    live_memory(space, counts, live);
    int64_t bytes = live[l];
    free(live);
    return bytes;
}

int64_t amc_prune_space_layer_cost(const amc_prune_space *space, amc_resource resource,
                                   const int *counts, int layer) {
    if (resource == AMC_RESOURCE_LATENCY) return layer_latency(space, counts, layer);
    if (resource == AMC_RESOURCE_MEMORY) return layer_memory(space, counts, layer);
    if (space->granularity == AMC_GRANULARITY_WEIGHT)
        return layer_cost_by_weights(space, resource, counts, layer);
    return resource == AMC_RESOURCE_MACS ? amc_cost_model_layer_macs(space->cost, counts, layer)
                                         : amc_cost_model_layer_params(space->cost, counts, layer);
}

int64_t amc_prune_space_cost(const amc_prune_space *space, amc_resource resource,
                             const int *counts) {
    if (resource == AMC_RESOURCE_LATENCY) return sum_latency(space, counts);
    if (resource == AMC_RESOURCE_MEMORY) return live_memory(space, counts, NULL);
    if (!space->cost) return sum_by_weights(space, resource, counts);
    return resource == AMC_RESOURCE_MACS ? amc_cost_model_macs(space->cost, counts)
                                         : amc_cost_model_params(space->cost, counts);
}

int64_t amc_prune_space_group_cost(const amc_prune_space *space, amc_resource resource,
                                   const int *counts, int g) {
    const amc_prune_group *group = &space->groups[g];
    int64_t sum = 0;
    for (int i = 0; i < group->n_layers; i++)
        sum += amc_prune_space_layer_cost(space, resource, counts, group->layers[i]);
    return sum;
}

double amc_prune_space_memory_beyond(const amc_prune_space *space, const int *counts,
                                     int64_t bytes) {
    int64_t *live = amc_memory_alloc((size_t)space->graph->n, sizeof *live);
    double sum = 0;
    live_memory(space, counts, live);
    for (int l = 0; l < space->graph->n; l++)
        if (live[l] > bytes) sum += (double)(live[l] - bytes);
    free(live);
    return sum;
}

static int64_t graph_latency(const amc_prune_space *space, const amc_layer_graph *graph) {
    int64_t sum = 0;
    for (int l = 0; l < graph->n && space->latency; l++)
        sum +=
            amc_latency_grid_predict(space->latency[l], graph->layers[l].c, graph->layers[l].out_c);
    return sum;
}

int64_t amc_prune_space_graph_cost(const amc_prune_space *space, amc_resource resource,
                                   const amc_layer_graph *graph) {
    switch (resource) {
    case AMC_RESOURCE_MACS:
        return amc_cost_macs(graph);
    case AMC_RESOURCE_PARAMS:
        return amc_cost_params(graph);
    case AMC_RESOURCE_LATENCY:
        return graph_latency(space, graph);
    default:
        return amc_activation_memory_peak(graph);
    }
}

int64_t amc_prune_space_whole_cost(const amc_prune_space *space, amc_resource resource) {
    return amc_prune_space_graph_cost(space, resource, space->graph);
}

// ---- rounding -----------------------------------------------------------------------------------

int amc_prune_space_step(const amc_prune_space *space, int g, int round) {
    return space->cost ? amc_cost_model_step(space->cost, g, round) : 1;
}

int amc_prune_space_round(const amc_prune_space *space, int g, double ratio, int round) {
    if (space->cost) return amc_cost_model_round(space->cost, g, ratio, round);
    int units = space->groups[g].n_units, count = (int)lrint(ratio * units);
    return count < 1 ? 1 : count < units ? count : units;
}
