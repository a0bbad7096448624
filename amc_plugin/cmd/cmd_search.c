#include "base/memory.h"
#include "cmd/aim.h"
#include "cmd/chooser.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/output.h"
#include "cmd/progress.h"
#include "cmd/running.h"
#include "cmd/scorer.h"
#include "model/cost_model.h"
#include "search/early_stop.h"
#include "search/search_loop.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct search_options {
    const char *reward, *agent, *skip, *out;
    double early_stop, max_drop;
    bool force, json, paper, episodes_given, warmup_given, max_drop_given;
    int episodes, warmup, seed;
    amc_aim aim;
    amc_scorer_options scorer;
} search_options;

// Everything a search has open; NULL until it is.
typedef struct search {
    const search_options *options;
    amc_network *network;
    amc_scorer *scorer;
    amc_prune_space *space;
    amc_prune_env *env;
    amc_chooser chooser;
    amc_output *output;
    amc_progress *progress;
    float base;                 // accuracy of the whole network
    amc_early_stop *early_stop; // NULL: every plan is scored on all images
    int64_t images_scored;      // of all plans
    int plans_scored, plans_stopped;
    amc_search_result result;
    amc_network *pruned; // the result as read back
    amc_running running;
} search;

static volatile sig_atomic_t interrupted;

// The first Ctrl-C ends the search after its episode, with the best so far; the second at once.
static void interrupt(int number) {
    interrupted = 1;
    signal(number, SIG_DFL);
}

static void score_images(void *context, const int *images, int n, bool *right) {
    amc_scorer_images(((search *)context)->scorer, images, n, right);
}

static amc_score score_until_stopped(search *s, amc_pruned pruned) {
    amc_scorer_apply(s->scorer, pruned);
    return amc_early_stop_score(s->early_stop, score_images, s);
}

static amc_score score(void *context, const int *counts) {
    search *s = context;
    amc_pruned pruned = amc_chooser_make(&s->chooser, counts);
    amc_score scored =
        s->early_stop ? score_until_stopped(s, pruned) : amc_scorer_pruned(s->scorer, pruned);
    s->images_scored += scored.images;
    s->plans_scored++;
    s->plans_stopped += scored.stopped;
    return scored;
}

static bool report(void *context, const amc_search_episode *episode) {
    amc_progress_episode(((search *)context)->progress, episode);
    return !interrupted;
}

// Checks the options and completes them.
static int check(search_options *o, amc_error *err) {
    int reward = amc_reward_find(o->reward);
    if (reward < 0)
        return amc_error_set(err, "search: -reward %s, expected err, flops or params", o->reward);
    if (strcmp(o->agent, "ddpg") != 0 && strcmp(o->agent, "random") != 0)
        return amc_error_set(err, "search: -agent %s, expected ddpg or random", o->agent);
    if (reward != AMC_REWARD_ERR && o->early_stop > 0)
        return amc_error_set(err, "search: -early-stop compares accuracies, expected -reward err");
    if (o->paper && !o->episodes_given) o->episodes = 400;
    if (o->paper && !o->warmup_given) o->warmup = 100;
    if (reward == AMC_REWARD_ERR && o->max_drop_given)
        return amc_error_set(err, "search: -max-drop is for searches that shrink a network as far "
                                  "as accuracy allows, expected -reward flops or params with it");
    if (amc_aim_check(&o->aim, "search", &o->scorer.repair.granularity, err) < 0) return -1;
    bool by_weights = o->scorer.repair.granularity == AMC_GRANULARITY_WEIGHT;
    if (by_weights && reward == AMC_REWARD_FLOPS)
        return amc_error_set(err, "search: -reward flops is for channels, expected params with "
                                  "-granularity weight");
    if (reward == AMC_REWARD_ERR && !amc_aim_is_limited(&o->aim)) {
        o->aim.flops = o->aim.params = 0.5; // something has to be given up
        o->aim.flops_given = !by_weights;
        o->aim.params_given = by_weights;
    }
    return 0;
}

