// Times that are made up for the layers of a network: they are as uneven as noise makes them, and
// stay the same over some counts.

#ifndef AMC_TESTS_SUPPORT_LATENCIES_H
#define AMC_TESTS_SUPPORT_LATENCIES_H

#include "support/networks.h"

// The caller frees the table, after the network.
static inline amc_latency_table *latencies_new(const networks_net *net, amc_rng *rng) {
    amc_latency_table *table = amc_latency_table_new();
    for (int l = 0; l < net->graph->n; l++) {
        const amc_layer *layer = &net->graph->layers[l];
        int in[] = {1, layer->c / 2 + 2, layer->c + 3};
        int out[] = {1, layer->out_c / 3 + 2, layer->out_c + 3};
        int64_t ns[9];
        for (int i = 0; i < 9; i++)
            ns[i] = 100 + (int64_t)amc_rng_below(rng, 1000) * (1 + i / 3) * (1 + i % 3);
        char *kind = amc_latency_table_kind(net->graph, net->cfg, l);
        amc_latency_grid grid = {kind, 3, 3, in, out, ns};
        amc_latency_table_add(table, &grid);
        free(kind);
    }
    return table;
}

static inline void latencies_set(const networks_net *net, const amc_latency_table *table) {
    const amc_latency_grid **grids = amc_latency_table_of(table, net->graph, net->cfg);
    amc_prune_space_set_latency(net->space, grids);
    free(grids);
}

#endif
