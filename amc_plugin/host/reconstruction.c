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

// Makes what filter f computes what it was on average.
static void shift(amc_layer_weights *w, int f, double change) {
    if (w->means)
        w->means[f] += (float)change;
    else
        w->biases[f] -= (float)change;
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
        for (int f = 0; f < filters; f++)
            shift(small, f,
                  mean_change(g, old + (size_t)f * g->d, kept, n, small->weights + (size_t)f * n));
        free(old);
    }
    free(kept);
}

void amc_reconstruct(const amc_grams *grams, const amc_prune_plan *plan, amc_weights *small) {
#pragma omp parallel for schedule(dynamic)
    for (int l = 0; l < grams->graph->n; l++)
        if (grams->layers[l].d) reconstruct_layer(grams, plan, l, &small->layers[l]);
}

// ---- single weights -----------------------------------------------------------------------------

static int find_nonzero(const float *filter, int d, int *kept) {
    int n = 0;
    for (int i = 0; i < d; i++)
        if (filter[i] != 0) kept[n++] = i;
    return n;
}

static void reconstruct_filter(const amc_gram *g, const float *old, amc_layer_weights *w, int f) {
    float *filter = w->weights + (size_t)f * g->d;
    int *kept = amc_memory_alloc((size_t)g->d, sizeof *kept), n = find_nonzero(filter, g->d, kept);
    float *values = amc_memory_alloc((size_t)g->d, sizeof *values);
    for (int i = 0; i < n; i++) values[i] = filter[kept[i]];
    if (n > 0 && n < g->d)
        amc_least_squares_regress(g->moments, g->d, kept, n, AMC_GRAMS_RIDGE, 1, old, values);
    for (int i = 0; i < n; i++) filter[kept[i]] = values[i];
    if (n < g->d) shift(w, f, mean_change(g, old, kept, n, values));
    free(values);
    free(kept);
}

void amc_reconstruct_sparse(const amc_grams *grams, amc_weights *sparse) {
    for (int l = 0; l < grams->graph->n; l++) {
        const amc_gram *g = &grams->layers[l];
        if (!g->d) continue;
        const float *old = grams->weights->layers[l].weights;
#pragma omp parallel for schedule(dynamic)
        for (int f = 0; f < grams->graph->layers[l].out_c; f++)
            reconstruct_filter(g, old + (size_t)f * g->d, &sparse->layers[l], f);
    }
}
