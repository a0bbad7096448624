#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/scorer.h"
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

static void print_json(const amc_network *network, const amc_accuracy *accuracy, int top) {
    char topk[16];
    snprintf(topk, sizeof topk, "top%d", top);
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "top1", (double)accuracy->top1 / accuracy->images);
    if (top > 1) cJSON_AddNumberToObject(root, topk, (double)accuracy->topk / accuracy->images);
    cJSON_AddNumberToObject(root, "images", accuracy->images);
    cJSON_AddNumberToObject(root, "macs", (double)amc_cost_macs(network->graph));
    cJSON_AddNumberToObject(root, "params", (double)amc_cost_params(network->graph));
    cJSON_AddNumberToObject(root, "images_per_s", accuracy->images / accuracy->seconds);
    amc_cmd_print_json(root);
}

static void print_text(const amc_network *network, const amc_accuracy *accuracy, int top,
                       const char *list) {
    printf("top-1 %.2f%%", 100.0 * accuracy->top1 / accuracy->images);
    if (top > 1) printf(", top-%d %.2f%%", top, 100.0 * accuracy->topk / accuracy->images);
    printf(" of %d images (%s), %s MACs, %s parameters, %.0f images/s\n", accuracy->images, list,
           amc_cmd_count(amc_cost_macs(network->graph)),
           amc_cmd_count(amc_cost_params(network->graph)), accuracy->images / accuracy->seconds);
}

static int run(const eval_options *options, const char *cfg, const char *weights, amc_error *err) {
    amc_network *network = amc_network_load(cfg, weights, AMC_WEIGHTS_NEEDED, err);
    amc_scorer *scorer = network ? amc_scorer_new(network, options->scorer, err) : NULL;
    if (scorer) {
        amc_scorer_print_held_out(scorer);
        amc_accuracy accuracy = amc_scorer_network(scorer);
        if (options->json)
            print_json(network, &accuracy, scorer->top);
        else
            print_text(network, &accuracy, scorer->top, scorer->dataset->list);
    }
    int status = scorer ? 0 : -1;
    amc_scorer_free(scorer);
    amc_network_free(network);
    return status;
}

int amc_cmd_eval(int argc, char **argv) {
    eval_options o = {.set = "test", .scorer = {.threads = amc_cmd_processors(), .seed = 1}};
    bool top_given = false;
    int top = 1, seed = 1;
    const amc_option table[] = {
        {"data", AMC_OPTION_TEXT, &o.scorer.data, "FILE",
         "the .data file, else <name>.data beside the cfg", 0, 0, false, NULL},
        {"set", AMC_OPTION_TEXT, &o.set, "NAME", "images: test, search or train", 0, 0, false,
         NULL},
        {"limit", AMC_OPTION_INT, &o.scorer.limit, "N",
         "at most N images, spread over the classes; 0: all", 0, INT_MAX, false, NULL},
        {"top", AMC_OPTION_INT, &top, "K", "top-K accuracy too, else top= of the .data file", 1,
         1000, false, &top_given},
        {"seed", AMC_OPTION_INT, &seed, "S", "chooses the images of -limit, and held-out ones", 0,
         INT_MAX, false, NULL},
        {"threads", AMC_OPTION_INT, &o.scorer.threads, "N", "threads", 1, 1024, false, NULL},
        {"json", AMC_OPTION_FLAG, &o.json, NULL, "print one JSON object", 0, 0, false, NULL},
    };
    const amc_options options = {
        .command = "eval",
        .arguments = "<cfg> [weights]",
        .summary = "Measures the network's top-1 accuracy as `darknet classifier valid` does, in\n"
                   "parallel. Left out, the weights are weights/<name>.weights.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
        .least = 1,
        .most = 2,
    };
    const char *files[2];
    amc_error err;
    int status = amc_options_parse(&options, argc, argv, files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    o.scorer.top = top_given ? top : 0;
    o.scorer.seed = (uint64_t)seed;
    amc_cmd_use_threads(o.scorer.threads);
    if (find_part(o.set, &o.scorer.part, &err) < 0 || run(&o, files[0], files[1], &err) < 0)
        return amc_cmd_fail(&err);
    return 0;
}
