#include "base/files.h"
#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/output.h"
#include "model/cost_model.h"
#include "search/policy.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct prune_options {
    const char *policy, *criterion, *data, *skip, *out;
    double flops, keep, min_keep;
    bool flops_given, keep_given, force, json;
    int round, seed;
    amc_repair_options repair;
} prune_options;

static int check(const prune_options *o, amc_error *err) {
    if (!o->policy)
        return amc_error_set(err, "prune: no -policy, expected uniform, shallow, deep, random or a "
                                  "policy.json");
    if (amc_policy_find(o->policy) < 0) {
        if (!amc_files_exists(o->policy))
            return amc_error_set(err,
                                 "prune: -policy %s is not there, expected uniform, shallow, deep, "
                                 "random or a policy.json",
                                 o->policy);
        if (o->flops_given || o->keep_given)
            return amc_error_set(err,
                                 "prune: -policy %s says what is kept, expected no -flops and "
                                 "no -keep with it",
                                 o->policy);
    } else if (o->flops_given == o->keep_given) {
        return amc_error_set(err, "prune: -policy %s, expected either -flops R or -keep R",
                             o->policy);
    }
    if (!o->data) return 0;
    amc_data_file *data = amc_data_file_load(o->data, err);
    amc_data_file_free(data);
    return data ? 0 : -1;
}

// A plan of a named policy; NULL with err set.
static amc_prune_plan *named_plan(const amc_network *network, const prune_options *o,
                                  const double *score, amc_error *err) {
    amc_policy policy = (amc_policy)amc_policy_find(o->policy);
    amc_prune_env_options limits = {o->flops_given ? o->flops : 1, o->min_keep, o->round};
    amc_prune_env *env = amc_prune_env_new(network->graph, network->groups, limits, err);
    if (!env) return NULL;
    amc_prune_plan *plan = NULL;
    int status = 0, *counts = amc_memory_alloc((size_t)network->groups->n, sizeof *counts);
    amc_rng rng;
    amc_rng_init(&rng, (uint64_t)o->seed);
    if (o->keep_given)
        status = amc_policy_keep(policy, env, o->keep, &rng, counts, err);
    else
        amc_policy_meet_budget(policy, env, &rng, counts);
    if (status == 0) {
        plan = amc_prune_plan_new(network->groups);
        amc_prune_plan_keep_counts(plan, network->groups, counts, score);
    }
    free(counts);
    amc_prune_env_free(env);
    return plan;
}

static amc_prune_plan *make_plan(const amc_network *network, const prune_options *o,
                                 const amc_repair *repair, amc_error *err) {
    double *score = amc_repair_importance(repair, network, o->criterion, (uint64_t)o->seed, err);
    if (!score) return NULL;
    amc_prune_plan *plan =
        amc_policy_find(o->policy) >= 0
            ? named_plan(network, o, score, err)
            : amc_prune_plan_load(o->policy, network->graph, network->groups, score, o->round, err);
    free(score);
    return plan;
}

// What the network is repaired with, on request. -1 with err set.
static int open_repair(const amc_network *network, const prune_options *o, amc_repair *repair,
                       amc_error *err) {
    if (!o->repair.reconstruct && !o->repair.calibrate) return 0;
    char *path = amc_network_data_path(network, o->data);
    amc_data_file *data = amc_data_file_load(path, err);
    free(path);
    if (!data) return -1;
    amc_repair_options options = o->repair;
    options.seed = (uint64_t)o->seed;
    options.threads = amc_cmd_processors();
    int status = amc_repair_open(repair, network, data, options, err);
    amc_data_file_free(data);
    return status;
}

static void print_result(const prune_options *o, const amc_network *network,
                         const amc_network *pruned, const amc_output *output) {
    if (o->json) {
        amc_cmd_print_json(amc_output_json(output, pruned));
        return;
    }
    amc_output_print_summary(output, pruned);
    char *data = amc_network_data_path(network, o->data);
    amc_output_print_commands(output, data);
    free(data);
}

static int run(const prune_options *o, const char *cfg, const char *weights, amc_error *err) {
    amc_network *network = amc_network_load(cfg, weights, AMC_WEIGHTS_NEEDED, err);
    amc_network *pruned = NULL; // as read back
    amc_repair repair = {0};
    amc_pruned made = {0};
    amc_prune_plan *plan = NULL;
    amc_output *output = NULL;
    int status = -1;
    if (network && (!o->skip || amc_network_skip(network, o->skip, err) == 0))
        output = amc_output_new(network, o->out, o->force, err);
    if (output && open_repair(network, o, &repair, err) == 0)
        plan = make_plan(network, o, &repair, err);
    if (plan) made = amc_pruned_make(network, plan, &repair);
    amc_repair_close(&repair); // large networks are held no more often than needed
    bool staged = plan && amc_output_stage(output, plan, &made, NULL, err) == 0;
    amc_pruned_clear(&made);
    if (staged) pruned = amc_output_read_back(output, err);
    if (pruned) status = amc_output_publish(output, err);
    if (status == 0) print_result(o, network, pruned, output);
    amc_output_free(output);
    amc_network_free(pruned);
    amc_prune_plan_free(plan);
    amc_network_free(network);
    return status;
}

int amc_cmd_prune(int argc, char **argv) {
    prune_options o = {.flops = NAN, .keep = NAN, .round = 1, .seed = 1};
    const amc_option table[] = {
        {.name = "policy",
         .kind = AMC_OPTION_TEXT,
         .value = &o.policy,
         .argument = "P",
         .help = "uniform, shallow, deep, random, or a policy.json"},
        AMC_OPTION_FLOPS(&o.flops, &o.flops_given),
        {.name = "keep",
         .kind = AMC_OPTION_NUMBER,
         .value = &o.keep,
         .argument = "R",
         .help = "or share of the channels left in each group that is cut, rounded down",
         .high = 1,
         .open = true,
         .given = &o.keep_given},
        AMC_OPTION_MIN_KEEP(&o.min_keep),
        AMC_OPTION_ROUND(&o.round),
        AMC_OPTION_SKIP(&o.skip),
        AMC_OPTION_CRITERION(&o.criterion),
        AMC_OPTION_RECONSTRUCT(&o.repair.reconstruct),
        AMC_OPTION_CALIBRATE(&o.repair.calibrate),
        AMC_OPTION_SEED(&o.seed, "everything random"),
        AMC_OPTION_DATA(&o.data),
        AMC_OPTION_OUT(&o.out),
        AMC_OPTION_FORCE(&o.force),
        AMC_OPTION_JSON(&o.json),
    };
    const amc_options options = {
        .command = "prune",
        .summary =
            "Applies a policy and writes the smaller .cfg and .weights. Of each group, the "
            "channels\n"
            "that matter most to the layers reading them are kept. Left out, the weights are\n"
            "weights/<name>.weights.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
    };
    amc_files_given files;
    amc_error err;
    int status = amc_options_parse(&options, argc, argv, &files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    if (check(&o, &err) < 0 || run(&o, files.cfg, files.weights, &err) < 0)
        return amc_cmd_fail(&err);
    return 0;
}
