#include "model/importance.h"

#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// Darknet's CPU batch normalization divides by sqrt(variance) + this.
#define BN_EPSILON 1e-6

static const char *names[AMC_CRITERIA] = {"l1", "l2", "bn", "random"};

int amc_criterion_find(const char *name) {
    for (int i = 0; i < AMC_CRITERIA; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

// Of n weights: the sum of magnitudes for l1, of squares otherwise.
static double norm(amc_criterion criterion, const float *values, int64_t n) {
    double sum = 0;
    if (criterion == AMC_CRITERION_L1)
        for (int64_t i = 0; i < n; i++) sum += fabs((double)values[i]);
    else
        for (int64_t i = 0; i < n; i++) sum += (double)values[i] * values[i];
    return sum;
}

double amc_importance_factor(const amc_layer_weights *w, int o) {
    return w->scales ? w->scales[o] / (sqrt(w->variances[o]) + BN_EPSILON) : 1;
}

// Variance of what filter o sends on, before its activation: batch normalization makes it gamma^2,
// or 0 if the filter's sum never varies; without, inputs of variance 1 are assumed.
static double made_variance(const amc_layer_weights *w, int o) {
    int64_t per = w->n_weights / w->n;
    double factor = amc_importance_factor(w, o);
    return factor * factor *
           (w->scales ? w->variances[o] : norm(AMC_CRITERION_BN, w->weights + o * per, per));
}

// Adds what layer l's filters bring to the units that they make.
static void add_made(amc_criterion criterion, const amc_layer *layer, const amc_layer_weights *w,
                     const int *out, double *made) {
    int64_t per = w->n_weights / w->n;
    for (int o = 0; o < layer->out_c; o++)
        made[out[o]] += criterion == AMC_CRITERION_BN ? made_variance(w, o)
                                                      : norm(criterion, w->weights + o * per, per);
}

// Adds the weights of layer l that read each unit.
static void add_reads(amc_criterion criterion, const amc_layer *layer, const amc_layer_weights *w,
                      const int *in, double *reads) {
    int inputs = layer->c / layer->groups, block = layer->out_c / layer->groups;
    int64_t per = w->n_weights / w->n / inputs;
    for (int o = 0; o < layer->out_c; o++) {
        double factor = criterion == AMC_CRITERION_BN ? pow(amc_importance_factor(w, o), 2) : 1;
        for (int i = 0; i < inputs; i++)
            reads[in[o / block * inputs + i]] +=
                factor * norm(criterion, w->weights + ((int64_t)o * inputs + i) * per, per);
    }
}

static double *draw(const amc_channel_groups *groups, uint64_t seed) {
    double *score = amc_memory_alloc((size_t)groups->n_units, sizeof *score);
    amc_rng rng;
    amc_rng_init(&rng, seed);
    for (int u = 0; u < groups->n_units; u++) score[u] = amc_rng_uniform(&rng);
    return score;
}

double *amc_importance_new(const amc_layer_graph *graph, const amc_channel_groups *groups,
                           const amc_weights *weights, amc_criterion criterion, uint64_t seed) {
    if (criterion == AMC_CRITERION_RANDOM) return draw(groups, seed);
    double *score = amc_memory_alloc((size_t)groups->n_units, sizeof *score);
    double *reads = amc_memory_alloc((size_t)groups->n_units, sizeof *reads);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        const amc_layer_weights *w = &weights->layers[l];
        if (layer->flow != AMC_FLOW_MAKES) continue;
        add_made(criterion, layer, w, groups->unit[l], score);
        add_reads(criterion, layer, w, amc_channel_groups_input(groups, graph, l, 0), reads);
    }
    for (int u = 0; u < groups->n_units; u++)
        score[u] = criterion == AMC_CRITERION_BN ? score[u] * reads[u] : score[u] + reads[u];
    free(reads);
    return score;
}
