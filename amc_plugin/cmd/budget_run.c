#include "cmd/budget_run.h"

#include "base/json_file.h"
#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/finishing.h"
#include "cmd/interrupt.h"
#include "cmd/output.h"
#include "cmd/progress.h"
#include "cmd/search_start.h"
#include "cmd/shell.h"
#include "cmd/summary.h"
#include "cmd/tuning.h"
#include "model/cost_model.h"
#include "search/evaluation.h"
#include "search/policy.h"
#include "search/search_loop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REFERENCES = 3 }; // policies made by hand that a result is compared with

struct amc_budget_run {
    amc_search_session *session;
    amc_finishing *finishing;
    const amc_aim *aim;
    int episodes;
    int *given_plans; // (n_given, groups) to start from
    int n_given;
    bool has_start;         // the first plan is a good one,
    bool starts_from_guess; // the result of the budget before, and no plan was scored yet
    amc_output *output;
    amc_checkpoint *checkpoint;
    amc_prune_env *env;
    amc_early_stop *early_stop; // NULL: every plan is scored on all images
    amc_evaluation evaluation;
    amc_progress *progress;
    amc_search_result result;
    amc_finalists *finalists;
    const amc_search_episode *found; // the finalist that is the result,
    amc_score score;                 // and what it scores in the end
    amc_network *pruned;             // the result as read back
    cJSON *json;                     // what is said of it
};

// ---- the search's view of it --------------------------------------------------------------------

static void apply(void *context, const int *counts) {
    amc_budget_run *run = context;
    amc_scorer_apply(run->session->scorer, amc_chooser_make(&run->session->chooser, counts));
}

static amc_score score_all(void *context) {
    return amc_scorer_all(((amc_budget_run *)context)->session->scorer);
}

static void score_some(void *context, const int *images, int n, bool *right) {
    amc_scorer_images(((amc_budget_run *)context)->session->scorer, images, n, right);
}

// The budget before may have found a better plan than when this search was recorded, which then
// began from another.
static int check_start(amc_budget_run *run, const int *counts, amc_error *err) {
    if (!run->starts_from_guess) return 0;
    run->starts_from_guess = false;
    if (amc_checkpoint_expects(run->checkpoint, counts)) return 0;
    if (!run->session->given->quiet)
        fprintf(stderr, "%s: the search there started from another plan, and is done anew\n",
                run->output->folder);
    return amc_checkpoint_forget(run->checkpoint, err);
}

static int score(void *context, const int *counts, amc_score *scored, amc_error *err) {
    amc_budget_run *run = context;
    if (check_start(run, counts, err) < 0) return -1;
    return amc_evaluation_score(&run->evaluation, counts, scored, err);
}

// Replaying takes no time, and a result of less than was recorded would be worse than none.
static bool report(void *context, const amc_search_episode *episode) {
    amc_budget_run *run = context;
    amc_progress_episode(run->progress, episode);
    amc_finalists_offer(run->finalists, episode);
    return !amc_interrupt_came() || amc_checkpoint_replays(run->checkpoint);
}

// ---- before -------------------------------------------------------------------------------------

// Finds out whether there is a search to go on with, and whether the result may be written.
static int open_checkpoint(amc_budget_run *run, const char *settings, amc_error *err) {
    const amc_search_given *o = run->session->given;
    run->checkpoint = amc_checkpoint_open(run->output->checkpoint_path, err);
    if (!run->checkpoint) return -1;
    bool anew = o->force && !o->resume;
    int plans = anew ? 0 : amc_checkpoint_plans(run->checkpoint, err);
    bool resumes = o->resume && plans > 0;
    if (plans < 0 || amc_output_check(run->output, o->force || resumes,
                                      plans > 0 ? "-resume, -force" : "-force", err) < 0)
        return -1;
    if (resumes) return amc_checkpoint_resume(run->checkpoint, run->session->space, settings, err);
    if (plans > 0)
        return amc_error_set(err,
                             "%s: an unfinished search of %d plans is there; expected -resume to "
                             "go on with it or -force to start anew",
                             run->output->checkpoint_path, plans);
    amc_checkpoint_start(run->checkpoint, run->session->space, settings);
    return 0;
}

