// The search: its journal and the output folder first, then the images, the episodes, and the
// result.

#include "base/memory.h"
#include "cmd/chooser.h"
#include "cmd/commands.h"
#include "cmd/output.h"
#include "cmd/progress.h"
#include "cmd/running.h"
#include "cmd/search_options.h"
#include "cmd/shell.h"
#include "cmd/tuning.h"
#include "model/cost_model.h"
#include "search/evaluation.h"
#include "search/policy.h"
#include "search/search_loop.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Everything a search has open; NULL until it is.
typedef struct search {
    const amc_search_given *options;
    amc_network *network;
    amc_scorer *scorer;
    amc_prune_space *space;
    amc_prune_env *env;
    amc_chooser chooser;
    amc_output *output;
    amc_progress *progress;
    float base;                 // accuracy of the whole network
    amc_early_stop *early_stop; // NULL: every plan is scored on all images
    amc_checkpoint *checkpoint;
    amc_evaluation evaluation;
    amc_search_result result;
    amc_network *pruned; // the result as read back
    cJSON *json;         // what is said of it
    amc_running running;
} search;

static volatile sig_atomic_t interrupted;

// The first Ctrl-C ends the search after its episode, with the best so far; the second at once.
static void interrupt(int number) {
    interrupted = 1;
    signal(number, SIG_DFL);
}

static void handle_interrupts(void (*handler)(int)) {
    signal(SIGINT, handler);
    signal(SIGTERM, handler);
}

// ---- the search's view of it --------------------------------------------------------------------

static void apply(void *context, const int *counts) {
    search *s = context;
    amc_scorer_apply(s->scorer, amc_chooser_make(&s->chooser, counts));
}

static amc_score score_all(void *context) {
    return amc_scorer_all(((search *)context)->scorer);
}

static void score_some(void *context, const int *images, int n, bool *right) {
    amc_scorer_images(((search *)context)->scorer, images, n, right);
}

static int score(void *context, const int *counts, amc_score *scored, amc_error *err) {
    return amc_evaluation_score(&((search *)context)->evaluation, counts, scored, err);
}

// Replaying takes no time, and a result of less than was recorded would be worse than none.
static bool report(void *context, const amc_search_episode *episode) {
    search *s = context;
    amc_progress_episode(s->progress, episode);
    return !interrupted || amc_checkpoint_replays(s->checkpoint);
}

// ---- before -------------------------------------------------------------------------------------

// Finds out whether there is a search to go on with, and whether the result may be written.
static int open_checkpoint(search *s, const char *settings, amc_error *err) {
    const amc_search_given *o = s->options;
    s->checkpoint = amc_checkpoint_open(s->output->checkpoint_path, err);
    if (!s->checkpoint) return -1;
    bool anew = o->force && !o->resume;
    int plans = anew ? 0 : amc_checkpoint_plans(s->checkpoint, err);
    bool resumes = o->resume && plans > 0;
    if (plans < 0 || amc_output_check(s->output, o->force || resumes,
                                      plans > 0 ? "-resume, -force" : "-force", err) < 0)
        return -1;
    if (resumes) return amc_checkpoint_resume(s->checkpoint, s->space, settings, err);
    if (plans > 0)
        return amc_error_set(err,
                             "%s: an unfinished search of %d plans is there; expected -resume to "
                             "go on with it or -force to start anew",
                             s->output->checkpoint_path, plans);
    amc_checkpoint_start(s->checkpoint, s->space, settings);
    return 0;
}

// The output folder is this search's from now on.
static int open_output(search *s, amc_error *err) {
    const amc_search_given *o = s->options;
    char *settings = amc_search_options_settings(o, s->network, err);
    if (!settings) return -1;
    s->output = amc_output_new(s->network, s->space->granularity, o->out, err);
    int status = s->output ? open_checkpoint(s, settings, err) : -1;
    free(settings);
    return status;
}

