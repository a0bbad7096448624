#include "model/weight_ranking.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

struct amc_weight_ranking {
    const amc_prune_space *space;
    const amc_weights *weights;
    int **order; // (groups)(units) weights of the group's layer, the most important first
};

typedef struct ranked {
    float size;
    int weight;
} ranked;

static int by_size(const void *x, const void *y) {
    const ranked *a = x, *b = y;
    if (a->size != b->size) return a->size < b->size ? 1 : -1;
    return a->weight - b->weight;
}

static const amc_layer_weights *weights_of(const amc_prune_space *space, int g,
                                           const amc_weights *weights) {
    const amc_layer_weights *layer = &weights->layers[space->groups[g].layers[0]];
    assert(layer->n_weights == space->groups[g].n_units);
    return layer;
}

static int *rank(const float *scores, int n) {
    ranked *sorted = amc_memory_alloc((size_t)n, sizeof *sorted);
    int *order = amc_memory_alloc((size_t)n, sizeof *order);
    for (int i = 0; i < n; i++) sorted[i] = (ranked){fabsf(scores[i]), i};
    qsort(sorted, (size_t)n, sizeof *sorted, by_size);
    for (int i = 0; i < n; i++) order[i] = sorted[i].weight;
    free(sorted);
    return order;
}

amc_weight_ranking *amc_weight_ranking_new(const amc_prune_space *space, const amc_weights *weights,
                                           const amc_weights *scores) {
    assert(space->granularity == AMC_GRANULARITY_WEIGHT);
    amc_weight_ranking *ranking = amc_memory_alloc(1, sizeof *ranking);
    *ranking = (amc_weight_ranking){.space = space, .weights = weights};
    ranking->order = amc_memory_alloc((size_t)space->n, sizeof *ranking->order);
    for (int g = 0; g < space->n; g++)
        ranking->order[g] = rank(weights_of(space, g, scores)->weights, space->groups[g].n_units);
    return ranking;
}

void amc_weight_ranking_free(amc_weight_ranking *ranking) {
    if (!ranking) return;
    for (int g = 0; g < ranking->space->n; g++) free(ranking->order[g]);
    free(ranking->order);
    free(ranking);
}

int amc_weight_ranking_groups(const amc_weight_ranking *ranking) {
    return ranking->space->n;
}

amc_weights *amc_weight_ranking_keep(const amc_weight_ranking *ranking, const int *counts) {
    const amc_prune_space *space = ranking->space;
    amc_weights *kept = amc_weights_copy(ranking->weights);
    for (int g = 0; g < space->n; g++) {
        float *weights = kept->layers[space->groups[g].layers[0]].weights;
        for (int i = counts[g]; i < space->groups[g].n_units; i++)
            weights[ranking->order[g][i]] = 0;
    }
    return kept;
}

void amc_weight_ranking_count(const amc_prune_space *space, const amc_weights *weights,
                              int *counts) {
    for (int g = 0; g < space->n; g++) {
        const amc_layer_weights *layer = weights_of(space, g, weights);
        counts[g] = 0;
        for (int i = 0; i < layer->n_weights; i++) counts[g] += layer->weights[i] != 0;
    }
}
