#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/network.h"
#include "cmd/options.h"
#include "model/cost_model.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

// The groups of the channels that layer l makes: groups[] has room for all of them. A layer whose
// width exceeds that of a shortcut's other side has several.
static int list_groups(const amc_network *network, int l, int *groups) {
    const amc_layer *layer = &network->graph->layers[l];
    int n = 0;
    for (int o = 0; amc_layer_has_weights(layer) && o < layer->out_c; o++) {
        int g = network->groups->group_of[network->groups->unit[l][o]], i = 0;
        while (i < n && groups[i] != g) i++;
        if (i == n) groups[n++] = g;
    }
    return n;
}

static void print_groups(const amc_network *network, int l) {
    int *groups = amc_memory_alloc((size_t)network->groups->n, sizeof *groups);
    int n = list_groups(network, l, groups), width = 0;
    const char *why = NULL;
    for (int i = 0; i < n; i++) {
        width += printf(i ? ",%d" : "%d", groups[i]);
        if (!network->groups->groups[groups[i]].prunable)
            why = network->groups->groups[groups[i]].why;
    }
    printf("%*s  %s", width < 7 ? 7 - width : 0, "", why ? why : "yes");
    free(groups);
}

static void print_layer(const amc_network *network, int l) {
    const amc_layer *layer = &network->graph->layers[l];
    char input[32], output[32], kernel[16] = "";
    snprintf(input, sizeof input, "%dx%dx%d", layer->w, layer->h, layer->c);
    snprintf(output, sizeof output, "%dx%dx%d", layer->out_w, layer->out_h, layer->out_c);
    if (layer->size)
        snprintf(kernel, sizeof kernel, "%dx%d/%d", layer->size, layer->size, layer->stride);
    printf("%5d  %-13s  %-7s  %-13s  %-13s  ", l, amc_layer_type_name(layer->type), kernel, input,
           output);
    if (amc_layer_has_weights(layer)) {
        printf("%8s  %8s  ", amc_cmd_count(amc_cost_layer_macs(layer)),
               amc_cmd_count(amc_cost_layer_params(layer)));
        print_groups(network, l);
    }
    printf("\n");
}

static void print_table(const amc_network *network) {
    printf("layer  %-13s  %-7s  %-13s  %-13s  %8s  %8s  group    prunable\n", "type", "kernel",
           "input", "output", "MACs", "params");
    for (int l = 0; l < network->graph->n; l++) print_layer(network, l);
    int prunable = 0;
    for (int g = 0; g < network->groups->n; g++) prunable += network->groups->groups[g].prunable;
    printf("total: %s MACs, %s parameters, %d of %d channel groups prunable\n",
           amc_cmd_count(amc_cost_macs(network->graph)),
           amc_cmd_count(amc_cost_params(network->graph)), prunable, network->groups->n);
}

static cJSON *shape_json(int c, int h, int w) {
    return cJSON_CreateIntArray((int[]){c, h, w}, 3);
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
    cJSON_AddItemToObject(json, "groups", cJSON_CreateIntArray(groups, n));
    free(groups);
    return json;
}

static cJSON *group_json(const amc_channel_group *group) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "layers", cJSON_CreateIntArray(group->layers, group->n_layers));
    cJSON_AddItemToObject(json, "consumers",
                          cJSON_CreateIntArray(group->consumers, group->n_consumers));
    cJSON_AddNumberToObject(json, "units", group->n_units);
    cJSON_AddBoolToObject(json, "prunable", group->prunable);
    if (group->why) cJSON_AddStringToObject(json, "why", group->why);
    return json;
}

static void print_json(const amc_network *network) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "macs", (double)amc_cost_macs(network->graph));
    cJSON_AddNumberToObject(root, "params", (double)amc_cost_params(network->graph));
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (int l = 0; l < network->graph->n; l++)
        cJSON_AddItemToArray(layers, layer_json(network, l));
    cJSON *groups = cJSON_AddArrayToObject(root, "groups");
    for (int g = 0; g < network->groups->n; g++)
        cJSON_AddItemToArray(groups, group_json(&network->groups->groups[g]));
    amc_cmd_print_json(root);
}

int amc_cmd_info(int argc, char **argv) {
    bool json = false;
    const amc_option table[] = {
        AMC_OPTION_JSON(&json),
    };
    const amc_options options = {
        .command = "info",
        .summary =
            "Shows each layer with its multiply-accumulates (MACs), its parameters, the group\n"
            "of channels it belongs to and whether that can be pruned. Weights, if given, are\n"
            "checked against the .cfg.",
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