static void open_evaluation(search *s) {
    const amc_search_given *o = s->options;
    if (o->early_stop > 0)
        s->early_stop = amc_early_stop_new(s->scorer->dataset->n, o->early_stop, (uint64_t)o->seed);
    s->evaluation = (amc_evaluation){.apply = apply,
                                     .all = score_all,
                                     .some = score_some,
                                     .context = s,
                                     .groups = s->space->n,
                                     .early_stop = s->early_stop,
                                     .checkpoint = s->checkpoint};
}

static int open_search(search *s, const char *cfg, const char *weights, amc_error *err) {
    const amc_search_given *o = s->options;
    s->network = amc_network_load(cfg, weights, AMC_WEIGHTS_NEEDED, err);
    if (!s->network || (o->skip && amc_network_skip(s->network, o->skip, err) < 0)) return -1;
    s->space = amc_network_space(s->network, o->scorer.repair.granularity);
    if (amc_scorer_check(s->network, err) < 0 || open_output(s, err) < 0 ||
        amc_running_open(&s->running, &o->aim, s->network, s->space, o->scorer.threads, err) < 0)
        return -1;
    s->env = amc_prune_env_new(s->space, amc_aim_limits(&o->aim), err);
    if (!s->env) return -1;
    if (o->reward == AMC_REWARD_PARAMS) amc_prune_env_set_resource(s->env, AMC_RESOURCE_PARAMS);
    s->scorer = amc_scorer_new(s->network, o->scorer, err);
    if (!s->scorer) return -1;
    if (amc_chooser_open(&s->chooser, s->network, s->space, &s->scorer->repair, o->aim.criterion,
                         (uint64_t)o->seed, err) < 0)
        return -1;
    if (!o->paper) amc_chooser_set_prior(&s->chooser, s->env);
    open_evaluation(s);
    return 0;
}

static void print_aim(const amc_search_given *o) {
    char *budgets = amc_aim_text(&o->aim);
    if (o->reward == AMC_REWARD_ERR)
        fprintf(stderr, "the best network");
    else
        fprintf(stderr, "as few %s as accuracy allows",
                o->reward == AMC_REWARD_FLOPS ? "FLOPs" : "parameters");
    if (o->max_drop_given) fprintf(stderr, ", losing %g points at most", o->max_drop);
    fprintf(stderr, "%s%s\n", *budgets ? " within " : "", budgets);
    free(budgets);
}

static void print_start(const search *s, amc_accuracy base) {
    bool by_weights = s->space->granularity == AMC_GRANULARITY_WEIGHT;
    if (s->options->resume && !amc_checkpoint_replays(s->checkpoint))
        fprintf(stderr, "%s: no search to resume is there, one is started\n", s->output->folder);
    amc_scorer_print_held_out(s->scorer);
    fprintf(stderr, "%s: %s MACs, %s parameters, %d %s to decide\n", s->network->cfg_path,
            amc_cmd_count(amc_cost_macs(s->network->graph)),
            amc_cmd_count(amc_cost_params(s->network->graph)), amc_prune_env_steps(s->env),
            by_weights ? "layers' weights" : "channel groups");
    fprintf(stderr, "accuracy %.2f%% on %d held-out training images; searching for ",
            100.0 * base.top1 / base.images, base.images);
    print_aim(s->options);
}

// ---- the search and its result ------------------------------------------------------------------

// What the whole network scores is what a resumed search knows the images and kernels by.
static int score_whole(search *s, amc_error *err) {
    amc_accuracy base = amc_scorer_network(s->scorer);
    s->base = (float)base.top1 / (float)base.images;
    if (!s->options->quiet) print_start(s, base);
    int *counts = amc_memory_alloc((size_t)s->space->n, sizeof *counts);
    amc_prune_env_whole(s->env, counts);
    amc_score whole = {s->base, base.images, false, false};
    int status = amc_evaluation_whole(&s->evaluation, counts, whole, err);
    free(counts);
    return status;
}