// The output folder is this search's from now on.
static int open_output(amc_budget_run *run, const char *folder, amc_error *err) {
    const amc_search_session *session = run->session;
    char *settings = amc_search_options_settings(session->given, run->aim, session->network, err);
    if (!settings) return -1;
    run->output = amc_output_new(session->network, session->space->granularity, folder, err);
    int status = run->output ? open_checkpoint(run, settings, err) : -1;
    free(settings);
    return status;
}

static void open_evaluation(amc_budget_run *run) {
    const amc_search_given *o = run->session->given;
    if (o->early_stop > 0)
        run->early_stop =
            amc_early_stop_new(run->session->scorer->dataset->n, o->early_stop, (uint64_t)o->seed);
    run->evaluation = (amc_evaluation){.apply = apply,
                                       .all = score_all,
                                       .some = score_some,
                                       .context = run,
                                       .groups = run->session->space->n,
                                       .early_stop = run->early_stop,
                                       .checkpoint = run->checkpoint};
}

amc_budget_run *amc_budget_run_new(amc_search_session *session, amc_finishing *finishing,
                                   const amc_aim *aim, const char *folder, int episodes,
                                   amc_error *err) {
    amc_budget_run *run = amc_memory_alloc(1, sizeof *run);
    *run = (amc_budget_run){
        .session = session, .finishing = finishing, .aim = aim, .episodes = episodes};
    if (open_output(run, folder, err) == 0) return run;
    amc_budget_run_free(run);
    return NULL;
}

void amc_budget_run_free(amc_budget_run *run) {
    if (!run) return;
    cJSON_Delete(run->json);
    amc_network_free(run->pruned);
    amc_finalists_free(run->finalists);
    free(run->result.counts);
    free(run->given_plans);
    amc_progress_free(run->progress);
    amc_evaluation_clear(&run->evaluation);
    amc_early_stop_free(run->early_stop);
    amc_prune_env_free(run->env);
    amc_checkpoint_close(run->checkpoint);
    amc_output_free(run->output);
    free(run);
}

int amc_budget_run_prepare(amc_budget_run *run, amc_error *err) {
    run->env = amc_prune_env_new(run->session->space, amc_aim_limits(run->aim), err);
    if (!run->env) return -1;
    if (run->session->given->reward == AMC_REWARD_PARAMS)
        amc_prune_env_set_resource(run->env, AMC_RESOURCE_PARAMS);
    return 0;
}

static void print_start(const amc_budget_run *run) {
    const amc_search_given *o = run->session->given;
    char *budgets = amc_aim_text(run->aim);
    if (o->resume && !amc_checkpoint_replays(run->checkpoint))
        fprintf(stderr, "%s: no search to resume is there, one is started\n", run->output->folder);
    fprintf(stderr, "searching for ");
    if (o->reward == AMC_REWARD_ERR)
        fprintf(stderr, "the best network");
    else
        fprintf(stderr, "as few %s as accuracy allows",
                o->reward == AMC_REWARD_FLOPS ? "FLOPs" : "parameters");
    if (o->max_drop_given) fprintf(stderr, ", losing %g points at most", o->max_drop);
    fprintf(stderr, "%s%s\n", *budgets ? " within " : "", budgets);
    free(budgets);
}

// ---- the search and its result ------------------------------------------------------------------

// What the whole network scores is what a resumed search knows the images and kernels by.
static int record_whole(amc_budget_run *run, amc_error *err) {
    const amc_search_session *session = run->session;
    int *counts = amc_memory_alloc((size_t)session->space->n, sizeof *counts);
    amc_prune_env_whole(run->env, counts);
    int status =
        amc_evaluation_whole(&run->evaluation, counts, amc_scorer_score(session->whole), err);
    free(counts);
    return status;
}

