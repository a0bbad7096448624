#include "host/elimination.h"

#include "base/memory.h"
#include "kernels/surgeon.h"
#include "model/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS = 64 }; // a group is eliminated in so many steps, if it has as many units

// What removing a unit means to one layer that reads it.
typedef struct reader {
    amc_surgeon *surgeon;
    double variance; // of what the layer's filters compute, all together
    int *features;   // (n), those of unit k of the group from first[k] to first[k + 1]
    int *first;      // (units + 1)
} reader;

// ---- readers ------------------------------------------------------------------------------------

static void find_features(const amc_grams *grams, const amc_channel_group *group, int l,
                          reader *r) {
    const amc_layer *layer = &grams->graph->layers[l];
    const int *in = amc_channel_groups_input(grams->groups, grams->graph, l, 0);
    int each = grams->layers[l].each, n = 0;
    r->features = amc_memory_alloc((size_t)grams->layers[l].d, sizeof *r->features);
    r->first = amc_memory_alloc((size_t)group->n_units + 1, sizeof *r->first);
    for (int k = 0; k < group->n_units; k++) {
        for (int i = 0; i < layer->c * each; i++)
            if (in[i / each] == group->units[k]) r->features[n++] = i;
        r->first[k + 1] = n;
    }
}

// After batch normalization, gamma^2 each; without, what the weights make of inputs of these
// moments if they don't depend on each other.
static double variance_of(const amc_gram *g, const amc_layer_weights *w) {
    double sum = 0;
    for (int o = 0; o < w->n; o++) {
        if (w->scales) sum += (double)w->scales[o] * w->scales[o];
        for (int i = 0; !w->scales && i < g->d; i++) {
            double weight = w->weights[(size_t)o * g->d + i];
            sum += weight * weight * g->moments[(size_t)i * g->d + i];
        }
    }
    return sum;
}

static reader reader_new(const amc_grams *grams, const amc_channel_group *group, int l) {
    const amc_layer_weights *w = &grams->weights->layers[l];
    const amc_gram *g = &grams->layers[l];
    reader r = {.variance = variance_of(g, w)};
    double *factors = amc_memory_alloc((size_t)w->n, sizeof *factors);
    for (int o = 0; o < w->n; o++) factors[o] = amc_importance_factor(w, o);
    r.surgeon = amc_surgeon_new(g->moments, g->d, AMC_GRAMS_RIDGE, w->n, factors, w->weights);
    free(factors);
    find_features(grams, group, l, &r);
    return r;
}

static void reader_free(reader r) {
    amc_surgeon_free(r.surgeon);
    free(r.features);
    free(r.first);
}

// ---- one group ----------------------------------------------------------------------------------

typedef struct candidate {
    int unit; // of the group
    double cost;
} candidate;

static int compare(const void *a, const void *b) {
    const candidate *x = a, *y = b;
    if (x->cost != y->cost) return x->cost < y->cost ? -1 : 1;
    return y->unit - x->unit; // of equals the earlier one stays
}

static double cost_of(const reader *readers, int n, int unit) {
    double cost = 0;
    for (int k = 0; k < n; k++) {
        const reader *r = &readers[k];
        int first = r->first[unit], count = r->first[unit + 1] - first;
        if (count) cost += amc_surgeon_cost(r->surgeon, r->features + first, count);
    }
    return cost;
}

static void remove_unit(const reader *readers, int n, int unit) {
    for (int k = 0; k < n; k++) {
        const reader *r = &readers[k];
        int first = r->first[unit], count = r->first[unit + 1] - first;
        if (count) amc_surgeon_remove(r->surgeon, r->features + first, count);
    }
}

static double loss_of(const reader *readers, int n, int unit) {
    double loss = 0;
    for (int k = 0; k < n; k++) {
        double cost = cost_of(&readers[k], 1, unit);
        if (cost > 0) loss += cost / fmax(readers[k].variance, cost);
    }
    return loss;
}

// Scores are places in the order of removal.
static void eliminate(const amc_channel_group *group, const reader *readers, int n, double *score,
                      double *loss) {
    int left = group->n_units, step = (left + PARTS - 1) / PARTS;
    candidate *candidates = amc_memory_alloc((size_t)left, sizeof *candidates);
    for (int i = 0; i < left; i++) candidates[i].unit = i;
    while (left > 0) {
        for (int i = 0; i < left; i++) candidates[i].cost = cost_of(readers, n, candidates[i].unit);
        qsort(candidates, (size_t)left, sizeof *candidates, compare);
        int count = step < left ? step : left;
        for (int i = 0; i < count; i++) {
            int unit = candidates[i].unit;
            if (loss) loss[group->units[unit]] = loss_of(readers, n, unit);
            remove_unit(readers, n, unit);
            score[group->units[unit]] = group->n_units - left + i + 1;
        }
        left -= count;
        memmove(candidates, candidates + count, (size_t)left * sizeof *candidates);
    }
    free(candidates);
}

static void score_group(const amc_grams *grams, const amc_channel_group *group, double *score,
                        double *loss) {
    reader *readers = amc_memory_alloc((size_t)group->n_consumers, sizeof *readers);
    int n = 0;
    for (int k = 0; k < group->n_consumers; k++)
        if (grams->layers[group->consumers[k]].d)
            readers[n++] = reader_new(grams, group, group->consumers[k]);
    if (n) eliminate(group, readers, n, score, loss);
    for (int k = 0; k < n; k++) reader_free(readers[k]);
    free(readers);
}

void amc_elimination_score(const amc_grams *grams, double *score, double *loss) {
#pragma omp parallel for schedule(dynamic)
    for (int g = 0; g < grams->groups->n; g++)
        if (grams->groups->groups[g].prunable)
            score_group(grams, &grams->groups->groups[g], score, loss);
}