// Less half an image, so that rounding doesn't refuse what loses exactly that much.
static double least_accuracy(const search *s) {
    return s->base - s->options->max_drop / 100 - 0.5 / s->scorer->dataset->n;
}

static amc_search_options search_options(const search *s) {
    const amc_search_given *o = s->options;
    return (amc_search_options){.episodes = o->episodes,
                                .warmup = o->warmup,
                                .random = strcmp(o->agent, "random") == 0,
                                .reward = o->reward,
                                .floor = o->max_drop_given ? least_accuracy(s) : 0,
                                .seed = (uint64_t)o->seed,
                                .manner = o->paper ? amc_proposal_paper(amc_prune_env_steps(s->env))
                                                   : amc_proposal_defaults()};
}

static void print_how_to_resume(const search *s, const char *after) {
    if (s->options->quiet) return;
    char *line = amc_shell_line("-resume");
    fprintf(stderr, "interrupted after %s; to go on:\n%s\n", after, line);
    free(line);
}

static int run_search(search *s, amc_error *err) {
    const amc_search_given *o = s->options;
    s->progress = amc_progress_new(s->space, amc_prune_env_resource(s->env), o->episodes, o->quiet);
    handle_interrupts(interrupt);
    s->result = amc_search_run(s->env, search_options(s), score, report, s, err);
    amc_progress_end(s->progress);
    char *after = amc_memory_text("%d episodes of %d", s->result.episodes, o->episodes);
    if (s->result.episodes < o->episodes) print_how_to_resume(s, after);
    free(after);
    return s->result.counts ? 0 : -1;
}

// What a person would have done without a search: policies made by hand, within the same budgets.
static void score_references(search *s, cJSON *references) {
    static const char *const names[] = {"uniform", "shallow", "deep"};
    if (!amc_prune_env_is_limited(s->env)) return;
    int *counts = amc_memory_alloc((size_t)s->space->n, sizeof *counts);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        amc_policy policy = (amc_policy)amc_policy_find(names[i]);
        amc_policy_meet_budget(policy, s->env, NULL, counts);
        amc_score scored = amc_scorer_pruned(s->scorer, amc_chooser_make(&s->chooser, counts));
        cJSON *reference = cJSON_CreateObject();
        cJSON_AddStringToObject(reference, "policy", names[i]);
        cJSON_AddNumberToObject(reference, "macs",
                                (double)amc_prune_env_cost(s->env, AMC_RESOURCE_MACS, counts));
        cJSON_AddNumberToObject(reference, "params",
                                (double)amc_prune_env_cost(s->env, AMC_RESOURCE_PARAMS, counts));
        cJSON_AddNumberToObject(reference, "accuracy", scored.accuracy);
        cJSON_AddItemToArray(references, reference);
    }
    free(counts);
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

static cJSON *result_json(search *s) {
    cJSON *json = amc_output_json(s->output, s->pruned);
    cJSON_AddStringToObject(json, "data", s->scorer->data_path);
    cJSON_AddNumberToObject(json, "accuracy_before", s->base);
    cJSON_AddNumberToObject(json, "accuracy", s->result.best.accuracy);
    cJSON_AddNumberToObject(json, "reward", s->result.best.reward);
    cJSON_AddNumberToObject(json, "episodes", s->result.episodes);
    cJSON_AddNumberToObject(json, "images_scored", (double)s->evaluation.images);
    amc_running_add_json(&s->running, json);
    score_references(s, cJSON_AddArrayToObject(json, "references"));
    return json;
}

static int write_result(search *s, amc_error *err) {
    char *episodes = amc_progress_csv(s->progress);
    amc_pruned best = amc_chooser_make(&s->chooser, s->result.counts);
    amc_output_sweep(s->output); // the folder is locked
    int status = amc_output_stage(s->output, &best, episodes, err);
    amc_pruned_clear(&best);
    free(episodes);
    if (status == 0) s->pruned = amc_output_read_back(s->output, err);
    if (!s->pruned || verify(s, err) < 0) return -1;
    if (amc_running_compare(&s->running, s->pruned, err) < 0) return -1;
    s->json = result_json(s);
    return amc_output_publish(s->output, s->json, err);
}

