#include "model/prune_space.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static amc_prune_space *new_space(amc_granularity granularity, const amc_layer_graph *graph) {
    amc_prune_space *space = amc_memory_alloc(1, sizeof *space);
    space->granularity = granularity;
    space->graph = graph;
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
    free(space->groups);
    free(space->group_of);
    free(space);
}

// ---- costs --------------------------------------------------------------------------------------

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

int64_t amc_prune_space_layer_cost(const amc_prune_space *space, amc_resource resource,
                                   const int *counts, int layer) {
    if (space->granularity == AMC_GRANULARITY_WEIGHT)
        return layer_cost_by_weights(space, resource, counts, layer);
    return resource == AMC_RESOURCE_MACS ? amc_cost_model_layer_macs(space->cost, counts, layer)
                                         : amc_cost_model_layer_params(space->cost, counts, layer);
}

int64_t amc_prune_space_cost(const amc_prune_space *space, amc_resource resource,
                             const int *counts) {
    if (space->cost)
        return resource == AMC_RESOURCE_MACS ? amc_cost_model_macs(space->cost, counts)
                                             : amc_cost_model_params(space->cost, counts);
    int64_t sum = 0;
    for (int l = 0; l < space->graph->n; l++)
        sum += layer_cost_by_weights(space, resource, counts, l);
    return sum;
}

int64_t amc_prune_space_group_cost(const amc_prune_space *space, amc_resource resource,
                                   const int *counts, int g) {
    const amc_prune_group *group = &space->groups[g];
    int64_t sum = 0;
    for (int i = 0; i < group->n_layers; i++)
        sum += amc_prune_space_layer_cost(space, resource, counts, group->layers[i]);
    return sum;
}

int64_t amc_prune_space_whole_cost(const amc_prune_space *space, amc_resource resource) {
    return resource == AMC_RESOURCE_MACS ? amc_cost_macs(space->graph)
                                         : amc_cost_params(space->graph);
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