static int open_search(search *s, const char *cfg, const char *weights, amc_error *err) {
    const search_options *o = s->options;
    s->network = amc_network_load(cfg, weights, AMC_WEIGHTS_NEEDED, err);
    if (!s->network || (o->skip && amc_network_skip(s->network, o->skip, err) < 0)) return -1;
    s->space = amc_network_space(s->network, o->scorer.repair.granularity);
    if (amc_running_open(&s->running, &o->aim, s->network, s->space, o->scorer.threads, err) < 0)
        return -1;
    s->env = amc_prune_env_new(s->space, amc_aim_limits(&o->aim), err);
    if (!s->env) return -1;
    if (amc_reward_find(o->reward) == AMC_REWARD_PARAMS)
        amc_prune_env_set_resource(s->env, AMC_RESOURCE_PARAMS);
    s->output = amc_output_new(s->network, s->space->granularity, o->out, o->force, err);
    if (!s->output) return -1;
    s->scorer = amc_scorer_new(s->network, o->scorer, err);
    if (!s->scorer) return -1;
    if (amc_chooser_open(&s->chooser, s->network, s->space, &s->scorer->repair, o->aim.criterion,
                         (uint64_t)o->seed, err) < 0)
        return -1;
    if (!o->paper) amc_chooser_set_prior(&s->chooser, s->env);
    if (o->early_stop > 0)
        s->early_stop = amc_early_stop_new(s->scorer->dataset->n, o->early_stop, (uint64_t)o->seed);
    return 0;
}

static void print_aim(const search_options *o) {
    char *budgets = amc_aim_text(&o->aim);
    if (strcmp(o->reward, "err") == 0)
        fprintf(stderr, "the best network");
    else
        fprintf(stderr, "as few %s as accuracy allows",
                strcmp(o->reward, "flops") == 0 ? "FLOPs" : "parameters");
    if (o->max_drop_given) fprintf(stderr, ", losing %g points at most", o->max_drop);
    fprintf(stderr, "%s%s\n", *budgets ? " within " : "", budgets);
    free(budgets);
}

static void print_start(search *s) {
    amc_scorer_print_held_out(s->scorer);
    amc_accuracy base = amc_scorer_network(s->scorer);
    s->base = (float)base.top1 / (float)base.images;
    bool by_weights = s->space->granularity == AMC_GRANULARITY_WEIGHT;
    fprintf(stderr, "%s: %s MACs, %s parameters, %d %s to decide\n", s->network->cfg_path,
            amc_cmd_count(amc_cost_macs(s->network->graph)),
            amc_cmd_count(amc_cost_params(s->network->graph)), amc_prune_env_steps(s->env),
            by_weights ? "layers' weights" : "channel groups");
    fprintf(stderr, "accuracy %.2f%% on %d held-out training images; searching for ",
            100.0 * base.top1 / base.images, base.images);
    print_aim(s->options);
}

// Less half an image, so that rounding doesn't refuse what loses exactly that much.
static double least_accuracy(const search *s) {
    return s->base - s->options->max_drop / 100 - 0.5 / s->scorer->dataset->n;
}

static void run_search(search *s) {
    const search_options *o = s->options;
    amc_search_options options = {.episodes = o->episodes,
                                  .warmup = o->warmup < o->episodes ? o->warmup : o->episodes,
                                  .random = strcmp(o->agent, "random") == 0,
                                  .reward = (amc_reward)amc_reward_find(o->reward),
                                  .floor = o->max_drop_given ? least_accuracy(s) : 0,
                                  .seed = (uint64_t)o->seed,
                                  .manner = o->paper
                                                ? amc_proposal_paper(amc_prune_env_steps(s->env))
                                                : amc_proposal_defaults()};
    s->progress = amc_progress_new(s->space, amc_prune_env_resource(s->env), o->episodes);
    signal(SIGINT, interrupt);
    s->result = amc_search_run(s->env, options, score, report, s);
    amc_progress_end(s->progress);
}

// Weights that were zero already can make a network smaller than was found.
static int verify_cost(const search *s, amc_resource resource, amc_error *err) {
    bool channels = s->space->granularity == AMC_GRANULARITY_CHANNEL;
    int64_t cost = channels ? amc_prune_space_graph_cost(s->space, resource, s->pruned->graph)
                            : amc_network_cost(s->pruned, s->space->granularity, resource);
    int64_t found = amc_prune_env_cost(s->env, resource, s->result.counts);
    bool exact = cost == found || (!channels && cost < found);
    if (exact && cost <= amc_prune_env_budget(s->env, resource)) return 0;
    return amc_error_set(err, "%s: has %lld of %s when read back, expected %lld",
                         s->output->cfg_path, (long long)cost, amc_resource_name(resource),
                         (long long)found);
}

