// The search on a made-up score: reproducible, the best evaluated plan is what it returns, and the
// agent finds better plans than random search does with as many evaluations.

#include "search/search_loop.h"
#include "support/networks.h"

// Layers of widths and costs of all kinds.
static const char cfg[] = NET(3, 32, 32) CONV(16, 3, 1, relu) CONV(24, 3, 1, relu) MAXPOOL(2, 2)
    CONV(48, 3, 1, relu) CONV(20, 1, 1, relu) CONV(48, 3, 1, relu) MAXPOOL(2, 2)
        CONV(96, 3, 1, relu) CONV(32, 1, 1, relu) CONV(96, 3, 1, relu) CONV(64, 3, 1, relu)
            BARE_CONV(10, 1, 1, linear) AVGPOOL();

enum { MOST_EPISODES = 400, MOST_GROUPS = 16 };

// A score that each group adds to, less and less the more of it is kept; some saturate soon, some
// hardly, and none as its cost would suggest.
typedef struct game {
    networks_net net;
    amc_prune_env *env;
    double gain[MOST_GROUPS], rate[MOST_GROUPS];
    amc_reward reward;
    bool expects;
    bool paper;        // its manner
    double floor;      // of accuracy
    int stop_after;    // episodes
    float stops_above; // better plans are said to be stopped
    int fails_after;   // scores; -1: none fails
    amc_error err;
    // What was reported, and what was asked to be scored.
    int n;
    amc_search_episode episodes[MOST_EPISODES];
    int counts[MOST_EPISODES][MOST_GROUPS];
    int scored;
    int scored_counts[MOST_EPISODES][MOST_GROUPS];
} game;

static game *new_game(uint64_t seed) {
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, seed);
    game *g = amc_memory_alloc(1, sizeof *g);
    g->net = networks_new(cfg, 1);
    g->env = amc_prune_env_new(g->net.space, (amc_prune_env_options){{0.5, 1}, 0.1, 1}, &err);
    if (!g->env) fail_msg("%s", err.text);
    g->stop_after = MOST_EPISODES;
    g->stops_above = 1;
    g->fails_after = -1;
    assert_true(g->net.groups->n <= MOST_GROUPS);
    double sum = 0;
    for (int i = 0; i < g->net.groups->n; i++) {
        g->gain[i] = exp(amc_rng_normal(&rng));
        g->rate[i] = exp(0.5 + 2.5 * amc_rng_uniform(&rng));
        sum += g->gain[i] * (1 - exp(-g->rate[i]));
    }
    for (int i = 0; i < g->net.groups->n; i++) g->gain[i] /= sum;
    return g;
}

// Takes a smaller network, without a budget.
static void shrink(game *g, const char *text) {
    amc_error err = {""};
    amc_prune_env_free(g->env);
    networks_free(g->net);
    g->net = networks_new(text, 1);
    g->env = amc_prune_env_new(g->net.space, (amc_prune_env_options){{1, 1}, 0, 1}, &err);
}

static void free_game(game *g) {
    amc_prune_env_free(g->env);
    networks_free(g->net);
    free(g);
}

// In [0, 1]: 1 for the whole network.
static int score(void *context, const int *counts, amc_score *scored, amc_error *err) {
    game *g = context;
    if (g->scored == g->fails_after) return amc_error_set(err, "plan %d", g->scored);
    double sum = 0;
    for (int i = 0; i < g->net.groups->n; i++) {
        double keep = amc_prune_env_share(g->env, i, counts[i]);
        sum += g->gain[i] * (1 - exp(-g->rate[i] * keep));
    }
    memcpy(g->scored_counts[g->scored++], counts, (size_t)g->net.groups->n * sizeof(int));
    *scored = (amc_score){.accuracy = (float)sum,
                          .images = 100 + g->scored,
                          .stopped = (float)sum > g->stops_above,
                          .expected = (float)(1 - sum)};
    return 0;
}

static bool report(void *context, const amc_search_episode *episode) {
    game *g = context;
    g->episodes[g->n] = *episode;
    memcpy(g->counts[g->n], episode->counts, (size_t)g->net.groups->n * sizeof(int));
    return ++g->n < g->stop_after;
}

static amc_search_result search(game *g, int episodes, int warmup, bool random, uint64_t seed) {
    amc_proposal_options proposals = {.warmup = warmup,
                                      .random = random,
                                      .seed = seed,
                                      .manner =
                                          g->paper ? amc_proposal_paper(amc_prune_env_steps(g->env))
                                                   : amc_proposal_defaults()};
    amc_search_options options = {.episodes = episodes,
                                  .proposals = proposals,
                                  .reward = g->reward,
                                  .expects = g->expects,
                                  .floor = g->floor};
    return amc_search_run(g->env, options, score, report, g, &g->err);
}

