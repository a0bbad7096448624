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

// Squared norm of filter o as the network uses it: batch normalization multiplies the filter by
// gamma / sigma, so the raw weights alone say nothing about its size.
static double filter_energy(const amc_layer_weights *w, int o) {
    int64_t per = w->n_weights / w->n;
    double factor = w->scales ? w->scales[o] / (sqrt(w->variances[o]) + BN_EPSILON) : 1;
    return factor * factor * square_sum(w->weights + o * per, per);
}

double *amc_importance_new(const amc_layer_graph *graph, const amc_channel_groups *groups,
                           const amc_weights *weights) {
    double *score = amc_memory_alloc((size_t)groups->n_units, sizeof *score);
    for (int l = 0; l < graph->n; l++) {
        if (!amc_layer_has_weights(&graph->layers[l])) continue;
        for (int o = 0; o < graph->layers[l].out_c; o++)
            score[groups->unit[l][o]] += filter_energy(&weights->layers[l], o);
    }
    return score;
}
