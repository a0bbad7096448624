#include "cmd/search_options.h"

#include "base/hash.h"
#include "base/memory.h"
#include "cmd/commands.h"
#include "host/gpu.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- what is given ------------------------------------------------------------------------------

static int compare_down(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

// The mildest first: what is found for one is where the next begins.
static int sort_budgets(amc_search_given *o, amc_error *err) {
    if (!o->aim.given[AMC_RESOURCE_MACS]) return 0;
    qsort(o->flops.values, (size_t)o->flops.n, sizeof *o->flops.values, compare_down);
    for (int i = 1; i < o->flops.n; i++)
        if (o->flops.values[i] == o->flops.values[i - 1])
            return amc_error_set(err, "search: -flops has %g twice, expected different budgets",
                                 o->flops.values[i]);
    o->aim.budget[AMC_RESOURCE_MACS] = o->flops.values[0];
    return 0;
}

// Checks the options and completes them.
static int check(amc_search_given *o, amc_error *err) {
    int reward = amc_reward_find(o->reward_name);
    if (reward < 0)
        return amc_error_set(err, "search: -reward %s, expected err, flops or params",
                             o->reward_name);
    o->reward = (amc_reward)reward;
    if (strcmp(o->agent, "ddpg") != 0 && strcmp(o->agent, "random") != 0)
        return amc_error_set(err, "search: -agent %s, expected ddpg or random", o->agent);
    if (o->paper && strcmp(o->agent, "random") == 0)
        return amc_error_set(err, "search: -paper has an agent of its own, expected no -agent "
                                  "random with it");
    if (reward != AMC_REWARD_ERR && o->early_stop > 0)
        return amc_error_set(err, "search: -early-stop compares accuracies, expected -reward err");
    if (o->paper && !o->episodes_given) o->episodes = 400;
    if (o->paper && !o->warmup_given) o->warmup = 100;
    if (reward == AMC_REWARD_ERR && o->max_drop_given)
        return amc_error_set(err, "search: -max-drop is for searches that shrink a network as far "
                                  "as accuracy allows, expected -reward flops or params with it");
    if (sort_budgets(o, err) < 0) return -1;
    if (o->resume && o->aim.remeasure)
        return amc_error_set(err,
                             "search: -resume goes by the times that it began with, expected no "
                             "-remeasure with it");
    if (amc_aim_check(&o->aim, "search", &o->scorer.repair.granularity, err) < 0) return -1;
    bool by_weights = o->scorer.repair.granularity == AMC_GRANULARITY_WEIGHT;
    if (by_weights && reward == AMC_REWARD_FLOPS)
        return amc_error_set(err, "search: -reward flops is for channels, expected params with "
                                  "-granularity weight");
    o->scorer.quiet = o->quiet;
    if (!o->refit_given && amc_gpu_chosen() >= 0) o->scorer.repair.refit = 0; // it takes the CPU
    if (reward == AMC_REWARD_ERR && !amc_aim_is_limited(&o->aim)) {
        o->aim.budget[AMC_RESOURCE_MACS] = o->aim.budget[AMC_RESOURCE_PARAMS] =
            0.5; // something has to be given up
        o->aim.given[AMC_RESOURCE_MACS] = !by_weights;
        o->aim.given[AMC_RESOURCE_PARAMS] = by_weights;
    }
    o->expects = !o->paper && o->early_stop == 0;
    o->scorer.seed = (uint64_t)o->seed;
    return 0;
}

int amc_search_options_parse(int argc, char **argv, amc_search_given *given, amc_files_given *files,
                             amc_error *err) {
    amc_search_given *o = given;
    *o = (amc_search_given){
        .reward_name = "err",
        .agent = "ddpg",
        .aim = amc_aim_unlimited(0.1),
        .max_drop = NAN,
        .episodes = 200,
        .warmup = 10,
        .seed = 1,
        .scorer = {.part = AMC_DATASET_SEARCH,
                   .threads = amc_cmd_processors(),
                   .repair = {.reconstruct = 2000, .calibrate = 256, .refit = 3000}}};
    const amc_option table[] = {
        AMC_OPTION_DATA(&o->scorer.data),
        {.name = "flops",
         .kind = AMC_OPTION_LIST,
         .value = &o->flops,
         .argument = "R[,R...]",
         .help =
             "budget: share of the FLOPs (multiply-accumulates) left; of several, a result each",
         .high = 1,
         .open = true,
         .given = &o->aim.given[AMC_RESOURCE_MACS]},
        AMC_OPTION_PARAMS(&o->aim),
        AMC_OPTION_LATENCY(&o->aim),
        AMC_OPTION_MEMORY(&o->aim),
        AMC_OPTION_REMEASURE(&o->aim.remeasure),
        AMC_OPTION_GRANULARITY(&o->aim.granularity),
        {.name = "reward",
         .kind = AMC_OPTION_TEXT,
         .value = &o->reward_name,
         .argument = "NAME",
         .help = "err: accuracy within the budget; flops, params: as small as accuracy allows"},
        {.name = "max-drop",
         .kind = AMC_OPTION_NUMBER,
         .value = &o->max_drop,
         .argument = "D",
         .help = "with these: lose at most D percentage points of held-out accuracy",
         .high = 100,
         .given = &o->max_drop_given},
        {.name = "agent",
         .kind = AMC_OPTION_TEXT,
         .value = &o->agent,
         .argument = "NAME",
         .help = "ddpg, or for comparison random: plans around the uniform one"},
        {.name = "paper",
         .kind = AMC_OPTION_FLAG,
         .value = &o->paper,
         .help = "search as in He et al. 2018, for comparison: -episodes 400 -warmup 100"},
        {.name = "episodes",
         .kind = AMC_OPTION_INT,
         .value = &o->episodes,
         .argument = "N",
         .help = "plans to try; of several -flops a third more, shared among them",
         .low = 1,
         .high = 1000000,
         .given = &o->episodes_given},
        {.name = "warmup",
         .kind = AMC_OPTION_INT,
         .value = &o->warmup,
         .argument = "N",
         .help = "first episodes, whose plans are drawn; without a budget they start with greedy's "
                 "of ten sizes",
         .high = 1000000,
         .given = &o->warmup_given},
        AMC_OPTION_LIMIT(&o->scorer.limit),
        {.name = "early-stop",
         .kind = AMC_OPTION_NUMBER,
         .value = &o->early_stop,
         .argument = "P",
         .help =
             "score no further a plan behind the best; P: chance of losing a better one, 0: off",
         .high = 0.5},
        AMC_OPTION_RECONSTRUCT(&o->scorer.repair.reconstruct),
        AMC_OPTION_CALIBRATE(&o->scorer.repair.calibrate),
        AMC_OPTION_REFIT(&o->scorer.repair.refit, &o->refit_given),
        AMC_OPTION_MIN_KEEP(&o->aim.min_keep, NULL),
        AMC_OPTION_ROUND(&o->aim.round),
        AMC_OPTION_SKIP(&o->skip),
        AMC_OPTION_CRITERION(&o->aim.criterion),
        AMC_OPTION_SEED(&o->seed, "everything random"),
        AMC_OPTION_THREADS(&o->scorer.threads),
        {.name = "finetune",
         .kind = AMC_OPTION_NUMBER,
         .value = &o->finetune,
         .argument = "N",
         .help = "then fine-tune for N epochs, as finetune does",
         .high = 100000},
        AMC_OPTION_OUT(&o->out),
        {.name = "resume",
         .kind = AMC_OPTION_FLAG,
         .value = &o->resume,
         .help = "go on with the search that was interrupted there, or start one"},
        {.name = "force",
         .kind = AMC_OPTION_FLAG,
         .value = &o->force,
         .help = "replace a result that is there and what was made of it, and start anew unless "
                 "-resume is there too"},
        AMC_OPTION_QUIET(&o->quiet),
        AMC_OPTION_JSON(&o->json),
    };
    const amc_options options = {
        .command = "search",
        .summary =
            "Searches, layer by layer, how many channels to keep so that accuracy on held-out\n"
            "training images is best within a budget (half of the FLOPs, or of single weights "
            "half\n"
            "of the parameters, where nothing is said), and writes the smaller .cfg and .weights.\n"
            "Left out, the weights are weights/<name>.weights, else <name>.weights beside the cfg.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
    };
    int status = amc_options_parse(&options, argc, argv, files, err);
    return status ? status : check(o, err);
}

// ---- what decides -------------------------------------------------------------------------------

// The shortest text that is read as the same number.
static void print_number(FILE *to, const char *key, bool given, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.15g", value);
    if (strtod(text, NULL) != value) snprintf(text, sizeof text, "%.17g", value);
    fprintf(to, "%s %s\n", key, given ? text : "none");
}

static void print_options(FILE *to, const amc_search_given *o, const amc_aim *aim) {
    fprintf(to, "granularity %s\n", aim->granularity);
    fprintf(to, "reward %s\n", o->reward_name);
    print_number(to, "flops", aim->given[AMC_RESOURCE_MACS], aim->budget[AMC_RESOURCE_MACS]);
    print_number(to, "params", aim->given[AMC_RESOURCE_PARAMS], aim->budget[AMC_RESOURCE_PARAMS]);
    print_number(to, "latency", aim->given[AMC_RESOURCE_LATENCY],
                 aim->budget[AMC_RESOURCE_LATENCY]);
    print_number(to, "memory", aim->given[AMC_RESOURCE_MEMORY], aim->budget[AMC_RESOURCE_MEMORY]);
    print_number(to, "max-drop", o->max_drop_given, o->max_drop);
    print_number(to, "min-keep", true, aim->min_keep);
    fprintf(to, "round %d\n", aim->round);
    fprintf(to, "criterion %s\n", aim->criterion ? aim->criterion : "default");
    fprintf(to, "agent %s\n", o->agent);
    fprintf(to, "paper %s\n", o->paper ? "yes" : "no");
    fprintf(to, "warmup %d\n", o->warmup);
    fprintf(to, "limit %d\n", o->scorer.limit);
    print_number(to, "early-stop", true, o->early_stop);
    fprintf(to, "reconstruct %d\n", o->scorer.repair.reconstruct);
    fprintf(to, "calibrate %d\n", o->scorer.repair.calibrate);
    fprintf(to, "seed %d\n", o->seed);
}

// The same in whatever order -skip had them.
static void print_skipped(FILE *to, const amc_network *network) {
    const char *before = "";
    fprintf(to, "skip ");
    for (int l = 0; l < network->graph->n; l++) {
        if (!network->skipped[l]) continue;
        fprintf(to, "%s%d", before, l);
        before = ",";
    }
    fprintf(to, "%s\n", *before ? "" : "none");
}

static int print_file(FILE *to, const char *key, const char *path, amc_error *err) {
    uint64_t hash = AMC_HASH_START;
    if (amc_hash_file(&hash, path, err) < 0) return -1;
    fprintf(to, "%s %016" PRIx64 "\n", key, hash);
    return 0;
}

static int print_data(FILE *to, const amc_search_given *o, const amc_network *network,
                      amc_error *err) {
    uint64_t hash;
    char *path = amc_network_data_path(network, o->scorer.data);
    amc_data_file *data = amc_data_file_load(path, err);
    int status = data ? amc_data_file_hash(data, &hash, err) : -1;
    if (status == 0) fprintf(to, "data %016" PRIx64 "\n", hash);
    amc_data_file_free(data);
    free(path);
    return status;
}

static int print_settings(FILE *to, const amc_search_given *o, const amc_aim *aim,
                          const amc_network *network, amc_error *err) {
    if (print_file(to, "cfg", network->cfg_path, err) < 0 ||
        print_file(to, "weights", network->weights_path, err) < 0 ||
        print_data(to, o, network, err) < 0 || amc_gpu_start(err) < 0)
        return -1;
    fprintf(to, "processor %s\n", amc_gpu_started() ? "GPU" : "CPU"); // they differ by an image
    print_options(to, o, aim);
    print_skipped(to, network);
    return 0;
}

char *amc_search_options_settings(const amc_search_given *given, const amc_aim *aim,
                                  const amc_network *network, amc_error *err) {
    char *text;
    size_t length;
    FILE *to = amc_memory_stream(&text, &length);
    int status = print_settings(to, given, aim, network, err);
    amc_memory_stream_close(to);
    if (status == 0) return text;
    free(text);
    return NULL;
}
