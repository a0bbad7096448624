#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/scorer.h"
#include "host/gpu.h"
#include "host/latency_probe.h"
#include "model/cost_model.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

typedef struct eval_options {
    const char *set;
    bool json;
    amc_scorer_options scorer;
} eval_options;

static int find_part(const char *set, amc_dataset_part *part, amc_error *err) {
    static const char *names[] = {"train", "search", "test"};
    static const amc_dataset_part parts[] = {AMC_DATASET_TRAIN, AMC_DATASET_SEARCH,
                                             AMC_DATASET_TEST};
    for (int i = 0; i < 3; i++)
        if (strcmp(set, names[i]) == 0) {
            *part = parts[i];
            return 0;
        }
    return amc_error_set(err, "eval: -set %s, expected test, search or train", set);
}

// Milliseconds an image as `amc latency` measures them, in less time; 0 on a GPU. -1 with err set.
static double measure_latency(const amc_network *network, amc_error *err) {
    if (amc_gpu_started()) return 0;
    amc_latency_probe *probe = amc_latency_probe_new(network->cfg_path, network->graph, err);
    if (!probe) return -1;
    amc_latency_probe_apply(probe, network->graph, network->weights);
    amc_latency latency = amc_latency_probe_measure(probe, (amc_latency_effort){0, 0.2});
    double ms = latency.total.median / 1e6;
    amc_latency_clear(&latency);
    amc_latency_probe_free(probe);
    return ms;
}

static void print_json(const amc_network *network, const amc_accuracy *accuracy, int top,
                       double ms) {
    char topk[16];
    snprintf(topk, sizeof topk, "top%d", top);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "top1", (double)accuracy->top1 / accuracy->images);
    if (top > 1) cJSON_AddNumberToObject(root, topk, (double)accuracy->topk / accuracy->images);
    cJSON_AddNumberToObject(root, "expected", accuracy->certain / accuracy->images);
    cJSON_AddNumberToObject(root, "images", accuracy->images);
    cJSON_AddNumberToObject(root, "macs", (double)amc_cost_macs(network->graph));
    cJSON_AddNumberToObject(root, "params", (double)amc_cost_params(network->graph));
    cJSON_AddNumberToObject(root, "seconds", accuracy->seconds);
    if (ms > 0) cJSON_AddNumberToObject(root, "latency_ms", ms);
    amc_cmd_print_json(root);
    cJSON_Delete(root);
}

static void print_text(const amc_network *network, const amc_accuracy *accuracy, int top,
                       const char *list, double ms) {
    printf("top-1 %.2f%%", 100.0 * accuracy->top1 / accuracy->images);
    if (top > 1) printf(", top-%d %.2f%%", top, 100.0 * accuracy->topk / accuracy->images);
    printf(" of %d images (%s) in %.1f s, %s MACs, %s parameters", accuracy->images, list,
           accuracy->seconds, amc_cmd_count(amc_cost_macs(network->graph)),
           amc_cmd_count(amc_cost_params(network->graph)));
    if (ms > 0) printf(", %.3g ms an image", ms);
    printf("\n");
}

static int run(const eval_options *options, const char *cfg, const char *weights, amc_error *err) {
    amc_network *network = amc_network_load(cfg, weights, AMC_WEIGHTS_TO_SCORE, err);
    amc_scorer *scorer = network ? amc_scorer_new(network, options->scorer, err) : NULL;
    double ms = scorer ? measure_latency(network, err) : -1;
    if (ms >= 0) {
        if (!options->scorer.quiet) amc_scorer_print_held_out(scorer);
        amc_accuracy accuracy = amc_scorer_network(scorer);
        if (options->json)
            print_json(network, &accuracy, scorer->top, ms);
        else
            print_text(network, &accuracy, scorer->top, scorer->dataset->list->path, ms);
    }
    int status = ms < 0 ? -1 : 0;
    amc_scorer_free(scorer);
    amc_network_free(network);
    return status;
}

int amc_cmd_eval(int argc, char **argv) {
    eval_options o = {.set = "test", .scorer = {.threads = amc_cmd_processors(), .seed = 1}};
    int seed = 1;
    const amc_option table[] = {
        AMC_OPTION_DATA(&o.scorer.data),
        {.name = "set",
         .kind = AMC_OPTION_TEXT,
         .value = &o.set,
         .argument = "NAME",
         .help = "images: test, search or train"},
        AMC_OPTION_LIMIT(&o.scorer.limit),
        {.name = "top",
         .kind = AMC_OPTION_INT,
         .value = &o.scorer.top,
         .argument = "K",
         .help = "top-K accuracy too; 0: top= of the .data file",
         .high = 1000},
        AMC_OPTION_SEED(&seed, "-limit, and of holding images out"),
        AMC_OPTION_THREADS(&o.scorer.threads),
        AMC_OPTION_QUIET(&o.scorer.quiet),
        AMC_OPTION_JSON(&o.json),
    };
    const amc_options options = {
        .command = "eval",
        .summary = "Measures the network's top-1 accuracy as `darknet classifier valid` does, in\n"
                   "parallel. Left out, the weights are weights/<name>.weights, else "
                   "<name>.weights beside\n"
                   "the cfg.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
    };
    amc_files_given files;
    amc_error err;
    int status = amc_options_parse(&options, argc, argv, &files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    o.scorer.seed = (uint64_t)seed;
    amc_cmd_use_threads(o.scorer.threads);
    if (find_part(o.set, &o.scorer.part, &err) < 0 || run(&o, files.cfg, files.weights, &err) < 0)
        return amc_cmd_fail(&err);
    return 0;
}