// Scores what was written, as read back from the files: success is reported only for a result that
// is what the search found, within its budget.
static int verify(search *s, amc_error *err) {
    amc_scorer_options options = s->options->scorer;
    options.data = s->scorer->data_path;
    options.repair = (amc_repair_options){0}; // the files hold the repaired network
    for (int r = 0; r < AMC_RESOURCES; r++)
        if (verify_cost(s, (amc_resource)r, err) < 0) return -1;
    amc_scorer *again = amc_scorer_new(s->pruned, options, err);
    if (!again) return -1;
    amc_accuracy accuracy = amc_scorer_network(again);
    amc_scorer_free(again);
    float found = (float)accuracy.top1 / (float)accuracy.images;
    if (found == s->result.best.accuracy) return 0;
    return amc_error_set(err, "%s: scores %.4f when read back, expected %.4f",
                         s->output->weights_path, found, s->result.best.accuracy);
}

static int write_result(search *s, amc_error *err) {
    char *episodes = amc_progress_csv(s->progress);
    amc_pruned best = amc_chooser_make(&s->chooser, s->result.counts);
    int status = amc_output_stage(s->output, &best, episodes, err);
    amc_pruned_clear(&best);
    free(episodes);
    if (status == 0) s->pruned = amc_output_read_back(s->output, err);
    if (!s->pruned || verify(s, err) < 0) return -1;
    if (amc_running_compare(&s->running, s->pruned, err) < 0) return -1;
    return amc_output_publish(s->output, err);
}

static void print_json(const search *s) {
    cJSON *json = amc_output_json(s->output, s->pruned);
    cJSON_AddNumberToObject(json, "accuracy", s->result.best.accuracy);
    cJSON_AddNumberToObject(json, "reward", s->result.best.reward);
    cJSON_AddNumberToObject(json, "episodes", s->result.episodes);
    cJSON_AddNumberToObject(json, "images_scored", (double)s->images_scored);
    amc_running_add_json(&s->running, json);
    amc_cmd_print_json(json);
}

static void print_result(const search *s) {
    if (s->options->json) {
        print_json(s);
        return;
    }
    amc_output_print_summary(s->output, s->pruned);
    amc_running_print(&s->running);
    printf("accuracy %.2f%% on the held-out training images, before fine-tuning (episode %d of "
           "%d)\n",
           100 * s->result.best.accuracy, s->result.best.index + 1, s->result.episodes);
    if (s->early_stop)
        printf("%d of %d plans were stopped early; images scored: %.1f%%\n", s->plans_stopped,
               s->plans_scored,
               100.0 * (double)s->images_scored / s->plans_scored / s->scorer->dataset->n);
    amc_output_print_commands(s->output, s->scorer->data_path);
}

static void close_search(search *s) {
    amc_network_free(s->pruned);
    free(s->result.counts);
    amc_progress_free(s->progress);
    amc_chooser_close(&s->chooser);
    amc_early_stop_free(s->early_stop);
    amc_scorer_free(s->scorer);
    amc_output_free(s->output);
    amc_prune_env_free(s->env);
    amc_prune_space_free(s->space);
    amc_running_close(&s->running);
    amc_network_free(s->network);
}

static int check_found(const search *s, amc_error *err) {
    if (s->result.best.best) return 0;
    return amc_error_set(err,
                         "%s: none of %d plans lost at most %g points of %.2f%%, the best lost "
                         "%.2f; expected a larger -max-drop or more -episodes",
                         s->network->cfg_path, s->result.episodes, s->options->max_drop,
                         100 * s->base, 100 * (s->base - s->result.highest));
}

static int run(const search_options *o, const char *cfg, const char *weights, amc_error *err) {
    search s = {.options = o};
    int status = open_search(&s, cfg, weights, err);
    if (status == 0) {
        print_start(&s);
        run_search(&s);
        status = check_found(&s, err);
        if (status == 0) status = write_result(&s, err);
        signal(SIGINT, SIG_DFL);
    }
    if (status == 0) print_result(&s);
    close_search(&s);
    return status;
}