// Less half an image, so that rounding doesn't refuse what loses exactly that much.
static double least_accuracy(const amc_budget_run *run) {
    return amc_search_session_accuracy(run->session) - run->session->given->max_drop / 100 -
           0.5 / run->session->scorer->dataset->n;
}

static amc_search_options search_options(const amc_budget_run *run) {
    const amc_search_given *o = run->session->given;
    amc_proposal_options proposals = {
        .warmup = o->warmup,
        .given = run->given_plans,
        .n_given = run->n_given,
        .random = strcmp(o->agent, "random") == 0,
        .seed = (uint64_t)o->seed,
        .manner =
            o->paper ? amc_proposal_paper(amc_prune_env_steps(run->env)) : amc_proposal_defaults(),
    };
    return (amc_search_options){.episodes = run->episodes,
                                .proposals = proposals,
                                .reward = o->reward,
                                .expects = o->expects,
                                .floor = o->max_drop_given ? least_accuracy(run) : 0};
}

// Unless it is to be the paper's or a random one.
static int set_start(amc_budget_run *run, const int *guess, amc_error *err) {
    const amc_search_session *session = run->session;
    const amc_search_given *o = session->given;
    if (o->paper || strcmp(o->agent, "random") == 0) return 0;
    run->has_start = amc_prune_env_is_limited(run->env);
    run->starts_from_guess = guess != NULL;
    if (guess) {
        amc_prune_env_set_prior(run->env, guess);
        return 0;
    }
    if (run->has_start)
        return amc_search_start_prior(session->scorer, &session->chooser, run->env, run->checkpoint,
                                      o->quiet, err);
    return amc_search_start_sizes(session->scorer, &session->chooser, run->env,
                                  amc_aim_limits(run->aim), o->warmup, run->checkpoint, o->quiet,
                                  &run->given_plans, &run->n_given, err);
}

static void print_how_to_resume(const amc_budget_run *run, const char *after) {
    if (run->session->given->quiet) return;
    char *line = amc_shell_line("-resume");
    fprintf(stderr, "interrupted after %s; to go on:\n%s\n", after, line);
    free(line);
}

static int search(amc_budget_run *run, amc_error *err) {
    const amc_search_given *o = run->session->given;
    run->progress = amc_progress_new(run->session->space, amc_prune_env_resource(run->env),
                                     run->episodes, o->quiet);
    run->finalists = amc_finalists_new(run->session->space->n, amc_finishing_plans(run->finishing),
                                       run->has_start);
    run->result = amc_search_run(run->env, search_options(run), score, report, run, err);
    amc_progress_end(run->progress);
    char *after = amc_memory_text("%d episodes of %d", run->result.episodes, run->episodes);
    if (run->result.episodes < run->episodes) print_how_to_resume(run, after);
    free(after);
    return run->result.counts ? 0 : -1;
}

// Single weights that are zero are multiplied all the same.
static int64_t macs_of(const amc_budget_run *run, const int *counts) {
    if (run->session->space->granularity == AMC_GRANULARITY_WEIGHT)
        return amc_cost_macs(run->session->network->graph);
    return amc_prune_env_cost(run->env, AMC_RESOURCE_MACS, counts);
}

// What a person would have done without a search: policies made by hand, within the same budgets.
static void score_references(amc_budget_run *run, cJSON *references) {
    static const char *const names[REFERENCES] = {"uniform", "shallow", "deep"};
    if (!amc_prune_env_is_limited(run->env)) return;
    int *counts = amc_memory_alloc((size_t)run->session->space->n, sizeof *counts);
    for (int i = 0; i < REFERENCES; i++) {
        amc_policy policy = (amc_policy)amc_policy_find(names[i]);
        amc_policy_meet_budget(policy, run->env, NULL, counts);
        amc_score scored = amc_finishing_score(run->finishing, counts);
        cJSON *reference = cJSON_CreateObject();
        cJSON_AddStringToObject(reference, "policy", names[i]);
        cJSON_AddNumberToObject(reference, "macs", (double)macs_of(run, counts));
        cJSON_AddNumberToObject(reference, "params",
                                (double)amc_prune_env_cost(run->env, AMC_RESOURCE_PARAMS, counts));
        amc_json_add_float(reference, "accuracy", scored.accuracy);
        cJSON_AddItemToArray(references, reference);
        amc_finishing_print(run->finishing, names[i], NAN, scored);
    }
    free(counts);
}

