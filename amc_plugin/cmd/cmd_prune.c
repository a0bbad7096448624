#include "base/files.h"
#include "base/memory.h"
#include "cmd/aim.h"
#include "cmd/commands.h"
#include "cmd/measured_policy.h"
#include "cmd/options.h"
#include "cmd/output.h"
#include "cmd/running.h"
#include "cmd/summary.h"
#include "search/checkpoint.h"
#include "search/policy.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct prune_options {
    const char *policy, *data, *skip, *out;
    double keep;
    bool keep_given, min_keep_given, limit_given, force, quiet, json;
    int seed, limit;
    amc_aim aim;
    amc_repair_options repair;
} prune_options;

#define POLICIES "uniform, shallow, deep, random, fp, greedy, surgeon or a policy.json"

// Channels go by what their removal costs those that read them, without scoring any plan.
static bool is_surgeon(const char *policy) {
    return strcmp(policy, "surgeon") == 0;
}

// Whether the policy is made for a budget only.
static bool needs_budget(const char *policy) {
    return amc_measured_policy_is(policy) || is_surgeon(policy);
}

static bool is_named(const char *policy) {
    return needs_budget(policy) || amc_policy_find(policy) >= 0;
}

// Each policy is told how much to leave in its own way.
static int check_amount(const prune_options *o, amc_error *err) {
    bool budget = amc_aim_is_limited(&o->aim);
    if (!o->policy) return amc_error_set(err, "prune: no -policy, expected " POLICIES);
    if (!is_named(o->policy)) {
        if (!amc_files_exists(o->policy))
            return amc_error_set(err, "prune: -policy %s is not there, expected " POLICIES,
                                 o->policy);
        if (budget || o->keep_given || o->min_keep_given)
            return amc_error_set(err,
                                 "prune: -policy %s says what is kept, expected no budget, no "
                                 "-keep and no -min-keep with it",
                                 o->policy);
    } else if (needs_budget(o->policy) && (!budget || o->keep_given)) {
        return amc_error_set(
            err, "prune: -policy %s, expected -flops R or another budget and no -keep", o->policy);
    } else if (budget == o->keep_given) {
        return amc_error_set(
            err, "prune: -policy %s, expected either -flops R (or another budget) or -keep R",
            o->policy);
    }
    return 0;
}

// Checks the options and completes them.
static int check(prune_options *o, amc_error *err) {
    if (check_amount(o, err) < 0 ||
        amc_aim_check(&o->aim, "prune", &o->repair.granularity, err) < 0)
        return -1;
    if (o->limit_given && !amc_measured_policy_is(o->policy))
        return amc_error_set(err, "prune: -limit %d with -policy %s, expected it with fp or greedy",
                             o->limit, o->policy);
    if (!o->data) return 0;
    amc_data_file *data = amc_data_file_load(o->data, err);
    amc_data_file_free(data);
    return data ? 0 : -1;
}

// Everything a pruning has open; NULL until it is.
typedef struct pruning {
    const prune_options *options;
    amc_network *network;
    amc_prune_space *space;
    amc_scorer *scorer; // only for policies that measure
    amc_repair repair;  // where there is no scorer, which has its own
    amc_chooser chooser;
    amc_output *output;
    amc_checkpoint *checkpoint; // only its lock: no search works in the folder meanwhile
    amc_pruned made;
    amc_network *pruned; // the result as read back
    cJSON *json;         // what is said of it
    amc_running running;
} pruning;

static const amc_repair *repair_of(const pruning *p) {
    return p->scorer ? &p->scorer->repair : &p->repair;
}

static amc_repair_options repair_options(const prune_options *o) {
    amc_repair_options repair = o->repair;
    repair.seed = (uint64_t)o->seed;
    repair.threads = amc_cmd_processors();
    repair.quiet = o->quiet;
    return repair;
}

static amc_data_file *load_data(const pruning *p, amc_error *err) {
    char *path = amc_network_data_path(p->network, p->options->data);
    amc_data_file *data = amc_data_file_load(path, err);
    free(path);
    return data;
}

// What the network is measured and repaired with, as far as that was asked for. -1 with err set.
static int open_images(pruning *p, amc_error *err) {
    const prune_options *o = p->options;
    amc_repair_options repair = repair_options(o);
    if (amc_measured_policy_is(o->policy)) {
        amc_scorer_options options = {.data = o->data,
                                      .part = AMC_DATASET_SEARCH,
                                      .limit = o->limit,
                                      .seed = repair.seed,
                                      .threads = repair.threads,
                                      .quiet = o->quiet,
                                      .repair = repair};
        p->scorer = amc_scorer_new(p->network, options, err);
        return p->scorer ? 0 : -1;
    }
    if (!repair.reconstruct && !repair.calibrate) return 0;
    amc_data_file *data = load_data(p, err);
    if (!data) return -1;
    int status = amc_repair_open(&p->repair, p->network, data, repair, err);
    amc_data_file_free(data);
    return status;
}