static void print_result(const search *s) {
    amc_output_print_summary(s->output, s->pruned);
    amc_running_print(&s->running);
    printf("accuracy %.2f%% on the held-out training images, before fine-tuning (episode %d of "
           "%d)\n",
           100 * s->result.best.accuracy, s->result.best.index + 1, s->result.episodes);
    if (s->early_stop)
        printf("%d of %d plans were stopped early; images scored: %.1f%%\n", s->evaluation.stopped,
               s->evaluation.plans,
               100.0 * (double)s->evaluation.images / s->evaluation.plans / s->scorer->dataset->n);
    amc_output_print_commands(s->output, s->scorer->data_path);
}

static void close_search(search *s) {
    cJSON_Delete(s->json);
    amc_network_free(s->pruned);
    free(s->result.counts);
    amc_progress_free(s->progress);
    amc_chooser_close(&s->chooser);
    amc_evaluation_clear(&s->evaluation);
    amc_early_stop_free(s->early_stop);
    amc_scorer_free(s->scorer);
    amc_checkpoint_close(s->checkpoint);
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
                         "%.2f; expected a larger -max-drop or, with -resume, more -episodes",
                         s->network->cfg_path, s->result.episodes, s->options->max_drop,
                         100 * s->base, 100 * (s->base - s->result.highest));
}

// ---- fine-tuning --------------------------------------------------------------------------------

// Trains the result on, and has result.json say what came of it.
static int finetune(search *s, amc_error *err) {
    const amc_search_given *o = s->options;
    const amc_output *output = s->output;
    char *weights =
        amc_memory_text("%s/%s-amc-finetuned.weights", output->folder, s->network->name);
    amc_tuning_options options = {.data = s->scorer->data_path,
                                  .epochs = o->finetune,
                                  .rate = NAN,
                                  .teacher = s->network->cfg_path,
                                  .teacher_weights = s->network->weights_path,
                                  .teacher_share = AMC_TUNING_TEACHER_SHARE,
                                  .result = weights,
                                  .force = !o->resume, // what is there was of another search
                                  .resume = o->resume,
                                  .quiet = o->quiet,
                                  .seed = o->scorer.seed,
                                  .threads = o->scorer.threads};
    amc_tuning_result result;
    amc_network *found =
        amc_network_load(output->cfg_path, output->weights_path, AMC_WEIGHTS_NEEDED, err);
    int status = found ? amc_tuning_run(found, &options, &result, err) : -1;
    if (status == 0) {
        amc_tuning_add_json(&options, &result, s->json);
        status = amc_output_rewrite_json(output, s->json, err);
        if (!o->json) amc_tuning_print(&options, &result);
    }
    if (status == 1) print_how_to_resume(s, "the search");
    amc_network_free(found);
    free(weights);
    return status;
}

static int run(const amc_search_given *o, const amc_files_given *files, amc_error *err) {
    search s = {.options = o};
    int status = open_search(&s, files->cfg, files->weights, err);
    if (status == 0) status = score_whole(&s, err);
    if (status == 0) {
        status = run_search(&s, err);
        if (status == 0) status = check_found(&s, err);
        if (status == 0) status = write_result(&s, err);
        handle_interrupts(SIG_DFL);
    }
    if (status == 0 && !o->json) print_result(&s);
    if (status == 0 && o->finetune > 0 && !interrupted) status = finetune(&s, err);
    if (status == 0 && o->json) amc_cmd_print_json(s.json);
    close_search(&s);
    return status;
}

int amc_cmd_search(int argc, char **argv) {
    amc_search_given given;
    amc_files_given files;
    amc_error err;
    int status = amc_search_options_parse(argc, argv, &given, &files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    amc_cmd_use_threads(given.scorer.threads);
    status = run(&given, &files, &err);
    return status < 0 ? amc_cmd_fail(&err) : status;
}