// Searches a game of its own and returns the best score that was found.
static double best_score(uint64_t game_seed, int episodes, int warmup, bool random, uint64_t seed) {
    game *g = new_game(game_seed);
    amc_search_result result = search(g, episodes, warmup, random, seed);
    double best = result.best.accuracy;
    free(result.counts);
    free_game(g);
    return best;
}

// ---- what is reported and returned ----

static void check_run(bool random) {
    game *g = new_game(1);
    amc_search_result result = search(g, 60, 20, random, 7);
    int n = g->net.groups->n, best = 0;
    assert_int_equal(result.episodes, 60);
    assert_int_equal(g->n, 60);
    assert_int_equal(g->scored, 60); // every plan once
    for (int i = 0; i < 60; i++) {
        const amc_search_episode *e = &g->episodes[i];
        if (e->accuracy > g->episodes[best].accuracy) best = i;
        assert_int_equal(e->index, i);
        assert_int_equal(e->images, 101 + i);
        assert_false(e->stopped);
        assert_true(e->reward == (double)e->accuracy - 1);
        assert_int_equal(e->best, best == i);
        assert_int_equal(e->macs, amc_prune_env_cost(g->env, AMC_RESOURCE_MACS, g->counts[i]));
        assert_int_equal(e->params, amc_prune_env_cost(g->env, AMC_RESOURCE_PARAMS, g->counts[i]));
        assert_true(e->macs <= amc_prune_env_budget(g->env, AMC_RESOURCE_MACS));
        assert_true(e->seconds >= 0);
        // The plan that was scored is the one that was reported.
        assert_memory_equal(g->scored_counts[i], g->counts[i], (size_t)n * sizeof(int));
    }
    assert_int_equal(result.best.index, best);
    assert_true(result.best.accuracy == g->episodes[best].accuracy);
    assert_int_equal(result.best.macs, g->episodes[best].macs);
    assert_memory_equal(result.counts, g->counts[best], (size_t)n * sizeof(int));
    assert_ptr_equal(result.best.counts, result.counts);
    assert_memory_not_equal(g->counts[0], g->counts[1], (size_t)n * sizeof(int));
    free(result.counts);
    free_game(g);
}

static void test_best_evaluated_is_returned(void **state) {
    (void)state;
    check_run(true);
    check_run(false);
}

static bool same_episodes(const game *x, const game *y) {
    bool same = x->n == y->n;
    for (int i = 0; same && i < x->n; i++) {
        const amc_search_episode *a = &x->episodes[i], *b = &y->episodes[i];
        same = a->accuracy == b->accuracy && a->reward == b->reward && a->macs == b->macs &&
               a->params == b->params && a->best == b->best &&
               memcmp(x->counts[i], y->counts[i], sizeof x->counts[i]) == 0;
    }
    return same;
}

static void test_same_seed_same_episodes(void **state) {
    (void)state;
    for (int random = 0; random < 2; random++) {
        game *first = new_game(2), *again = new_game(2), *other = new_game(2);
        free(search(first, 50, 15, random, 5).counts);
        free(search(again, 50, 15, random, 5).counts);
        free(search(other, 50, 15, random, 6).counts);
        assert_true(same_episodes(first, again));
        assert_false(same_episodes(first, other));
        // A search leaves nothing behind in its environment.
        int n = again->scored;
        again->n = 0;
        free(search(again, 50, 15, random, 5).counts);
        assert_true(same_episodes(first, again));
        assert_int_equal(again->scored, n + 50);
        free_game(first), free_game(again), free_game(other);
    }
}

// A longer search starts as the shorter one does.
static void test_more_episodes_same_start(void **state) {
    (void)state;
    game *brief = new_game(3), *longer = new_game(3);
    free(search(brief, 30, 15, false, 5).counts);
    free(search(longer, 45, 15, false, 5).counts);
    longer->n = 30;
    assert_true(same_episodes(brief, longer));
    free_game(brief), free_game(longer);
}

// The same where so few plans are left to find that they come again all the time.
static void test_more_episodes_same_start_of_few_plans(void **state) {
    (void)state;
    enum { BRIEF = 60, LONGER = 200 };
    for (uint64_t seed = 1; seed <= 5; seed++) {
        game *brief = new_game(1), *longer = new_game(1);
        shrink(brief, NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(6, 3, 1, relu) CONV(6, 3, 1, relu)
                          BARE_CONV(5, 1, 1, linear));
        shrink(longer, NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(6, 3, 1, relu) CONV(6, 3, 1, relu)
                           BARE_CONV(5, 1, 1, linear));
        free(search(brief, BRIEF, 10, false, seed).counts);
        free(search(longer, LONGER, 10, false, seed).counts);
        longer->n = BRIEF;
        assert_true(same_episodes(brief, longer));
        free_game(brief), free_game(longer);
    }
}