// Weights that were zero already can make a network smaller than was found.
static int verify_cost(const amc_budget_run *run, amc_resource resource, amc_error *err) {
    bool channels = run->session->space->granularity == AMC_GRANULARITY_CHANNEL;
    int64_t cost =
        channels ? amc_prune_space_graph_cost(run->session->space, resource, run->pruned->graph)
                 : amc_network_cost(run->pruned, run->session->space->granularity, resource);
    int64_t found = amc_prune_env_cost(run->env, resource, run->found->counts);
    bool exact = cost == found || (!channels && cost < found);
    if (exact && cost <= amc_prune_env_budget(run->env, resource)) return 0;
    return amc_error_set(err, "%s: has %lld of %s when read back, expected %lld",
                         run->output->cfg_path, (long long)cost, amc_resource_name(resource),
                         (long long)found);
}

// Scores what was written, as read back from the files: success is reported only for a result that
// is what the search found, within its budget.
static int verify(amc_budget_run *run, amc_error *err) {
    amc_scorer_options options = run->session->given->scorer;
    options.data = run->session->scorer->data_path;
    options.repair = (amc_repair_options){0}; // the files hold the repaired network
    for (int r = 0; r < AMC_RESOURCES; r++)
        if (verify_cost(run, (amc_resource)r, err) < 0) return -1;
    amc_scorer *again = amc_scorer_new(run->pruned, options, err);
    if (!again) return -1;
    amc_accuracy accuracy = amc_scorer_network(again);
    amc_scorer_free(again);
    float found = amc_scorer_score(accuracy).accuracy;
    if (found == run->score.accuracy) return 0;
    return amc_error_set(err, "%s: scores %.4f when read back, expected %.4f",
                         run->output->weights_path, found, run->score.accuracy);
}

static cJSON *result_json(amc_budget_run *run) {
    cJSON *json = amc_summary_json(run->output, run->pruned);
    cJSON_AddStringToObject(json, "data", run->session->scorer->data_path);
    amc_json_add_float(json, "accuracy_before", amc_search_session_accuracy(run->session));
    amc_json_add_float(json, "accuracy", run->score.accuracy);
    amc_json_add_float(json, "expected", run->score.expected);
    amc_json_add_float(json, "accuracy_in_search", run->found->accuracy);
    amc_json_add_float(json, "expected_in_search", run->found->expected);
    cJSON_AddNumberToObject(json, "reward", run->found->reward);
    cJSON_AddNumberToObject(json, "episodes", run->result.episodes);
    cJSON_AddNumberToObject(json, "images_scored", (double)run->evaluation.images);
    amc_running_add_json(&run->session->running, json);
    score_references(run, cJSON_AddArrayToObject(json, "references"));
    return json;
}

static int check_found(const amc_budget_run *run, amc_error *err) {
    if (run->result.best.best) return 0;
    return amc_error_set(err,
                         "%s: none of %d plans lost at most %g points of %.2f%%, the best lost "
                         "%.2f; expected a larger -max-drop or, with -resume, more -episodes",
                         run->session->network->cfg_path, run->result.episodes,
                         run->session->given->max_drop,
                         100 * amc_search_session_accuracy(run->session),
                         100 * (amc_search_session_accuracy(run->session) - run->result.highest));
}

// Chooses among the best plans. A search that is to go on isn't kept waiting.
static int finish(amc_budget_run *run, amc_error *err) {
    bool refit = run->session->given->scorer.repair.refit > 0 && !amc_interrupt_came();
    int others = amc_prune_env_is_limited(run->env) ? REFERENCES : 0;
    if (amc_finishing_begin(run->finishing, refit, others, err) < 0) return -1;
    run->found = amc_finishing_choose(run->finishing, run->finalists, &run->score);
    return 0;
}