// The counts (groups) of a named policy. -1 with err set.
static int count(const pruning *p, const amc_prune_env *env, int *counts, amc_error *err) {
    const prune_options *o = p->options;
    amc_rng rng;
    amc_rng_init(&rng, (uint64_t)o->seed);
    if (is_surgeon(o->policy))
        return amc_chooser_guess(&p->chooser, env, counts)
                   ? 0
                   : amc_error_set(err,
                                   "prune: -policy surgeon goes by channels and -criterion obs, "
                                   "expected -reconstruct N and no other criterion with it");
    if (p->scorer)
        amc_measured_policy_meet_budget(o->policy, p->scorer, &p->chooser, env, o->quiet, counts);
    else if (o->keep_given)
        return amc_policy_keep((amc_policy)amc_policy_find(o->policy), env, o->keep, &rng, counts,
                               err);
    else
        amc_policy_meet_budget((amc_policy)amc_policy_find(o->policy), env, &rng, counts);
    return 0;
}

// The network that a named policy leaves. -1 with err set.
static int make_named(pruning *p, amc_error *err) {
    amc_prune_env *env = amc_prune_env_new(p->space, amc_aim_limits(&p->options->aim), err);
    if (!env) return -1;
    int *counts = amc_memory_alloc((size_t)p->space->n, sizeof *counts);
    int status = count(p, env, counts, err);
    if (status == 0) p->made = amc_chooser_make(&p->chooser, counts);
    free(counts);
    amc_prune_env_free(env);
    return status;
}

// Refits what was made, where that was asked for. -1 with err set.
static int refit(pruning *p, amc_error *err) {
    amc_repair_options options = repair_options(p->options);
    if (!options.refit) return 0;
    amc_data_file *data = load_data(p, err);
    amc_refit *refit = data ? amc_repair_refit_new(p->network, data, options, err) : NULL;
    if (refit && !options.quiet) fprintf(stderr, "refitting, layer by layer\n");
    if (refit) amc_pruned_refit(&p->made, refit);
    amc_refit_free(refit);
    amc_data_file_free(data);
    return refit ? 0 : -1;
}

static int make(pruning *p, amc_error *err) {
    const prune_options *o = p->options;
    if (amc_chooser_open(&p->chooser, p->network, p->space, repair_of(p), o->aim.criterion,
                         (uint64_t)o->seed, err) < 0)
        return -1;
    if (is_named(o->policy)) return make_named(p, err);
    return amc_chooser_load(&p->chooser, o->policy, o->aim.round, &p->made, err);
}

// Large networks are held no more often than needed.
static void close_images(pruning *p) {
    amc_chooser_close(&p->chooser);
    amc_repair_close(&p->repair);
    amc_scorer_free(p->scorer);
    p->scorer = NULL;
}

// A network as it was cut is little better than guessing, which few expect.
static void print_how_to_repair(const pruning *p) {
    const prune_options *o = p->options;
    if (o->quiet || o->repair.reconstruct || o->repair.calibrate || o->repair.refit) return;
    fprintf(stderr, "the weights that stay are as they were; -reconstruct 2000 -calibrate 256 "
                    "-refit 3000 repairs the network\n");
}

static void print_result(const pruning *p) {
    if (p->options->json) {
        amc_cmd_print_json(p->json);
        return;
    }
    amc_summary_print(p->output, p->pruned);
    amc_running_print(&p->running);
    char *data = amc_network_data_path(p->network, p->options->data);
    amc_summary_print_commands(p->output, data, false);
    free(data);
}

// The output folder is this pruning's from now on, but for what a search left there.
static int open_output(pruning *p, amc_error *err) {
    const prune_options *o = p->options;
    p->output = amc_output_new(p->network, o->repair.granularity, o->out, err);
    if (!p->output) return -1;
    p->checkpoint = amc_checkpoint_open(p->output->checkpoint_path, err);
    if (!p->checkpoint || amc_output_check(p->output, o->force, "-force", err) < 0) return -1;
    int plans = o->force ? 0 : amc_checkpoint_plans(p->checkpoint, err);
    if (plans <= 0) return plans;
    return amc_error_set(err,
                         "%s: an unfinished search of %d plans is there; expected another -out "
                         "folder, or -force to give it up",
                         p->output->checkpoint_path, plans);
}