static void test_stops_when_told(void **state) {
    (void)state;
    static const int stops[] = {1, 7, 25};
    for (int i = 0; i < 3; i++) {
        game *g = new_game(4), *whole = new_game(4);
        g->stop_after = stops[i];
        amc_search_result result = search(g, 40, 10, false, 3);
        free(search(whole, 40, 10, false, 3).counts);
        assert_int_equal(result.episodes, stops[i]);
        assert_int_equal(g->n, stops[i]);
        assert_int_equal(g->scored, stops[i]);
        whole->n = stops[i];
        assert_true(same_episodes(g, whole));
        assert_in_range(result.best.index, 0, stops[i] - 1);
        free(result.counts);
        free_game(g), free_game(whole);
    }
}

// A plan that can't be scored ends the search before its episode.
static void test_ends_where_a_score_fails(void **state) {
    (void)state;
    static const int fails[] = {0, 1, 20};
    game *whole = new_game(4);
    free(search(whole, 40, 10, false, 3).counts);
    for (int i = 0; i < 3; i++) {
        game *g = new_game(4);
        g->fails_after = fails[i];
        amc_search_result result = search(g, 40, 10, false, 3);
        assert_null(result.counts);
        assert_int_equal(result.episodes, fails[i]);
        assert_int_equal(g->n, fails[i]);
        assert_int_equal(atoi(g->err.text + strlen("plan ")), fails[i]);
        whole->n = fails[i];
        assert_true(same_episodes(g, whole));
        free_game(g);
    }
    free_game(whole);
}

// Two layers of two channels leave four plans: each is scored once, and its score reported again.
static void test_a_plan_is_scored_once(void **state) {
    (void)state;
    game *g = new_game(1);
    shrink(g, NET(3, 8, 8) CONV(2, 3, 1, relu) CONV(2, 3, 1, relu) BARE_CONV(5, 1, 1, linear));
    free(search(g, 100, 50, false, 3).counts);
    assert_int_equal(g->n, 100);
    assert_in_range(g->scored, 2, 4);
    for (int i = 0; i < g->n; i++)
        for (int j = 0; j < i; j++)
            if (memcmp(g->counts[i], g->counts[j], 3 * sizeof(int)) == 0)
                assert_true(g->episodes[i].accuracy == g->episodes[j].accuracy);
    free_game(g);
}

// A plan that was stopped is not the best, whatever its estimate says.
static void test_stopped_plans(void **state) {
    (void)state;
    game *whole = new_game(5), *g = new_game(5);
    free(search(whole, 60, 60, false, 3).counts);
    float first = whole->episodes[0].accuracy, high = first;
    for (int i = 1; i < 60; i++) high = fmaxf(high, whole->episodes[i].accuracy);
    g->stops_above = (first + high) / 2;
    amc_search_result result = search(g, 60, 60, false, 3);
    int best = 0, stopped = 0;
    for (int i = 0; i < 60; i++) {
        const amc_search_episode *e = &g->episodes[i];
        assert_true(e->accuracy == whole->episodes[i].accuracy);
        assert_int_equal(e->stopped, e->accuracy > g->stops_above);
        stopped += e->stopped;
        if (!e->stopped && e->accuracy > g->episodes[best].accuracy) best = i;
        assert_int_equal(e->best, best == i);
    }
    assert_in_range(stopped, 1, 59);
    assert_int_equal(result.best.index, best);
    free(result.counts);
    free_game(g), free_game(whole);
}

// The paper's manner: other plans from the first on, as reproducible.
static void test_paper(void **state) {
    (void)state;
    game *ours = new_game(2), *paper = new_game(2), *again = new_game(2);
    free(search(ours, 40, 15, false, 5).counts);
    paper->paper = again->paper = true;
    free(search(paper, 40, 15, false, 5).counts);
    free(search(again, 40, 15, false, 5).counts);
    assert_true(same_episodes(paper, again));
    assert_memory_not_equal(paper->counts[0], ours->counts[0], sizeof paper->counts[0]);
    free_game(ours), free_game(paper), free_game(again);
}

