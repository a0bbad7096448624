#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/network.h"
#include "cmd/options.h"
#include "model/cost_model.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// How far a network can be pruned.
typedef struct prospects {
    int prunable;          // groups
    double prunable_share; // of the MACs: in layers that make channels of a prunable group
    double smallest_share; // of the MACs: left when each group keeps one unit
} prospects;

static bool is_prunable(const amc_network *network, int l) {
    const amc_layer *layer = &network->graph->layers[l];
    for (int o = 0; layer->flow == AMC_FLOW_MAKES && o < layer->out_c; o++)
        if (network->groups->groups[network->groups->group_of[network->groups->unit[l][o]]]
                .prunable)
            return true;
    return false;
}

static prospects look_ahead(const amc_network *network) {
    const amc_channel_groups *groups = network->groups;
    prospects p = {0};
    int64_t all = amc_cost_macs(network->graph), in_prunable = 0;
    int *counts = amc_memory_alloc((size_t)groups->n, sizeof *counts);
    for (int g = 0; g < groups->n; g++) {
        counts[g] = groups->groups[g].prunable ? 1 : groups->groups[g].n_units;
        p.prunable += groups->groups[g].prunable;
    }
    for (int l = 0; l < network->graph->n; l++)
        if (is_prunable(network, l)) in_prunable += amc_cost_layer_macs(&network->graph->layers[l]);
    amc_cost_model *cost = amc_cost_model_new(network->graph, groups);
    p.prunable_share = all ? (double)in_prunable / (double)all : 0;
    p.smallest_share = all ? (double)amc_cost_model_macs(cost, counts) / (double)all : 1;
    amc_cost_model_free(cost);
    free(counts);
    return p;
}

// The groups of the channels that layer l makes: groups[] has room for all of them. A layer whose
// width exceeds that of a shortcut's other side has several.
static int list_groups(const amc_network *network, int l, int *groups) {
    const amc_layer *layer = &network->graph->layers[l];
    int n = 0;
    for (int o = 0; layer->flow == AMC_FLOW_MAKES && o < layer->out_c; o++) {
        int g = network->groups->group_of[network->groups->unit[l][o]], i = 0;
        while (i < n && groups[i] != g) i++;
        if (i == n) groups[n++] = g;
    }
    return n;
}

static void print_groups_of(const amc_network *network, int l) {
    int *groups = amc_memory_alloc((size_t)network->groups->n, sizeof *groups);
    int n = list_groups(network, l, groups), pruned = 0;
    for (int i = 0; i < n; i++) {
        printf(i ? ",%d" : "%d", groups[i]);
        pruned += network->groups->groups[groups[i]].prunable;
    }
    if (n && pruned < n) printf(pruned ? " (in part)" : " (whole)");
    free(groups);
}

static void print_layer(const amc_network *network, int l) {
    const amc_layer *layer = &network->graph->layers[l];
    char input[32], output[32], kernel[16] = "";
    snprintf(input, sizeof input, "%dx%dx%d", layer->w, layer->h, layer->c);
    snprintf(output, sizeof output, "%dx%dx%d", layer->out_w, layer->out_h, layer->out_c);
    if (layer->size)
        snprintf(kernel, sizeof kernel, "%dx%d/%d", layer->size, layer->size, layer->stride);
    printf("%5d  %-15s  %-7s  %-13s  %-13s", l, amc_layer_type_name(layer->type), kernel, input,
           output);
    if (amc_cost_layer_params(layer)) {
        printf("  %8s  %8s  ", amc_cmd_count(amc_cost_layer_macs(layer)),
               amc_cmd_count(amc_cost_layer_params(layer)));
        print_groups_of(network, l);
    }
    printf("\n");
}

// Layers as a person would list them, "convolutional 0, 3, 5; shortcut 7", in lines of 100 columns.
static void print_layers(const amc_network *network, const char *what, const int *layers, int n) {
    int column = printf("    %-9s", what);
    for (int i = 0; i < n; i++) {
        amc_layer_type type = network->graph->layers[layers[i]].type;
        bool same = i > 0 && network->graph->layers[layers[i - 1]].type == type;
        char text[32];
        if (i) column += printf(same ? "," : ";");
        snprintf(text, sizeof text, same ? " %.0s%d" : " %s %d", amc_layer_type_name(type),
                 layers[i]);
        if (column + (int)strlen(text) > 98) column = printf("\n%13s", "") - 1;
        column += printf("%s", text);
    }
    printf(n ? "\n" : " nothing\n");
}

// "64 channels", or what a unit is where it isn't one channel: "32 units (4 channels of layer 2)".
static void print_units(const amc_network *network, int g) {
    const amc_channel_group *group = &network->groups->groups[g];
    const char *separator = " units (";
    printf("%d", group->n_units);
    for (int i = 0; i < group->n_layers; i++) {
        int each = amc_channel_groups_each(network->groups, network->graph, g, group->layers[i]);
        if (each == 1) continue;
        printf("%s%d channels of layer %d", separator, each, group->layers[i]);
        separator = ", ";
    }
    printf(*separator == ',' ? ")" : " channels");
}

