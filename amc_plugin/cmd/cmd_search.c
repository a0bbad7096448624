#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/output.h"
#include "cmd/progress.h"
#include "cmd/scorer.h"
#include "model/cost_model.h"
#include "search/early_stop.h"
#include "search/search_loop.h"

#include <cjson/cJSON.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct search_options {
    const char *reward, *agent, *criterion, *skip, *out;
    double flops, min_keep, early_stop;
    bool force, json;
    int episodes, warmup, round, seed;
    amc_scorer_options scorer;
} search_options;

// Everything a search has open; NULL until it is.
typedef struct search {
    const search_options *options;
    amc_network *network;
    amc_scorer *scorer;
    amc_prune_env *env;
    amc_output *output;
    amc_progress *progress;
    double *unit_score;
    amc_early_stop *early_stop; // NULL: every plan is scored on all images
    int64_t images_scored;      // of all plans
    int plans_scored, plans_stopped;
    amc_search_result result;
    amc_network *pruned; // the result as read back
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

static amc_score score_all(amc_scorer *scorer, const amc_prune_plan *plan) {
    amc_accuracy accuracy = amc_scorer_plan(scorer, plan);
    return (amc_score){(float)accuracy.top1 / (float)accuracy.images, accuracy.images, false};
}

static amc_score score_until_stopped(search *s, const amc_prune_plan *plan) {
    amc_scorer_apply(s->scorer, plan);
    return amc_early_stop_score(s->early_stop, score_images, s);
}

static amc_score score(void *context, const amc_prune_plan *plan) {
    search *s = context;
    amc_score scored = s->early_stop ? score_until_stopped(s, plan) : score_all(s->scorer, plan);
    s->images_scored += scored.images;
    s->plans_scored++;
    s->plans_stopped += scored.stopped;
    return scored;
}

static bool report(void *context, const amc_search_episode *episode) {
    amc_progress_episode(((search *)context)->progress, episode);
    return !interrupted;
}

static int check(const search_options *o, amc_error *err) {
    if (strcmp(o->reward, "err") != 0)
        return amc_error_set(err, "search: -reward %s, expected err", o->reward);
    if (strcmp(o->agent, "ddpg") != 0 && strcmp(o->agent, "random") != 0)
        return amc_error_set(err, "search: -agent %s, expected ddpg or random", o->agent);
    return 0;
}

static int open_search(search *s, const char *cfg, const char *weights, amc_error *err) {
    const search_options *o = s->options;
    s->network = amc_network_load(cfg, weights, AMC_WEIGHTS_NEEDED, err);
    if (!s->network || (o->skip && amc_network_skip(s->network, o->skip, err) < 0)) return -1;
    amc_prune_env_options limits = {o->flops, o->min_keep, o->round};
    s->env = amc_prune_env_new(s->network->graph, s->network->groups, limits, err);
    if (!s->env) return -1;
    s->output = amc_output_new(s->network, o->out, o->force, err);
    if (!s->output) return -1;
    s->scorer = amc_scorer_new(s->network, o->scorer, err);
    if (!s->scorer) return -1;
    s->unit_score =
        amc_repair_importance(&s->scorer->repair, s->network, o->criterion, (uint64_t)o->seed, err);
    if (!s->unit_score) return -1;
    if (o->early_stop > 0)
        s->early_stop = amc_early_stop_new(s->scorer->dataset->n, o->early_stop, (uint64_t)o->seed);
    return 0;
}

static void print_start(const search *s) {
    amc_scorer_print_held_out(s->scorer);
    amc_accuracy base = amc_scorer_network(s->scorer);
    fprintf(stderr, "%s: %s MACs, %s parameters, %d channel groups to decide\n",
            s->network->cfg_path, amc_cmd_count(amc_cost_macs(s->network->graph)),
            amc_cmd_count(amc_cost_params(s->network->graph)), amc_prune_env_steps(s->env));
    fprintf(stderr,
            "accuracy %.2f%% on %d held-out training images; searching for the best network "
            "within %.2f%% of the FLOPs\n",
            100.0 * base.top1 / base.images, base.images, 100 * s->options->flops);
}

static void run_search(search *s) {
    const search_options *o = s->options;
    amc_search_options options = {.episodes = o->episodes,
                                  .warmup = o->warmup < o->episodes ? o->warmup : o->episodes,
                                  .random = strcmp(o->agent, "random") == 0,
                                  .seed = (uint64_t)o->seed,
                                  .unit_score = s->unit_score};
    s->progress = amc_progress_new(s->network->graph, s->network->groups, o->episodes);
    signal(SIGINT, interrupt);
    s->result = amc_search_run(s->env, s->network->groups, options, score, report, s);
    amc_progress_end(s->progress);
}

// Scores what was written, as read back from the files: success is reported only for a result that
// is what the search found, within its budget.
static int verify(search *s, amc_error *err) {
    amc_scorer_options options = s->options->scorer;
    options.data = s->scorer->data_path;
    options.repair = (amc_repair_options){0}; // the files hold the repaired network
    int64_t macs = amc_cost_macs(s->pruned->graph);
    if (macs > amc_prune_env_budget(s->env) || macs != s->result.best.macs)
        return amc_error_set(err, "%s: has %lld MACs when read back, expected %lld",
                             s->output->cfg_path, (long long)macs, (long long)s->result.best.macs);
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
    amc_pruned best = amc_pruned_make(s->network, s->result.plan, &s->scorer->repair);
    int status = amc_output_stage(s->output, s->result.plan, &best, episodes, err);
    amc_pruned_clear(&best);
    free(episodes);
    if (status == 0) s->pruned = amc_output_read_back(s->output, err);
    if (!s->pruned || verify(s, err) < 0) return -1;
    return amc_output_publish(s->output, err);
}

static void print_json(const search *s) {
    cJSON *json = amc_output_json(s->output, s->pruned);
    cJSON_AddNumberToObject(json, "accuracy", s->result.best.accuracy);
    cJSON_AddNumberToObject(json, "reward", s->result.best.reward);
    cJSON_AddNumberToObject(json, "episodes", s->result.episodes);
    cJSON_AddNumberToObject(json, "images_scored", (double)s->images_scored);
    amc_cmd_print_json(json);
}

static void print_result(const search *s) {
    if (s->options->json) {
        print_json(s);
        return;
    }
    amc_output_print_summary(s->output, s->pruned);
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
    amc_prune_plan_free(s->result.plan);
    amc_progress_free(s->progress);
    free(s->unit_score);
    amc_early_stop_free(s->early_stop);
    amc_scorer_free(s->scorer);
    amc_output_free(s->output);
    amc_prune_env_free(s->env);
    amc_network_free(s->network);
}

static int run(const search_options *o, const char *cfg, const char *weights, amc_error *err) {
    search s = {.options = o};
    int status = open_search(&s, cfg, weights, err);
    if (status == 0) {
        print_start(&s);
        run_search(&s);
        status = write_result(&s, err);
        signal(SIGINT, SIG_DFL);
    }
    if (status == 0) print_result(&s);
    close_search(&s);
    return status;
}

int amc_cmd_search(int argc, char **argv) {
    search_options o = {.reward = "err",
                        .agent = "ddpg",
                        .flops = 0.5,
                        .min_keep = 0.1,
                        .episodes = 400,
                        .warmup = 100,
                        .round = 1,
                        .seed = 1,
                        .scorer = {.part = AMC_DATASET_SEARCH,
                                   .threads = amc_cmd_processors(),
                                   .repair = {.reconstruct = 2000, .calibrate = 256}}};
    const amc_option table[] = {
        AMC_OPTION_DATA(&o.scorer.data),
        AMC_OPTION_FLOPS(&o.flops, NULL),
        {.name = "reward",
         .kind = AMC_OPTION_TEXT,
         .value = &o.reward,
         .argument = "NAME",
         .help = "err: minus the error"},
        {.name = "agent",
         .kind = AMC_OPTION_TEXT,
         .value = &o.agent,
         .argument = "NAME",
         .help = "ddpg, or random for comparison"},
        {.name = "episodes",
         .kind = AMC_OPTION_INT,
         .value = &o.episodes,
         .argument = "N",
         .help = "plans to try",
         .low = 1,
         .high = 1000000},
        {.name = "warmup",
         .kind = AMC_OPTION_INT,
         .value = &o.warmup,
         .argument = "N",
         .help = "first episodes, drawn around the budget",
         .high = 1000000},
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
        AMC_OPTION_MIN_KEEP(&o.min_keep),
        AMC_OPTION_ROUND(&o.round),
        AMC_OPTION_SKIP(&o.skip),
        AMC_OPTION_CRITERION(&o.criterion),
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
            "training images is best within a budget, and writes the smaller .cfg and\n"
            ".weights. Left out, the weights are weights/<name>.weights.",
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
