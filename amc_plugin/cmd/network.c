#include "cmd/network.h"

#include "base/files.h"
#include "base/memory.h"
#include "model/dialect.h"
#include "model/weight_ranking.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// weights/<name>.weights, else the one beside the .cfg, where this program writes them. New text.
static char *usual_weights(const amc_network *network) {
    char *usual = amc_memory_text("weights/%s.weights", network->name);
    char *beside = amc_network_beside(network, ".weights");
    bool take_beside = !amc_files_exists(usual) && amc_files_exists(beside);
    free(take_beside ? usual : beside);
    return take_beside ? beside : usual;
}

static int load_weights(amc_network *network, const char *path, amc_network_weights need,
                        amc_error *err) {
    if (!path && need == AMC_WEIGHTS_IF_GIVEN) return 0;
    if (need == AMC_WEIGHTS_TO_SCORE && amc_network_check_scored(network, err) < 0) return -1;
    network->weights_path = path ? amc_memory_text("%s", path) : usual_weights(network);
    if (!path && !amc_files_exists(network->weights_path))
        return amc_error_set(err,
                             "%s: can't be opened; expected it there, beside the .cfg, or a "
                             ".weights file after %s",
                             network->weights_path, network->cfg_path);
    network->weights = amc_weights_load(network->weights_path, network->graph, err);
    return network->weights ? 0 : -1;
}

int amc_network_check_scored(const amc_network *network, amc_error *err) {
    amc_layer_type last = network->graph->layers[amc_layer_graph_output(network->graph)].type;
    if (!amc_layer_detects(last)) return 0;
    return amc_error_set(
        err,
        "%s: ends in a [%s] layer; accuracy is that of classifiers, so detectors can "
        "be pruned by amc prune, but not scored",
        network->cfg_path, amc_layer_type_name(last));
}

// Misspelt keys make another network. Files that this program writes have the same keys: they are
// told once.
static void warn_of_unread_keys(const amc_cfg_text *cfg) {
    static bool told;
    if (told) return;
    told = true;
    for (int i = amc_dialect_unread(cfg, 0); i < cfg->n_lines; i = amc_dialect_unread(cfg, i + 1))
        fprintf(stderr, "%s:%d: warning: %s= is no key that Darknet reads; it is ignored\n",
                cfg->path, i + 1, cfg->lines[i].key);
}

amc_network *amc_network_load(const char *cfg_path, const char *weights_path,
                              amc_network_weights need, amc_error *err) {
    amc_network *network = amc_memory_alloc(1, sizeof *network);
    network->name = amc_files_stem(cfg_path);
    network->cfg_path = amc_memory_text("%s", cfg_path);
    network->cfg = amc_cfg_text_load(cfg_path, err);
    network->graph = network->cfg ? amc_layer_graph_new(network->cfg, err) : NULL;
    if (network->graph) warn_of_unread_keys(network->cfg);
    network->groups = network->graph ? amc_channel_groups_new(network->graph) : NULL;
    if (network->graph)
        network->skipped = amc_memory_alloc((size_t)network->graph->n, sizeof(bool));
    if (network->groups && load_weights(network, weights_path, need, err) == 0) return network;
    amc_network_free(network);
    return NULL;
}

void amc_network_free(amc_network *network) {
    if (!network) return;
    amc_weights_free(network->weights);
    amc_channel_groups_free(network->groups);
    free(network->skipped);
    amc_layer_graph_free(network->graph);
    amc_cfg_text_free(network->cfg);
    free(network->weights_path);
    free(network->cfg_path);
    free(network->name);
    free(network);
}

int amc_network_skip(amc_network *network, const char *layers, amc_error *err) {
    for (const char *at = layers; at;) {
        char *end;
        errno = 0;
        long layer = strtol(at, &end, 10);
        if (end == at || (*end && *end != ',') || errno || layer < 0 || layer > INT_MAX)
            return amc_error_set(err, "-skip %s, expected layer numbers such as 0,3,12", layers);
        if (amc_channel_groups_skip(network->groups, network->graph, (int)layer, err) < 0)
            return -1;
        network->skipped[layer] = true;
        at = *end ? end + 1 : NULL;
    }
    return 0;
}

amc_prune_space *amc_network_space(const amc_network *network, amc_granularity granularity) {
    return granularity == AMC_GRANULARITY_CHANNEL
               ? amc_prune_space_of_channels(network->graph, network->groups)
               : amc_prune_space_of_weights(network->graph, network->skipped);
}

int64_t amc_network_cost(const amc_network *network, amc_granularity granularity,
                         amc_resource resource) {
    if (granularity == AMC_GRANULARITY_CHANNEL)
        return resource == AMC_RESOURCE_MACS ? amc_cost_macs(network->graph)
                                             : amc_cost_params(network->graph);
    amc_prune_space *space = amc_network_space(network, granularity);
    int *counts = amc_memory_alloc((size_t)space->n, sizeof *counts);
    amc_weight_ranking_count(space, network->weights, counts);
    int64_t cost = amc_prune_space_cost(space, resource, counts);
    free(counts);
    amc_prune_space_free(space);
    return cost;
}

char *amc_network_beside(const amc_network *network, const char *ending) {
    const char *slash = strrchr(network->cfg_path, '/');
    int folder = slash ? (int)(slash + 1 - network->cfg_path) : 0;
    return amc_memory_text("%.*s%s%s", folder, network->cfg_path, network->name, ending);
}

char *amc_network_data_path(const amc_network *network, const char *given) {
    if (given) return amc_memory_text("%s", given);
    return amc_network_beside(network, ".data");
}
