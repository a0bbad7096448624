#include "host/weight_elimination.h"

#include "base/memory.h"
#include "kernels/surgeon.h"
#include "kernels/weight_order.h"
#include "model/importance.h"

#include <stdlib.h>

static void score_filter(const amc_layer_weights *w, int f, int d, const double *inverse,
                         float *scores) {
    double *cost = amc_memory_alloc((size_t)d, sizeof *cost), factor = amc_importance_factor(w, f);
    amc_weight_order_cost(inverse, d, w->weights + (size_t)f * d, cost);
    for (int i = 0; i < d; i++) scores[(size_t)f * d + i] = (float)(factor * factor * cost[i]);
    free(cost);
}

void amc_weight_elimination_score(const amc_grams *grams, amc_weights *scores) {
    for (int l = 0; l < grams->graph->n; l++) {
        const amc_gram *g = &grams->layers[l];
        if (!g->d) continue;
        double *inverse = amc_surgeon_invert(g->moments, g->d, AMC_GRAMS_RIDGE);
#pragma omp parallel for schedule(dynamic)
        for (int f = 0; f < grams->graph->layers[l].out_c; f++)
            score_filter(&grams->weights->layers[l], f, g->d, inverse, scores->layers[l].weights);
        free(inverse);
    }
}
