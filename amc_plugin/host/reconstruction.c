#include "host/reconstruction.h"

#include "base/memory.h"
#include "kernels/least_squares.h"

#include <stdlib.h>
#include <string.h>

// The numbers that the layer's filters still read; returns how many.
static int find_kept(const amc_grams *grams, const amc_prune_plan *plan, int l, int *kept) {
    const int *in = amc_channel_groups_input(grams->groups, grams->graph, l, 0);
    int d = grams->layers[l].d, each = grams->layers[l].each, n = 0;
    for (int i = 0; i < d; i++)
        if (plan->kept[in[i / each]]) kept[n++] = i;
    return n;
}

// The original filters that stay, with all that they read. Returns how many.
static int gather_filters(const amc_grams *grams, const amc_prune_plan *plan, int l,
                          float *filters) {
    int d = grams->layers[l].d, n = 0;
    for (int o = 0; o < grams->graph->layers[l].out_c; o++)
        if (plan->kept[grams->groups->unit[l][o]])
            memcpy(filters + (size_t)n++ * d, grams->weights->layers[l].weights + (size_t)o * d,
                   (size_t)d * sizeof *filters);
    return n;
}

// By how much the mean of what a filter computes has changed.
static double mean_change(const amc_gram *g, const float *old, const int *kept, int n,
                          const float *new) {
    double change = 0;
    for (int i = 0; i < n; i++) change += new[i] * g->means[kept[i]];
    for (int i = 0; i < g->d; i++) change -= old[i] * g->means[i];
    return change;
}

static void reconstruct_layer(const amc_grams *grams, const amc_prune_plan *plan, int l,
                              amc_layer_weights *small) {
    const amc_gram *g = &grams->layers[l];
    int *kept = amc_memory_alloc((size_t)g->d, sizeof *kept);
    int n = find_kept(grams, plan, l, kept);
    if (n < g->d) {
        float *old = amc_memory_alloc((size_t)grams->graph->layers[l].out_c * g->d, sizeof *old);
        int filters = gather_filters(grams, plan, l, old);
        amc_least_squares_regress(g->moments, g->d, kept, n, AMC_GRAMS_RIDGE, filters, old,
                                  small->weights);
        for (int f = 0; f < filters; f++) {
            double change =
                mean_change(g, old + (size_t)f * g->d, kept, n, small->weights + (size_t)f * n);
            if (small->means)
                small->means[f] += (float)change;
            else
                small->biases[f] -= (float)change;
        }
        free(old);
    }
    free(kept);
}

void amc_reconstruct(const amc_grams *grams, const amc_prune_plan *plan, amc_weights *small) {
#pragma omp parallel for schedule(dynamic)
    for (int l = 0; l < grams->graph->n; l++)
        if (grams->layers[l].d) reconstruct_layer(grams, plan, l, &small->layers[l]);
}
