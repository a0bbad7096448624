#include "host/lasso_choice.h"

#include "base/memory.h"
#include "kernels/gemm.h"
#include "kernels/lasso.h"
#include "model/importance.h"

#include <stdlib.h>

// The unit of the group that each input channel of the layer is; -1 for those of other groups.
static int *units_of_inputs(const amc_grams *grams, const amc_channel_group *group, int l) {
    int c = grams->graph->layers[l].c, *unit = amc_memory_alloc((size_t)c, sizeof *unit);
    const int *in = amc_channel_groups_input(grams->groups, grams->graph, l, 0);
    for (int i = 0; i < c; i++) {
        unit[i] = -1;
        for (int k = 0; k < group->n_units; k++)
            if (in[i] == group->units[k]) unit[i] = k;
    }
    return unit;
}

// (d, d) W^T W of the layer's filters, each taken times its factor.
static float *products_of_weights(const amc_layer_weights *w, int d) {
    float *scaled = amc_memory_copy(w->weights, (size_t)w->n * d, sizeof *scaled);
    float *products = amc_memory_alloc((size_t)d * d, sizeof *products);
    for (int o = 0; o < w->n; o++)
        for (int i = 0; i < d; i++) scaled[(size_t)o * d + i] *= (float)amc_importance_factor(w, o);
    amc_gemm(true, false, d, d, w->n, 1, scaled, d, scaled, d, 0, products, d);
    free(scaled);
    return products;
}

// Adds E[y_u . y_v], where y_u is what unit u contributes to the layer's outputs.
static void add_products(const amc_grams *grams, const amc_channel_group *group, int l,
                         double *sums) {
    const amc_gram *g = &grams->layers[l];
    int *unit = units_of_inputs(grams, group, l), n = group->n_units;
    float *products = products_of_weights(&grams->weights->layers[l], g->d);
    for (int i = 0; i < g->d; i++) {
        int u = unit[i / g->each];
        if (u < 0) continue;
        for (int j = 0; j < g->d; j++) {
            int v = unit[j / g->each];
            size_t at = (size_t)i * g->d + j;
            if (v >= 0) sums[(size_t)u * n + v] += (double)g->moments[at] * products[at];
        }
    }
    free(products);
    free(unit);
}

static void score_group(const amc_grams *grams, const amc_channel_group *group, double *score) {
    int n = group->n_units, readers = 0;
    double *products = amc_memory_alloc((size_t)n * n, sizeof *products);
    for (int k = 0; k < group->n_consumers; k++) {
        if (!grams->layers[group->consumers[k]].d) continue;
        add_products(grams, group, group->consumers[k], products);
        readers++;
    }
    if (readers) {
        double *last = amc_memory_alloc((size_t)n, sizeof *last);
        amc_lasso_path(products, n, last);
        for (int k = 0; k < n; k++) score[group->units[k]] = last[k];
        free(last);
    }
    free(products);
}

void amc_lasso_choice_score(const amc_grams *grams, double *score) {
#pragma omp parallel for schedule(dynamic)
    for (int g = 0; g < grams->groups->n; g++)
        if (grams->groups->groups[g].prunable) score_group(grams, &grams->groups->groups[g], score);
}
