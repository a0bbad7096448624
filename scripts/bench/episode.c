// What an episode of a search spends its time on, for scripts/bench.sh:
//
//   episode CFG WEIGHTS DATA THREADS EPISODES WARMUP
//
// searches as `darknet amc search` does and prints the median seconds of the episodes after WARMUP:
// of carrying out the plan in memory, of reconstructing weights, of re-estimating batch
// normalization, of scoring, of the rest (the agent: its decisions and updates, the environment),
// and of the whole episode; then how many images a plan is scored on. Episodes whose plan had been
// scored before don't count.

#include "peer.h"

#include "cmd/chooser.h"
#include "cmd/scorer.h"
#include "host/hooks.h"
#include "host/libraries.h"
#include "host/reconstruction.h"
#include "search/search_loop.h"

#include <omp.h>

#define RECONSTRUCTED 2000 // images; the program's default, as are
#define CALIBRATED 256     // images
#define KEPT .1            // of a group, at least

enum { APPLY, RECONSTRUCT, CALIBRATE, SCORE, AGENT, WHOLE, PARTS };

typedef struct episodes {
    amc_network *network;
    amc_scorer *scorer;
    amc_pruned pruned; // what the model computes
    amc_prune_space *space;
    amc_repair nothing;
    amc_chooser chooser;
    double parts[PARTS];    // of this episode
    bool scored;            // in this episode
    int warmup, n;          // episodes left out; counted
    double *samples[PARTS]; // (n)
} episodes;

// The time since *moment, which is now.
static double lap(double *moment) {
    double before = *moment;
    *moment = amc_clock_seconds();
    return *moment - before;
}

// What a search does with a plan, with a watch.
static int score(void *context, const int *counts, amc_score *scored, amc_error *err) {
    (void)err;
    episodes *e = context;
    double moment = amc_clock_seconds();
    amc_pruned pruned = amc_chooser_make(&e->chooser, counts); // which repairs nothing
    e->parts[APPLY] = lap(&moment);
    amc_reconstruct(e->scorer->repair.grams, pruned.plan, pruned.weights);
    e->parts[RECONSTRUCT] = lap(&moment);
    amc_calibrator_run(e->scorer->repair.calibrator, pruned.graph, pruned.weights, NULL, NULL);
    e->parts[CALIBRATE] = lap(&moment);
    amc_host_model_apply(e->scorer->model, pruned.graph, pruned.weights);
    amc_pruned_clear(&e->pruned); // only now: the model borrowed it
    e->pruned = pruned;
    e->parts[APPLY] += lap(&moment);
    amc_accuracy accuracy = amc_accuracy_measure(e->scorer->model, e->scorer->dataset, 1);
    e->parts[SCORE] = lap(&moment);
    e->scored = true;
    *scored = (amc_score){.accuracy = (float)accuracy.top1 / (float)accuracy.images,
                          .images = accuracy.images};
    return 0;
}

static bool note(void *context, const amc_search_episode *episode) {
    episodes *e = context;
    e->parts[WHOLE] = episode->seconds;
    e->parts[AGENT] = episode->seconds;
    for (int i = 0; i < AGENT; i++) e->parts[AGENT] -= e->parts[i];
    if (e->scored && episode->index >= e->warmup) {
        for (int i = 0; i < PARTS; i++) e->samples[i][e->n] = e->parts[i];
        e->n++;
    }
    e->scored = false;
    return true;
}

static int open_network(episodes *e, char **argv, amc_error *err) {
    amc_scorer_options options = {
        .data = argv[3],
        .part = AMC_DATASET_SEARCH,
        .seed = 1,
        .threads = atoi(argv[4]),
        .repair = {.reconstruct = RECONSTRUCTED, .calibrate = CALIBRATED}};
    e->network = amc_network_load(argv[1], argv[2], AMC_WEIGHTS_NEEDED, err);
    if (!e->network) return -1;
    e->space = amc_network_space(e->network, AMC_GRANULARITY_CHANNEL);
    if (amc_chooser_open(&e->chooser, e->network, e->space, &e->nothing, "bn", 1, err) < 0)
        return -1;
    e->scorer = amc_scorer_new(e->network, options, err);
    return e->scorer ? 0 : -1;
}

static int search(episodes *e, int n, amc_error *err) {
    amc_prune_env_options limits = {{.5, 1}, KEPT, 1};
    amc_prune_env *env = amc_prune_env_new(e->space, limits, err);
    if (!env) return -1;
    amc_search_options options = {
        .episodes = n, .warmup = e->warmup, .seed = 1, .manner = amc_proposal_defaults()};
    for (int i = 0; i < PARTS; i++) e->samples[i] = amc_memory_alloc((size_t)n, sizeof(double));
    amc_search_result result = amc_search_run(env, options, score, note, e, err);
    free(result.counts);
    amc_prune_env_free(env);
    return 0;
}

static void print(episodes *e) {
    if (!e->n) peer_fail("episode", "no plan was scored after WARMUP");
    for (int i = 0; i < PARTS; i++) printf("%.6g ", peer_median(e->samples[i], e->n));
    printf("%d\n", e->scorer->dataset->n);
}

static void close_network(episodes *e) {
    for (int i = 0; i < PARTS; i++) free(e->samples[i]);
    amc_chooser_close(&e->chooser);
    amc_prune_space_free(e->space);
    amc_scorer_free(e->scorer);
    amc_pruned_clear(&e->pruned);
    amc_network_free(e->network);
}

int main(int argc, char **argv) {
    episodes e = {0};
    amc_error err;
    amc_libraries_settle(argv); // as bin/darknet does
    amc_hooks_install();
    if (argc != 7) peer_fail(argv[0], "expected CFG WEIGHTS DATA THREADS EPISODES WARMUP");
    omp_set_num_threads(atoi(argv[4]));
    e.warmup = atoi(argv[6]);
    if (open_network(&e, argv, &err) < 0 || search(&e, atoi(argv[5]), &err) < 0)
        peer_fail(argv[0], err.text);
    print(&e);
    close_network(&e);
    return 0;
}