int amc_cmd_search(int argc, char **argv) {
    search_options o = {.reward = "err",
                        .agent = "ddpg",
                        .aim = amc_aim_unlimited(0.1),
                        .max_drop = NAN,
                        .episodes = 200,
                        .warmup = 10,
                        .seed = 1,
                        .scorer = {.part = AMC_DATASET_SEARCH,
                                   .threads = amc_cmd_processors(),
                                   .repair = {.reconstruct = 2000, .calibrate = 256}}};
    const amc_option table[] = {
        AMC_OPTION_DATA(&o.scorer.data),
        AMC_OPTION_FLOPS(&o.aim.flops, &o.aim.flops_given),
        AMC_OPTION_PARAMS(&o.aim.params, &o.aim.params_given),
        AMC_OPTION_LATENCY(&o.aim.latency, &o.aim.latency_given),
        AMC_OPTION_MEMORY(&o.aim.memory, &o.aim.memory_given),
        AMC_OPTION_REMEASURE(&o.aim.remeasure),
        AMC_OPTION_GRANULARITY(&o.aim.granularity),
        {.name = "reward",
         .kind = AMC_OPTION_TEXT,
         .value = &o.reward,
         .argument = "NAME",
         .help = "err: accuracy within the budget; flops, params: as small as accuracy allows"},
        {.name = "max-drop",
         .kind = AMC_OPTION_NUMBER,
         .value = &o.max_drop,
         .argument = "D",
         .help = "with these: lose at most D percentage points of held-out accuracy",
         .high = 100,
         .given = &o.max_drop_given},
        {.name = "agent",
         .kind = AMC_OPTION_TEXT,
         .value = &o.agent,
         .argument = "NAME",
         .help = "ddpg, or random for comparison"},
        {.name = "paper",
         .kind = AMC_OPTION_FLAG,
         .value = &o.paper,
         .help = "search as in He et al. 2018, for comparison: -episodes 400 -warmup 100"},
        {.name = "episodes",
         .kind = AMC_OPTION_INT,
         .value = &o.episodes,
         .argument = "N",
         .help = "plans to try",
         .low = 1,
         .high = 1000000,
         .given = &o.episodes_given},
        {.name = "warmup",
         .kind = AMC_OPTION_INT,
         .value = &o.warmup,
         .argument = "N",
         .help = "first episodes, whose plans are drawn",
         .high = 1000000,
         .given = &o.warmup_given},
        AMC_OPTION_LIMIT(&o.scorer.limit),
        {.name = "early-stop",
         .kind = AMC_OPTION_NUMBER,
         .value = &o.early_stop,
         .argument = "P",
         .help =
             "score no further a plan behind the best; P: chance of losing a better one, 0: off",
         .high = 0.5},
        AMC_OPTION_RECONSTRUCT(&o.scorer.repair.reconstruct),
        AMC_OPTION_CALIBRATE(&o.scorer.repair.calibrate),
        AMC_OPTION_MIN_KEEP(&o.aim.min_keep),
        AMC_OPTION_ROUND(&o.aim.round),
        AMC_OPTION_SKIP(&o.skip),
        AMC_OPTION_CRITERION(&o.aim.criterion),
        AMC_OPTION_SEED(&o.seed, "everything random"),
        AMC_OPTION_THREADS(&o.scorer.threads),
        AMC_OPTION_OUT(&o.out),
        AMC_OPTION_FORCE(&o.force),
        AMC_OPTION_JSON(&o.json),
    };
    const amc_options options = {
        .command = "search",
        .summary =
            "Searches, layer by layer, how many channels to keep so that accuracy on held-out\n"
            "training images is best within a budget (half of the FLOPs, or of single weights "
            "half\n"
            "of the parameters, where nothing is said), and writes the smaller .cfg and .weights.\n"
            "Left out, the weights are weights/<name>.weights.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
    };
    amc_files_given files;
    amc_error err;
    int status = amc_options_parse(&options, argc, argv, &files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    o.scorer.seed = (uint64_t)o.seed;
    amc_cmd_use_threads(o.scorer.threads);
    if (check(&o, &err) < 0 || run(&o, files.cfg, files.weights, &err) < 0)
        return amc_cmd_fail(&err);
    return 0;
}
