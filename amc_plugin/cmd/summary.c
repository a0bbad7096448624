#include "cmd/summary.h"

#include "base/files.h"
#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/shell.h"
#include "host/data_file.h"
#include "model/cost_model.h"
#include "model/weight_ranking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t compressed_size(const amc_network *network) {
    return (int64_t)amc_weights_compressed_size(network->weights, network->graph);
}

static void add_layer(cJSON *layers, const amc_layer_graph *graph, int l, int before, int after) {
    cJSON *layer = cJSON_CreateObject();
    cJSON_AddNumberToObject(layer, "layer", l);
    cJSON_AddStringToObject(layer, "type", amc_layer_type_name(graph->layers[l].type));
    cJSON_AddNumberToObject(layer, "before", before);
    cJSON_AddNumberToObject(layer, "after", after);
    cJSON_AddItemToArray(layers, layer);
}

static void add_channels(cJSON *layers, const amc_layer_graph *before,
                         const amc_layer_graph *after) {
    for (int l = 0; l < before->n; l++)
        if (before->layers[l].flow == AMC_FLOW_MAKES)
            add_layer(layers, before, l, before->layers[l].out_c, after->layers[l].out_c);
}

// Weights that aren't zero.
static void add_weights(cJSON *layers, const amc_network *pruned) {
    amc_prune_space *space = amc_network_space(pruned, AMC_GRANULARITY_WEIGHT);
    int *counts = amc_memory_alloc((size_t)space->n, sizeof *counts);
    amc_weight_ranking_count(space, pruned->weights, counts);
    for (int g = 0; g < space->n; g++)
        add_layer(layers, pruned->graph, space->groups[g].layers[0], space->groups[g].n_units,
                  counts[g]);
    free(counts);
    amc_prune_space_free(space);
}

static void add_pair(cJSON *json, const char *key, double after, double before) {
    char *key_before = amc_memory_text("%s_before", key);
    cJSON_AddNumberToObject(json, key, after);
    cJSON_AddNumberToObject(json, key_before, before);
    free(key_before);
}

cJSON *amc_summary_json(const amc_output *output, const amc_network *pruned) {
    const amc_network *network = output->network;
    bool by_weights = output->granularity == AMC_GRANULARITY_WEIGHT;
    char *command = amc_shell_line(NULL);
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "command", command);
    cJSON_AddStringToObject(json, "original_cfg", network->cfg_path);
    cJSON_AddStringToObject(json, "original_weights", network->weights_path);
    cJSON_AddStringToObject(json, "cfg", output->cfg_path);
    cJSON_AddStringToObject(json, "weights", output->weights_path);
    cJSON_AddStringToObject(json, "granularity", by_weights ? "weight" : "channel");
    add_pair(json, "macs", (double)amc_cost_macs(pruned->graph),
             (double)amc_cost_macs(network->graph));
    add_pair(json, "params",
             (double)amc_network_cost(pruned, output->granularity, AMC_RESOURCE_PARAMS),
             (double)amc_network_cost(network, output->granularity, AMC_RESOURCE_PARAMS));
    if (by_weights)
        add_pair(json, "zstd_bytes", (double)compressed_size(pruned),
                 (double)compressed_size(network));
    else
        add_pair(json, "bytes", (double)amc_weights_file_size(pruned->graph),
                 (double)amc_weights_file_size(network->graph));
    cJSON *layers = cJSON_AddArrayToObject(json, "layers");
    if (by_weights)
        add_weights(layers, pruned);
    else
        add_channels(layers, network->graph, pruned->graph);
    free(command);
    return json;
}

static void print_change(const char *what, int64_t before, int64_t after) {
    printf("%s %s -> %s (%.2f%%)", what, amc_cmd_count(before), amc_cmd_count(after),
           before ? 100 * (double)after / (double)before : 100.0);
}

static void print_channels(const amc_layer_graph *before, const amc_layer_graph *after) {
    printf("layer  type           channels\n");
    for (int l = 0; l < before->n; l++)
        if (before->layers[l].flow == AMC_FLOW_MAKES)
            printf("%5d  %-13s  %4d -> %4d\n", l, amc_layer_type_name(before->layers[l].type),
                   before->layers[l].out_c, after->layers[l].out_c);
}