static int write_result(amc_budget_run *run, amc_error *err) {
    if (finish(run, err) < 0) return -1;
    char *episodes = amc_progress_csv(run->progress);
    amc_output_sweep(run->output); // the folder is locked
    int status = amc_output_stage(run->output, &run->session->scorer->pruned, episodes, err);
    free(episodes);
    if (status == 0) run->pruned = amc_output_read_back(run->output, err);
    if (!run->pruned || verify(run, err) < 0) return -1;
    if (amc_running_compare(&run->session->running, run->pruned, err) < 0) return -1;
    run->json = result_json(run);
    return amc_output_publish(run->output, run->json, err);
}

int amc_budget_run_search(amc_budget_run *run, const int *guess, amc_error *err) {
    const amc_search_given *o = run->session->given;
    open_evaluation(run);
    if (!o->quiet) print_start(run);
    int status = record_whole(run, err);
    amc_interrupt_catch(); // the search ends after its episode, with the best so far
    if (status == 0) status = set_start(run, guess, err);
    if (status == 0) status = search(run, err);
    if (status == 0) status = check_found(run, err);
    if (status == 0) status = write_result(run, err);
    amc_interrupt_release();
    if (status < 0 || !amc_interrupt_came()) return status;
    bool more = o->finetune > 0 || o->flops.n > 1;
    if (more && run->result.episodes == run->episodes) print_how_to_resume(run, "the search");
    return 1;
}

const int *amc_budget_run_counts(const amc_budget_run *run) {
    return run->found->counts;
}

const cJSON *amc_budget_run_json(const amc_budget_run *run) {
    return run->json;
}

// ---- fine-tuning --------------------------------------------------------------------------------

// Trains the result on, and has result.json say what came of it.
int amc_budget_run_finetune(amc_budget_run *run, amc_error *err) {
    const amc_search_given *o = run->session->given;
    const amc_output *output = run->output;
    amc_tuning_options options = {.data = run->session->scorer->data_path,
                                  .epochs = o->finetune,
                                  .rate = NAN,
                                  .teacher_share = AMC_TUNING_TEACHER_SHARE,
                                  .settle = AMC_TUNING_SETTLE,
                                  .result = output->finetuned_path,
                                  .force = !o->resume, // what is there was of another search
                                  .resume = o->resume,
                                  .quiet = o->quiet,
                                  .limit = o->scorer.limit,
                                  .seed = o->scorer.seed,
                                  .threads = o->scorer.threads};
    amc_tuning_result result;
    amc_network *found =
        amc_network_load(output->cfg_path, output->weights_path, AMC_WEIGHTS_NEEDED, err);
    int status = found ? amc_tuning_run(found, &options, &result, err) : -1;
    if (status == 0) {
        amc_tuning_add_json(&options, &result, run->json);
        status = amc_json_file_save(output->json_path, run->json, err);
        if (!o->json) amc_tuning_print(&options, &result);
    }
    if (status == 1) print_how_to_resume(run, "the search");
    amc_network_free(found);
    return status;
}

void amc_budget_run_print(const amc_budget_run *run) {
    amc_summary_print(run->output, run->pruned);
    amc_running_print(&run->session->running);
    printf("accuracy %.2f%% on the held-out training images, before fine-tuning (episode %d of "
           "%d, %.2f%% in the search)\n",
           100 * run->score.accuracy, run->found->index + 1, run->result.episodes,
           100 * run->found->accuracy);
    if (run->early_stop)
        printf("%d of %d plans were stopped early; images scored: %.1f%%\n",
               run->evaluation.stopped, run->evaluation.plans,
               100.0 * (double)run->evaluation.images / run->evaluation.plans /
                   run->session->scorer->dataset->n);
    bool others = run->session->given->flops.n > 1;
    if (run->session->given->finetune == 0)
        amc_summary_print_commands(run->output, run->session->scorer->data_path, others);
    fflush(stdout); // what follows may take hours
}
