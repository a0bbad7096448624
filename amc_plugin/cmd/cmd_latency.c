#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/latency_cache.h"
#include "cmd/options.h"
#include "host/gpu.h"
#include "host/latency_probe.h"
#include "model/cost_model.h"
#include "model/prune_plan.h"
#include "model/slice.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct latency_options {
    const char *policy;
    bool predict, json;
    int rounds;
    amc_latency_options cache;
} latency_options;

// What is measured, and what was found.
typedef struct subject {
    amc_network *network;   // as given
    amc_weights *weights;   // its own, or random ones
    amc_layer_graph *graph; // what a policy leaves of it; NULL without
    amc_weights *graph_weights;
    amc_latency_pair found;            // only `small` without a policy
    double predicted, whole_predicted; // nanoseconds; 0 where that wasn't asked for
    int64_t *layer_predicted;          // (layers); NULL then
} subject;

// ---- measuring ----------------------------------------------------------------------------------

// Which channels a policy keeps makes no difference, so those of ratios are the first ones.
static int apply_policy(subject *s, const char *path, amc_error *err) {
    const amc_network *network = s->network;
    double *score = amc_memory_alloc((size_t)network->groups->n_units, sizeof *score);
    amc_prune_plan *plan =
        amc_prune_plan_load(path, network->graph, network->groups, score, 1, err);
    free(score);
    if (!plan) return -1;
    s->graph = amc_slice_graph(network->graph, network->groups, plan);
    s->graph_weights = amc_slice_weights(network->graph, network->groups, plan, s->weights);
    amc_prune_plan_free(plan);
    return 0;
}

static int load(subject *s, const char *policy, const amc_files_given *files, amc_error *err) {
    s->network = amc_network_load(files->cfg, files->weights, AMC_WEIGHTS_IF_GIVEN, err);
    if (!s->network) return -1;
    s->weights = s->network->weights;
    s->network->weights = NULL;
    if (!s->weights) s->weights = amc_latency_probe_weights(s->network->graph);
    return policy ? apply_policy(s, policy, err) : 0;
}

static int measure(subject *s, amc_latency_effort effort, amc_error *err) {
    const amc_network *network = s->network;
    if (s->graph)
        return amc_latency_pair_measure(&s->found, network->cfg_path, network->graph, s->weights,
                                        s->graph, s->graph_weights, effort, err);
    amc_latency_probe *probe = amc_latency_probe_new(network->cfg_path, network->graph, err);
    if (!probe) return -1;
    amc_latency_probe_apply(probe, network->graph, s->weights);
    s->found.small = amc_latency_probe_measure(probe, effort);
    amc_latency_probe_free(probe);
    return 0;
}

// What the figures are of.
static const amc_layer_graph *graph_of(const subject *s) {
    return s->graph ? s->graph : s->network->graph;
}

static int64_t predict_layer(const amc_latency_grid *grid, const amc_layer *layer) {
    return amc_latency_grid_predict(grid, layer->c, layer->out_c);
}

// From times of the network as given, whatever a policy leaves of it.
static int predict(subject *s, amc_latency_options cache, amc_error *err) {
    const amc_layer_graph *graph = graph_of(s), *whole = s->network->graph;
    amc_latency_table *table = amc_latency_cache_load(s->network, cache, err);
    if (!table) return -1;
    const amc_latency_grid **grids = amc_latency_table_of(table, whole, s->network->cfg);
    s->layer_predicted = amc_memory_alloc((size_t)graph->n, sizeof *s->layer_predicted);
    for (int l = 0; l < graph->n; l++) {
        s->layer_predicted[l] = predict_layer(grids[l], &graph->layers[l]);
        s->predicted += (double)s->layer_predicted[l];
        s->whole_predicted += (double)predict_layer(grids[l], &whole->layers[l]);
    }
    free(grids);
    amc_latency_table_free(table);
    return 0;
}

static void clear(subject *s) {
    amc_latency_pair_clear(&s->found);
    free(s->layer_predicted);
    amc_weights_free(s->weights);
    amc_weights_free(s->graph_weights);
    amc_layer_graph_free(s->graph);
    amc_network_free(s->network);
}

// ---- printing -----------------------------------------------------------------------------------

// Two operations a multiply-accumulate.
static double gflops(int64_t macs, double ns) {
    return ns > 0 ? 2 * (double)macs / ns : 0;
}

static cJSON *layer_json(const subject *s, int l) {
    const amc_layer *layer = &graph_of(s)->layers[l];
    double ns = s->found.small.layer_ns[l];
    const int shape[] = {layer->out_c, layer->out_h, layer->out_w};
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "index", l);
    cJSON_AddStringToObject(json, "type", amc_layer_type_name(layer->type));
    cJSON_AddItemToObject(json, "output", cJSON_CreateIntArray(shape, 3));
    cJSON_AddNumberToObject(json, "layer_macs", (double)amc_cost_layer_macs(layer));
    cJSON_AddNumberToObject(json, "ms", ns / 1e6);
    cJSON_AddNumberToObject(json, "share", ns / s->found.small.total.median);
    if (s->layer_predicted)
        cJSON_AddNumberToObject(json, "predicted_ms", (double)s->layer_predicted[l] / 1e6);
    cJSON_AddNumberToObject(json, "gflops", gflops(amc_cost_layer_macs(layer), ns));
    return json;
}