// Rewards other than accuracy: what is reported is what they say, without a budget plans of all
// sizes are tried, and the one of largest reward is returned.
static void test_rewards_without_budget(void **state) {
    (void)state;
    amc_error err = {""};
    game *g = new_game(6);
    amc_prune_env_free(g->env);
    g->env = amc_prune_env_new(g->net.space, (amc_prune_env_options){{1, 1}, 0.1, 1}, &err);
    g->reward = AMC_REWARD_FLOPS;
    amc_search_result result = search(g, 120, 60, false, 3);
    double all = (double)amc_cost_macs(g->net.graph), least = 1, most = 0;
    int best = 0;
    for (int i = 0; i < 120; i++) {
        const amc_search_episode *e = &g->episodes[i];
        double share = (double)e->macs / all;
        assert_true(e->reward == amc_reward_of(AMC_REWARD_FLOPS, e->accuracy, e->macs, e->params));
        if (i < 60) least = fmin(least, share), most = fmax(most, share);
        if (e->reward > g->episodes[best].reward) best = i;
    }
    assert_true(least < 0.2 && most > 0.8);
    assert_int_equal(result.best.index, best);
    free(result.counts);
    free_game(g);
}

// What is expected may say the contrary of accuracy, as here: it decides, but for what is lacking.
static void test_expected_accuracy(void **state) {
    (void)state;
    game *g = new_game(1);
    g->expects = true;
    amc_search_result result = search(g, 30, 20, false, 7);
    int best = 0;
    for (int i = 0; i < 30; i++) {
        const amc_search_episode *e = &g->episodes[i];
        assert_true(fabs(e->expected + e->accuracy - 1) < 1e-6);
        assert_true(e->reward == (double)e->expected - 1);
        if (e->accuracy < g->episodes[best].accuracy) best = i;
    }
    assert_int_equal(result.best.index, best);
    free(result.counts);
    free_game(g);
}

// The best plan is the one of largest reward among those that are good enough; if none is, none is
// the best, and what plans lack is seen in their rewards.
static void test_floor(void **state) {
    (void)state;
    amc_error err = {""};
    static const double floors[2] = {0.9, 1.1};
    for (int k = 0; k < 2; k++) {
        game *g = new_game(6);
        amc_prune_env_free(g->env);
        g->env = amc_prune_env_new(g->net.space, (amc_prune_env_options){{1, 1}, 0.1, 1}, &err);
        g->reward = AMC_REWARD_FLOPS;
        g->floor = floors[k];
        amc_search_result result = search(g, 80, 40, false, 3);
        int best = -1, below = 0;
        for (int i = 0; i < 80; i++) {
            const amc_search_episode *e = &g->episodes[i];
            double lacking = fmax(0, floors[k] - e->accuracy);
            double error = 1 - e->accuracy + 10 * lacking;
            assert_true(fabs(e->reward + error * log((double)e->macs)) < 1e-9);
            below += lacking > 0;
            if (lacking == 0 && (best < 0 || e->reward > g->episodes[best].reward)) best = i;
        }
        assert_true(below > 0);
        assert_int_equal(result.best.best, k == 0);
        float highest = 0, smallest = INFINITY;
        for (int i = 0; i < 80; i++) {
            highest = fmaxf(highest, g->episodes[i].accuracy);
            smallest = fminf(smallest, (float)g->episodes[i].macs);
        }
        assert_true(result.highest == highest);
        // Where nothing is good enough, nothing is varied: plans aren't the least there is.
        int at_least = 0;
        for (int i = 40; i < 80; i++) at_least += (float)g->episodes[i].macs < 1.2f * smallest;
        assert_true(at_least < 20);
        if (k == 0) assert_int_equal(result.best.index, best);
        free(result.counts);
        free_game(g);
    }
}

// ---- learning ----

enum { GAMES = 5, EPISODES = 250, WARMUP = 60 };

static void test_agent_beats_random(void **state) {
    (void)state;
    double lost_by_agent = 0, lost_by_random = 0;
    int wins = 0;
    for (uint64_t seed = 1; seed <= GAMES; seed++) {
        double agent = best_score(seed, EPISODES, WARMUP, false, seed);
        double random = best_score(seed, EPISODES, WARMUP, true, seed);
        lost_by_agent += 1 - agent;
        lost_by_random += 1 - random;
        wins += agent > random;
        printf("# game %d: agent %.4f, random %.4f\n", (int)seed, agent, random);
    }
    assert_true(wins >= GAMES - 1);
    assert_true(lost_by_agent < 0.75 * lost_by_random);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best_evaluated_is_returned),
        cmocka_unit_test(test_same_seed_same_episodes),
        cmocka_unit_test(test_more_episodes_same_start),
        cmocka_unit_test(test_more_episodes_same_start_of_few_plans),
        cmocka_unit_test(test_stops_when_told),
        cmocka_unit_test(test_ends_where_a_score_fails),
        cmocka_unit_test(test_a_plan_is_scored_once),
        cmocka_unit_test(test_stopped_plans),
        cmocka_unit_test(test_paper),
        cmocka_unit_test(test_rewards_without_budget),
        cmocka_unit_test(test_expected_accuracy),
        cmocka_unit_test(test_floor),
        cmocka_unit_test(test_agent_beats_random),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