// Weights that aren't zero of each layer.
static void print_densities(const amc_network *pruned) {
    amc_prune_space *space = amc_network_space(pruned, AMC_GRANULARITY_WEIGHT);
    int *counts = amc_memory_alloc((size_t)space->n, sizeof *counts);
    amc_weight_ranking_count(space, pruned->weights, counts);
    printf("layer  type            weights    density\n");
    for (int g = 0; g < space->n; g++) {
        const amc_prune_group *group = &space->groups[g];
        amc_layer_type type = pruned->graph->layers[group->layers[0]].type;
        printf("%5d  %-13s  %8s  %8.2f%%\n", group->layers[0], amc_layer_type_name(type),
               amc_cmd_count(group->n_units), 100.0 * counts[g] / group->n_units);
    }
    free(counts);
    amc_prune_space_free(space);
}

void amc_summary_print(const amc_output *output, const amc_network *pruned) {
    const amc_layer_graph *before = output->network->graph, *after = pruned->graph;
    if (output->granularity == AMC_GRANULARITY_CHANNEL)
        print_channels(before, after);
    else
        print_densities(pruned);
    if (output->granularity == AMC_GRANULARITY_WEIGHT) {
        print_change("bytes with zstd", compressed_size(output->network), compressed_size(pruned));
        printf("\n");
    }
    print_change("MACs", amc_cost_macs(before), amc_cost_macs(after));
    print_change(", parameters",
                 amc_network_cost(output->network, output->granularity, AMC_RESOURCE_PARAMS),
                 amc_network_cost(pruned, output->granularity, AMC_RESOURCE_PARAMS));
    printf("\n%s\n%s\n", output->cfg_path, output->weights_path);
}

#define DARKNET_BACKUP "/backup" // where it trains into without backup=

// Darknet doesn't make the folder that it trains into.
static void print_backup_command(const char *backup) {
    if (amc_files_exists(backup)) return;
    char *word = amc_shell_word(backup);
    printf("mkdir -p %s\n", word);
    free(word);
}

// Darknet's command for networks of this kind; yolo is that of version 1, which reads no .data
// file.
static const char *darknet_command(const amc_layer_graph *graph) {
    amc_layer_type last = graph->layers[amc_layer_graph_output(graph)].type;
    if (last == AMC_DETECTION) return "yolo";
    return amc_layer_detects(last) ? "detector" : "classifier";
}

// What training leaves: <backup>/<name of the .cfg>.weights, of detectors <name>_final.weights.
static char *trained_path(const amc_output *output, const char *command, const char *backup) {
    size_t length = strlen(backup);
    while (length > 1 && backup[length - 1] == '/') length--;
    char *name = amc_files_stem(output->cfg_path);
    char *path = amc_memory_text("%.*s/%s%s.weights", (int)length, backup, name,
                                 strcmp(command, "detector") == 0 ? "_final" : "");
    free(name);
    return path;
}

// Moves it beside the .cfg and returns where it is then. Takes `trained` over.
static char *print_move(const amc_output *output, char *trained) {
    char *kept =
        amc_memory_text("%s/%s-amc-trained.weights", output->folder, output->network->name);
    char *from = amc_shell_word(trained), *to = amc_shell_word(kept);
    printf("mv %s %s\n", from, to);
    free(from);
    free(to);
    free(trained);
    return kept;
}

static void print_command(const char *command, const char *action, const char *data,
                          const char *cfg_path, const char *weights_path) {
    char *program = amc_shell_word(program_invocation_name), *cfg = amc_shell_word(cfg_path);
    char *weights = amc_shell_word(weights_path);
    printf("%s %s %s %s%s%s %s\n", program, command, action, data, *data ? " " : "", cfg, weights);
    free(program);
    free(cfg);
    free(weights);
}

static void print_data_commands(const amc_output *output, const char *command,
                                const amc_data_file *file, bool move) {
    const char *backup = file->backup ? file->backup : DARKNET_BACKUP;
    char *data = amc_shell_word(file->path);
    char *weights = amc_memory_text("%s", output->weights_path);
    if (file->train) {
        print_backup_command(backup);
        print_command(command, "train", data, output->cfg_path, weights);
        free(weights);
        weights = trained_path(output, command, backup);
        if (move) weights = print_move(output, weights);
    }
    if (file->test) print_command(command, "valid", data, output->cfg_path, weights);
    free(weights);
    free(data);
}

void amc_summary_print_commands(const amc_output *output, const char *data_path, bool move) {
    const char *command = darknet_command(output->network->graph);
    if (strcmp(command, "yolo") == 0) {
        print_command(command, "train", "", output->cfg_path, output->weights_path);
        print_command(command, "valid", "", output->cfg_path, output->weights_path);
        return;
    }
    amc_error err;
    amc_data_file *file = amc_data_file_load(data_path, &err);
    if (file) print_data_commands(output, command, file, move);
    amc_data_file_free(file);
}
