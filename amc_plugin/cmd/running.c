#include "cmd/running.h"

#include "cmd/commands.h"
#include "host/latency_probe.h"
#include "model/activation_memory.h"

#include <stdio.h>
#include <stdlib.h>

#define MOST_OFF 1.5 // predictions, before it is said

static int open_latency(amc_running *running, amc_prune_space *space, amc_latency_options options,
                        amc_error *err) {
    const amc_network *network = running->network;
    running->table = amc_latency_cache_load(network, options, err);
    if (!running->table) return -1;
    const amc_latency_grid **grids =
        amc_latency_table_of(running->table, network->graph, network->cfg);
    amc_prune_space_set_latency(space, grids);
    free(grids);
    return 0;
}

int amc_running_open(amc_running *running, const amc_aim *aim, const amc_network *network,
                     amc_prune_space *space, amc_latency_options options, amc_error *err) {
    *running = (amc_running){.aim = aim, .network = network, .space = space};
    return aim->given[AMC_RESOURCE_LATENCY] ? open_latency(running, space, options, err) : 0;
}

void amc_running_close(amc_running *running) {
    amc_latency_table_free(running->table);
    *running = (amc_running){0};
}

// Tables that were measured while the machine did something else are far off, and are kept.
static void warn_of_prediction(const amc_running *running, const amc_network *pruned) {
    const amc_network *network = running->network;
    double share = 1 / running->speed_up;
    double predicted =
        (double)amc_prune_space_graph_cost(running->space, AMC_RESOURCE_LATENCY, pruned->graph) /
        (double)amc_prune_space_graph_cost(running->space, AMC_RESOURCE_LATENCY, network->graph);
    if (share < predicted * MOST_OFF && share > predicted / MOST_OFF) return;
    fprintf(stderr,
            "%s: warning: %.0f%% of the time was predicted, %.0f%% is measured; the machine was "
            "busy when layers were measured, or is now. -remeasure measures them anew\n",
            network->cfg_path, 100 * predicted, 100 * share);
}

static int compare_latency(amc_running *running, const amc_network *pruned, amc_error *err) {
    const amc_network *network = running->network;
    amc_latency_pair pair;
    if (amc_latency_pair_measure(&pair, network->cfg_path, network->graph, network->weights,
                                 pruned->graph, pruned->weights, (amc_latency_effort){0, 2},
                                 err) < 0)
        return -1;
    running->before_ms = pair.whole.total.median / 1e6;
    running->after_ms = pair.small.total.median / 1e6;
    running->speed_up = 1 / pair.share;
    amc_latency_pair_clear(&pair);
    warn_of_prediction(running, pruned);
    return 0;
}

int amc_running_compare(amc_running *running, const amc_network *pruned, amc_error *err) {
    running->before_bytes = amc_activation_memory_peak(running->network->graph);
    running->after_bytes = amc_activation_memory_peak(pruned->graph);
    return running->aim->given[AMC_RESOURCE_LATENCY] ? compare_latency(running, pruned, err) : 0;
}

void amc_running_add_json(const amc_running *running, cJSON *json) {
    if (running->aim->given[AMC_RESOURCE_LATENCY]) {
        cJSON_AddNumberToObject(json, "latency_ms", running->after_ms);
        cJSON_AddNumberToObject(json, "latency_ms_before", running->before_ms);
    }
    if (running->aim->given[AMC_RESOURCE_MEMORY]) {
        cJSON_AddNumberToObject(json, "memory_bytes", (double)running->after_bytes);
        cJSON_AddNumberToObject(json, "memory_bytes_before", (double)running->before_bytes);
    }
}

void amc_running_print(const amc_running *running) {
    if (running->aim->given[AMC_RESOURCE_LATENCY])
        printf("milliseconds an image %.3g -> %.3g, %.2f times as fast (measured in turn)\n",
               running->before_ms, running->after_ms, running->speed_up);
    if (running->aim->given[AMC_RESOURCE_MEMORY])
        printf("bytes of activations %s -> %s (%.2f%%)\n", amc_cmd_count(running->before_bytes),
               amc_cmd_count(running->after_bytes),
               100 * (double)running->after_bytes / (double)running->before_bytes);
}
