// How soon variants of the agent find good plans, for scripts/agents.sh:
//
//   agents CFG WEIGHTS DATA FLOPS LIMIT EPISODES SEED THREADS [KEY=VALUE ...]
//
// searches as `darknet amc search` does, with the manner changed by KEY=VALUE, and prints a line an
// episode: its number, its accuracy, and what the best plan so far is right on of the held-out
// images that no reward is from. Keys: paper, random, warmup, spread,
// relative, expects, guess, elite, elite_steps, elite_sigma, updates, sigma, decay, floor, replay,
// ranks, rate, hidden.

#include "peer.h"

#include "cmd/search_start.h"
#include "host/hooks.h"
#include "search/search_loop.h"

#include <omp.h>

typedef struct trial {
    amc_scorer *scorer; // of LIMIT images
    amc_scorer *all;    // of all
    amc_chooser chooser;
    float best;
} trial;

static int score(void *context, const int *counts, amc_score *scored, amc_error *err) {
    (void)err;
    trial *t = context;
    *scored = amc_scorer_pruned(t->scorer, amc_chooser_make(&t->chooser, counts));
    return 0;
}

// On the images that only `all` has: the scorer's are among them.
static float accuracy_elsewhere(const trial *t, const amc_search_episode *episode) {
    amc_score all = amc_scorer_pruned(t->all, amc_chooser_make(&t->chooser, episode->counts));
    if (all.images == episode->images) return all.accuracy;
    float right = all.accuracy * (float)all.images - episode->accuracy * (float)episode->images;
    return right / (float)(all.images - episode->images);
}

static bool note(void *context, const amc_search_episode *episode) {
    trial *t = context;
    if (episode->best) t->best = accuracy_elsewhere(t, episode);
    printf("%d,%.4f,%.4f\n", episode->index + 1, episode->accuracy, t->best);
    fflush(stdout);
    return true;
}

static void set(amc_search_options *o, const char *setting, int steps) {
    char key[32];
    double value;
    amc_proposal_manner *m = &o->manner;
    if (sscanf(setting, "%31[a-z_]=%lf", key, &value) != 2) peer_fail("agents", setting);
    if (!strcmp(key, "paper") && value != 0)
        *m = amc_proposal_paper(steps), o->expects = false;
    else if (!strcmp(key, "expects"))
        o->expects = value != 0;
    else if (!strcmp(key, "guess"))
        return; // was seen to
    else if (!strcmp(key, "warmup"))
        o->warmup = (int)value;
    else if (!strcmp(key, "random"))
        o->random = value != 0;
    else if (!strcmp(key, "spread"))
        m->spread = value;
    else if (!strcmp(key, "relative"))
        m->relative = value != 0;
    else if (!strcmp(key, "elite"))
        m->elite = value;
    else if (!strcmp(key, "elite_steps"))
        m->elite_steps = value;
    else if (!strcmp(key, "elite_sigma"))
        m->elite_sigma = value;
    else if (!strcmp(key, "updates"))
        m->agent.updates_per_step = (int)value;
    else if (!strcmp(key, "sigma"))
        m->agent.sigma = value;
    else if (!strcmp(key, "decay"))
        m->agent.sigma_decay = value;
    else if (!strcmp(key, "floor"))
        m->agent.sigma_floor = value;
    else if (!strcmp(key, "replay"))
        m->agent.replay_episodes = (int)value;
    else if (!strcmp(key, "ranks"))
        m->agent.paper = value == 0;
    else if (!strcmp(key, "rate"))
        m->agent.actor_rate = value;
    else if (!strcmp(key, "hidden"))
        m->agent.hidden = (int)value;
    else
        peer_fail("agents", setting);
}

static int search(int argc, char **argv, amc_error *err) {
    amc_network *network = amc_network_load(argv[1], argv[2], AMC_WEIGHTS_NEEDED, err);
    if (!network) return -1;
    uint64_t seed = (uint64_t)atoi(argv[7]);
    amc_scorer_options scoring = {.data = argv[3],
                                  .part = AMC_DATASET_SEARCH,
                                  .limit = atoi(argv[5]),
                                  .seed = seed,
                                  .threads = atoi(argv[8]),
                                  .repair = {.reconstruct = 2000, .calibrate = 256}};
    omp_set_num_threads(scoring.threads);
    trial t = {.scorer = amc_scorer_new(network, scoring, err)};
    scoring.limit = 0;
    scoring.repair = (amc_repair_options){0}; // networks come repaired
    t.all = amc_scorer_new(network, scoring, err);
    if (!t.scorer || !t.all) return -1;
    amc_prune_space *space = amc_network_space(network, AMC_GRANULARITY_CHANNEL);
    if (amc_chooser_open(&t.chooser, network, space, &t.scorer->repair, NULL, seed, err) < 0)
        return -1;
    amc_prune_env *env =
        amc_prune_env_new(space, (amc_prune_env_options){{atof(argv[4]), 1}, 0.1, 1}, err);
    if (!env) return -1;
    amc_search_options options = {.episodes = atoi(argv[6]),
                                  .warmup = 10,
                                  .expects = true,
                                  .seed = seed,
                                  .manner = amc_proposal_defaults()};
    bool guess = true;
    for (int i = 9; i < argc; i++)
        guess = guess && strcmp(argv[i], "guess=0") && strcmp(argv[i], "paper=1");
    if (guess) amc_search_start_prior(t.scorer, &t.chooser, env, true);
    for (int i = 9; i < argc; i++) set(&options, argv[i], amc_prune_env_steps(env));
    free(amc_search_run(env, options, score, note, &t, err).counts);
    amc_prune_env_free(env);
    amc_chooser_close(&t.chooser);
    amc_scorer_free(t.scorer);
    amc_scorer_free(t.all);
    amc_prune_space_free(space);
    amc_network_free(network);
    return 0;
}

int main(int argc, char **argv) {
    amc_error err;
    if (argc < 9)
        peer_fail("agents",
                  "expected CFG WEIGHTS DATA FLOPS LIMIT EPISODES SEED THREADS [KEY=VALUE ...]");
    amc_hooks_install();
    if (search(argc, argv, &err) < 0) peer_fail("agents", err.text);
    return 0;
}
