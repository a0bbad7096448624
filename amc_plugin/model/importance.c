#include "model/importance.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

// Darknet's CPU batch normalization divides by sqrt(variance) + this.
#define BN_EPSILON 1e-6

static double square_sum(const float *values, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)values[i] * values[i];
    return sum;
}

// What filter o multiplies its sum by: gamma / sigma.
static double read_factor(const amc_layer_weights *w, int o) {
    return w->scales ? w->scales[o] / (sqrt(w->variances[o]) + BN_EPSILON) : 1;
}

// Variance of what filter o sends on, before its activation: batch normalization makes it gamma^2,
// or 0 if the filter's sum never varies; without, inputs of variance 1 are assumed.
static double made_variance(const amc_layer_weights *w, int o) {
    int64_t per = w->n_weights / w->n;
    double factor = read_factor(w, o);
    return factor * factor * (w->scales ? w->variances[o] : square_sum(w->weights + o * per, per));
}

// Adds the squared weights of layer l that read each unit.
static void add_reads(const amc_layer *layer, const amc_layer_weights *w, const int *in,
                      double *reads) {
    int inputs = layer->c / layer->groups, block = layer->out_c / layer->groups;
    int64_t per = w->n_weights / w->n / inputs;
    for (int o = 0; o < layer->out_c; o++) {
        double factor = read_factor(w, o);
        for (int i = 0; i < inputs; i++)
            reads[in[o / block * inputs + i]] +=
                factor * factor * square_sum(w->weights + ((int64_t)o * inputs + i) * per, per);
    }
}

double *amc_importance_new(const amc_layer_graph *graph, const amc_channel_groups *groups,
                           const amc_weights *weights) {
    double *score = amc_memory_alloc((size_t)groups->n_units, sizeof *score);
    double *reads = amc_memory_alloc((size_t)groups->n_units, sizeof *reads);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        const amc_layer_weights *w = &weights->layers[l];
        if (layer->flow != AMC_FLOW_MAKES) continue;
        for (int o = 0; o < layer->out_c; o++) score[groups->unit[l][o]] += made_variance(w, o);
        add_reads(layer, w, amc_channel_groups_input(groups, graph, l, 0), reads);
    }
    for (int u = 0; u < groups->n_units; u++) score[u] *= reads[u];
    free(reads);
    return score;
}