static void print_group(const amc_network *network, int g) {
    const amc_channel_group *group = &network->groups->groups[g];
    printf("group %d: ", g);
    print_units(network, g);
    printf(group->prunable ? ", prunable\n" : ", not prunable: %s\n", group->why);
    print_layers(network, "made by", group->layers, group->n_layers);
    if (group->n_followers)
        print_layers(network, "passed by", group->followers, group->n_followers);
    print_layers(network, "read by", group->consumers, group->n_consumers);
}

static void print_table(const amc_network *network) {
    printf("layer  %-15s  %-7s  %-13s  %-13s  %8s  %8s  groups\n", "type", "kernel", "input",
           "output", "MACs", "params");
    for (int l = 0; l < network->graph->n; l++) print_layer(network, l);
    printf(
        "\nChannels that are kept or removed together; prunable where only filters make and read "
        "them:\n");
    for (int g = 0; g < network->groups->n; g++) print_group(network, g);
    prospects p = look_ahead(network);
    printf(
        "\ntotal: %s MACs, %s parameters\n"
        "prunable: %d of %d groups; their filters do %.1f%% of the MACs, the smallest network that "
        "can be left %.2f%%\n",
        amc_cmd_count(amc_cost_macs(network->graph)),
        amc_cmd_count(amc_cost_params(network->graph)), p.prunable, network->groups->n,
        100 * p.prunable_share, ceil(1e4 * p.smallest_share) / 100); // a budget that can be met
}

static cJSON *shape_json(int c, int h, int w) {
    return cJSON_CreateIntArray((int[]){c, h, w}, 3);
}

// cJSON makes nothing of a list that is NULL.
static cJSON *list_json(const int *list, int n) {
    return n ? cJSON_CreateIntArray(list, n) : cJSON_CreateArray();
}

static cJSON *layer_json(const amc_network *network, int l) {
    const amc_layer *layer = &network->graph->layers[l];
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "index", l);
    cJSON_AddStringToObject(json, "type", amc_layer_type_name(layer->type));
    cJSON_AddNumberToObject(json, "line", layer->line);
    cJSON_AddItemToObject(json, "input", shape_json(layer->c, layer->h, layer->w));
    cJSON_AddItemToObject(json, "output", shape_json(layer->out_c, layer->out_h, layer->out_w));
    cJSON_AddNumberToObject(json, "macs", (double)amc_cost_layer_macs(layer));
    cJSON_AddNumberToObject(json, "params", (double)amc_cost_layer_params(layer));
    int *groups = amc_memory_alloc((size_t)network->groups->n, sizeof *groups);
    int n = list_groups(network, l, groups);
    cJSON_AddItemToObject(json, "groups", list_json(groups, n));
    free(groups);
    return json;
}

static cJSON *group_json(const amc_channel_group *group) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "layers", list_json(group->layers, group->n_layers));
    cJSON_AddItemToObject(json, "followers", list_json(group->followers, group->n_followers));
    cJSON_AddItemToObject(json, "consumers", list_json(group->consumers, group->n_consumers));
    cJSON_AddNumberToObject(json, "units", group->n_units);
    cJSON_AddBoolToObject(json, "prunable", group->prunable);
    if (group->why) cJSON_AddStringToObject(json, "why", group->why);
    return json;
}

static void print_json(const amc_network *network) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "macs", (double)amc_cost_macs(network->graph));
    cJSON_AddNumberToObject(root, "params", (double)amc_cost_params(network->graph));
    prospects p = look_ahead(network);
    cJSON_AddNumberToObject(root, "prunable_share", p.prunable_share);
    cJSON_AddNumberToObject(root, "smallest_share", p.smallest_share);
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (int l = 0; l < network->graph->n; l++)
        cJSON_AddItemToArray(layers, layer_json(network, l));
    cJSON *groups = cJSON_AddArrayToObject(root, "groups");
    for (int g = 0; g < network->groups->n; g++)
        cJSON_AddItemToArray(groups, group_json(&network->groups->groups[g]));
    amc_cmd_print_json(root);
    cJSON_Delete(root);
}

int amc_cmd_info(int argc, char **argv) {
    bool json = false;
    const amc_option table[] = {
        AMC_OPTION_JSON(&json),
    };
    const amc_options options = {
        .command = "info",
        .summary =
            "Shows each layer with its multiply-accumulates (MACs), its parameters and the groups\n"
            "of channels that it makes; then each group: the layers that make its channels, pass\n"
            "them on and read them, and whether it can be pruned. Weights, if given, are checked\n"
            "against the .cfg.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
    };
    amc_files_given files;
    amc_error err;
    int status = amc_options_parse(&options, argc, argv, &files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    amc_network *network = amc_network_load(files.cfg, files.weights, AMC_WEIGHTS_IF_GIVEN, &err);
    if (!network) return amc_cmd_fail(&err);
    if (json)
        print_json(network);
    else
        print_table(network);
    amc_network_free(network);
    return 0;
}