static void print_json(const subject *s, int threads) {
    const amc_latency_spread *total = &s->found.small.total;
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "latency_ms", total->median / 1e6);
    cJSON_AddNumberToObject(root, "lower_quartile_ms", total->low / 1e6);
    cJSON_AddNumberToObject(root, "upper_quartile_ms", total->high / 1e6);
    cJSON_AddNumberToObject(root, "images_per_s", 1e9 / total->median);
    if (s->layer_predicted) cJSON_AddNumberToObject(root, "predicted_ms", s->predicted / 1e6);
    if (s->graph) {
        cJSON_AddNumberToObject(root, "whole_ms", s->found.whole.total.median / 1e6);
        cJSON_AddNumberToObject(root, "share", s->found.share);
        if (s->layer_predicted)
            cJSON_AddNumberToObject(root, "predicted_share", s->predicted / s->whole_predicted);
    }
    cJSON_AddNumberToObject(root, "rounds", s->found.small.rounds);
    cJSON_AddNumberToObject(root, "threads", threads);
    cJSON_AddNumberToObject(root, "macs", (double)amc_cost_macs(graph_of(s)));
    cJSON *layers = cJSON_AddArrayToObject(root, "layers");
    for (int l = 0; l < graph_of(s)->n; l++) cJSON_AddItemToArray(layers, layer_json(s, l));
    amc_cmd_print_json(root);
    cJSON_Delete(root);
}

static void print_layer(const subject *s, int l) {
    const amc_layer *layer = &graph_of(s)->layers[l];
    int64_t macs = amc_cost_layer_macs(layer);
    double ns = s->found.small.layer_ns[l];
    char shape[48];
    snprintf(shape, sizeof shape, "%dx%dx%d", layer->out_w, layer->out_h, layer->out_c);
    printf("%5d  %-15s  %-14s  %8s  %10.4f  %5.1f%%", l, amc_layer_type_name(layer->type), shape,
           amc_cmd_count(macs), ns / 1e6, 100 * ns / s->found.small.total.median);
    if (s->layer_predicted) printf("  %10.4f", (double)s->layer_predicted[l] / 1e6);
    if (macs) printf("  %7.1f", gflops(macs, ns));
    printf("\n");
}

static void print_table(const subject *s, int threads) {
    const amc_latency_spread *total = &s->found.small.total;
    printf("layer  type             output             MACs          ms   share%s  GFLOP/s\n",
           s->layer_predicted ? "   predicted" : "");
    for (int l = 0; l < graph_of(s)->n; l++) print_layer(s, l);
    printf("an image takes %.4g ms (quartiles %.4g to %.4g, %d rounds) on %d %s: %.0f images/s, "
           "%.1f GFLOP/s\n",
           total->median / 1e6, total->low / 1e6, total->high / 1e6, s->found.small.rounds, threads,
           threads == 1 ? "thread" : "threads", 1e9 / total->median,
           gflops(amc_cost_macs(graph_of(s)), total->median));
    if (s->layer_predicted)
        printf("predicted: %.4g ms (%+.1f%%)\n", s->predicted / 1e6,
               100 * (s->predicted / total->median - 1));
    if (!s->graph) return;
    printf("%.2f%% of what the whole network takes, measured in turn", 100 * s->found.share);
    if (s->layer_predicted) printf("; predicted: %.2f%%", 100 * s->predicted / s->whole_predicted);
    printf("\n");
}

static int run(const latency_options *o, const amc_files_given *files, amc_error *err) {
    subject s = {0};
    int status = load(&s, o->policy, files, err);
    if (status == 0 && o->predict) status = predict(&s, o->cache, err);
    if (status == 0) status = measure(&s, (amc_latency_effort){o->rounds, 2}, err);
    if (status == 0 && o->json) print_json(&s, o->cache.threads);
    if (status == 0 && !o->json) print_table(&s, o->cache.threads);
    clear(&s);
    return status;
}

int amc_cmd_latency(int argc, char **argv) {
    latency_options o = {.cache = {.threads = amc_cmd_processors()}};
    const amc_option table[] = {
        {.name = "threads",
         .kind = AMC_OPTION_INT,
         .value = &o.cache.threads,
         .argument = "N",
         .help = "threads that share the work of each layer",
         .low = 1,
         .high = 1024},
        {.name = "rounds",
         .kind = AMC_OPTION_INT,
         .value = &o.rounds,
         .argument = "N",
         .help = "forward passes; 0: as many as two seconds hold",
         .high = 1000000},
        {.name = "policy",
         .kind = AMC_OPTION_TEXT,
         .value = &o.policy,
         .argument = "FILE",
         .help = "of what this policy.json leaves of the network"},
        {.name = "predict",
         .kind = AMC_OPTION_FLAG,
         .value = &o.predict,
         .help = "beside it what -latency of search and prune reckons with"},
        AMC_OPTION_REMEASURE(&o.cache.remeasure),
        AMC_OPTION_JSON(&o.json),
    };
    const amc_options options = {
        .command = "latency",
        .summary =
            "Measures how long one image takes on this processor, by layer, as `darknet\n"
            "classifier predict` of this program computes it. Weights make no difference and\n"
            "may be left out.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
    };
    amc_files_given files;
    amc_error err;
    int status = amc_options_parse(&options, argc, argv, &files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    amc_cmd_use_threads(o.cache.threads);
    amc_gpu_choose(-1);
    return run(&o, &files, &err) < 0 ? amc_cmd_fail(&err) : 0;
}