static int open_pruning(pruning *p, const char *cfg, const char *weights, amc_error *err) {
    const prune_options *o = p->options;
    p->network = amc_network_load(cfg, weights, AMC_WEIGHTS_NEEDED, err);
    if (!p->network || (o->skip && amc_network_skip(p->network, o->skip, err) < 0)) return -1;
    p->space = amc_network_space(p->network, o->repair.granularity);
    if (open_output(p, err) < 0 ||
        amc_running_open(&p->running, &o->aim, p->network, p->space,
                         (amc_latency_options){amc_cmd_processors(), o->aim.remeasure, o->quiet},
                         err) < 0)
        return -1;
    if (open_images(p, err) < 0) return -1;
    return make(p, err) < 0 ? -1 : refit(p, err);
}

static int write_result(pruning *p, amc_error *err) {
    close_images(p);
    amc_output_sweep(p->output); // the folder is locked
    int status = amc_output_stage(p->output, &p->made, NULL, err);
    amc_pruned_clear(&p->made);
    if (status < 0) return -1;
    p->pruned = amc_output_read_back(p->output, err);
    if (!p->pruned || amc_running_compare(&p->running, p->pruned, err) < 0) return -1;
    p->json = amc_summary_json(p->output, p->pruned);
    amc_running_add_json(&p->running, p->json);
    return amc_output_publish(p->output, p->json, err);
}

static int run(const prune_options *o, const char *cfg, const char *weights, amc_error *err) {
    pruning p = {.options = o};
    int status = open_pruning(&p, cfg, weights, err);
    if (status == 0) status = write_result(&p, err);
    if (status == 0) {
        print_result(&p);
        print_how_to_repair(&p);
    }
    close_images(&p);
    amc_pruned_clear(&p.made);
    cJSON_Delete(p.json);
    amc_checkpoint_close(p.checkpoint);
    amc_output_free(p.output);
    amc_network_free(p.pruned);
    amc_prune_space_free(p.space);
    amc_running_close(&p.running);
    amc_network_free(p.network);
    return status;
}

int amc_cmd_prune(int argc, char **argv) {
    prune_options o = {.aim = amc_aim_unlimited(0), .keep = NAN, .seed = 1};
    const amc_option table[] = {
        {.name = "policy",
         .kind = AMC_OPTION_TEXT,
         .value = &o.policy,
         .argument = "P",
         .help = POLICIES},
        AMC_OPTION_FLOPS(&o.aim),
        AMC_OPTION_PARAMS(&o.aim),
        AMC_OPTION_LATENCY(&o.aim),
        AMC_OPTION_MEMORY(&o.aim),
        AMC_OPTION_REMEASURE(&o.aim.remeasure),
        {.name = "keep",
         .kind = AMC_OPTION_NUMBER,
         .value = &o.keep,
         .argument = "R",
         .help = "or share left of each group that is cut, rounded down",
         .high = 1,
         .open = true,
         .given = &o.keep_given},
        AMC_OPTION_GRANULARITY(&o.aim.granularity),
        AMC_OPTION_MIN_KEEP(&o.aim.min_keep, &o.min_keep_given),
        AMC_OPTION_ROUND(&o.aim.round),
        AMC_OPTION_SKIP(&o.skip),
        AMC_OPTION_CRITERION(&o.aim.criterion),
        {.name = "limit",
         .kind = AMC_OPTION_INT,
         .value = &o.limit,
         .argument = "N",
         .help = "fp, greedy: measure on at most N images, spread over the classes; 0: all",
         .high = INT_MAX,
         .given = &o.limit_given},
        AMC_OPTION_RECONSTRUCT(&o.repair.reconstruct),
        AMC_OPTION_CALIBRATE(&o.repair.calibrate),
        AMC_OPTION_REFIT(&o.repair.refit, NULL),
        AMC_OPTION_SEED(&o.seed, "everything random"),
        AMC_OPTION_DATA(&o.data),
        AMC_OPTION_OUT(&o.out),
        AMC_OPTION_FORCE(&o.force),
        AMC_OPTION_QUIET(&o.quiet),
        AMC_OPTION_JSON(&o.json),
    };
    const amc_options options = {
        .command = "prune",
        .summary =
            "Applies a policy and writes the smaller .cfg and .weights. Of each group, the "
            "channels\n"
            "that matter most to the layers reading them are kept, or of each layer the largest\n"
            "weights. Left out, the weights are weights/<name>.weights, else <name>.weights "
            "beside\n"
            "the cfg.",
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
