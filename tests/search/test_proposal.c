// Where plans come from: the first are those that are given, then the uniform one (or the whole
// network without a budget), the
// warm-up stays near it, elite episodes change some of the best plan, and what was scored already
// is avoided.

#include "search/policy.h"
#include "search/proposal.h"
#include "support/networks.h"

enum { MOST_GROUPS = 40 };

typedef struct subject {
    networks_net net;
    amc_prune_env *env;
    amc_proposal *proposal;
    amc_score_cache *cache; // knows nothing
} subject;

static subject subject_new(const char *path, double flops, amc_proposal_options options) {
    amc_error err = {""};
    subject s = {.net = networks_load(path, 1)};
    s.env = amc_prune_env_new(s.net.space, (amc_prune_env_options){{flops, 1}, 0.1, 1}, &err);
    if (!s.env) fail_msg("%s", err.text);
    s.proposal = amc_proposal_new(s.env, options);
    s.cache = amc_score_cache_new(s.net.groups->n);
    assert_true(s.net.groups->n <= MOST_GROUPS);
    return s;
}

static void subject_free(subject s) {
    amc_score_cache_free(s.cache);
    amc_proposal_free(s.proposal);
    amc_prune_env_free(s.env);
    networks_free(s.net);
}

static void next(const subject *s, int *counts) {
    amc_proposal_next(s->proposal, s->cache);
    memcpy(counts, amc_prune_env_counts(s->env), (size_t)s->net.groups->n * sizeof *counts);
    assert_true(amc_prune_env_meets(s->env, counts));
}

static amc_proposal_options warming(uint64_t seed) {
    return (amc_proposal_options){.warmup = 50, .seed = seed, .manner = amc_proposal_defaults()};
}

static double share(const subject *s, const int *counts, int g) {
    return amc_prune_env_share(s->env, g, counts[g]);
}

// ---- the warm-up ----

// Plans of all sizes come as they are given, and after them what would have come at that time.
static void test_given(void **state) {
    (void)state;
    enum { GIVEN = 3 };
    static const double sizes[GIVEN] = {0.7, 0.4, 0.2};
    subject s = subject_new("cfg/resnet56.cfg", 1, warming(3));
    size_t groups = (size_t)s.net.groups->n;
    int given[GIVEN * MOST_GROUPS], counts[MOST_GROUPS];
    for (size_t i = 0; i < GIVEN; i++)
        for (size_t g = 0; g < groups; g++)
            given[i * groups + g] = s.net.space->groups[g].prunable
                                        ? amc_prune_env_round(s.env, (int)g, sizes[i])
                                        : s.net.space->groups[g].n_units;
    amc_proposal_free(s.proposal);
    amc_proposal_options options = warming(3);
    options.given = given;
    options.n_given = GIVEN;
    s.proposal = amc_proposal_new(s.env, options);
    for (size_t i = 0; i < GIVEN; i++) {
        next(&s, counts);
        assert_memory_equal(counts, given + i * groups, groups * sizeof *counts);
        amc_proposal_learn(s.proposal, -0.5, i == 1);
    }
    next(&s, counts);
    assert_memory_not_equal(counts, given + 2 * groups, groups * sizeof *counts);
    subject_free(s);
}

static void test_first_is_uniform(void **state) {
    (void)state;
    static const char *paths[] = {"cfg/plain20.cfg", "cfg/resnet56.cfg", "cfg/mobilenet.cfg"};
    for (int i = 0; i < 3; i++) {
        subject s = subject_new(paths[i], 0.5, warming(3));
        int counts[MOST_GROUPS], uniform[MOST_GROUPS];
        next(&s, counts);
        amc_policy_meet_budget(AMC_POLICY_UNIFORM, s.env, NULL, uniform);
        for (int g = 0; g < s.net.groups->n; g++)
            assert_true(fabs(share(&s, counts, g) - share(&s, uniform, g)) <
                        0.06 + 1.0 / s.net.groups->groups[g].n_units);
        subject_free(s);
    }
}

static void test_first_is_whole_without_budget(void **state) {
    (void)state;
    subject s = subject_new("cfg/plain20.cfg", 1, warming(3));
    int counts[MOST_GROUPS], whole[MOST_GROUPS];
    next(&s, counts);
    amc_prune_env_whole(s.env, whole);
    assert_memory_equal(counts, whole, (size_t)s.net.groups->n * sizeof *whole);
    subject_free(s);
}

// Mean distance of the prunable groups' shares in two plans.
static double distance(const subject *s, const int *a, const int *b) {
    double sum = 0;
    int steps = amc_prune_env_steps(s->env);
    for (int t = 0; t < steps; t++) {
        int g = amc_prune_env_group(s->env, t);
        sum += fabs(share(s, a, g) - share(s, b, g));
    }
    return sum / steps;
}

// Our warm-up plans are near the uniform one, the paper's are anywhere.
static void test_spread(void **state) {
    (void)state;
    double mean[2] = {0, 0};
    for (int paper = 0; paper < 2; paper++) {
        amc_proposal_options options = warming(4);
        if (paper) options.manner = amc_proposal_paper(19);
        subject s = subject_new("cfg/plain20.cfg", 0.5, options);
        int counts[MOST_GROUPS], uniform[MOST_GROUPS];
        amc_policy_meet_budget(AMC_POLICY_UNIFORM, s.env, NULL, uniform);
        for (int i = 0; i < 50; i++) {
            next(&s, counts);
            mean[paper] += distance(&s, counts, uniform) / 50;
            amc_proposal_learn(s.proposal, -1, false);
        }
        subject_free(s);
    }
    assert_true(mean[0] > 0.05 && mean[0] < 0.2);
    assert_true(mean[1] > 1.5 * mean[0]);
}

// ---- the best plan, varied ----

static void test_elite(void **state) {
    (void)state;
    amc_proposal_options options = warming(5);
    options.warmup = 2;
    options.manner.elite = 1;
    subject s = subject_new("cfg/plain20.cfg", 1, options); // without a budget, nothing else moves
    int best[MOST_GROUPS], counts[MOST_GROUPS], changed = 0;
    next(&s, counts);
    amc_proposal_learn(s.proposal, -1, true);
    next(&s, best); // a random plan
    amc_proposal_learn(s.proposal, -0.5, true);
    for (int i = 0; i < 100; i++) {
        int here = 0;
        next(&s, counts);
        for (int g = 0; g < s.net.groups->n; g++) here += counts[g] != best[g];
        assert_true(here > 0);
        changed += here;
        amc_proposal_learn(s.proposal, -0.6, false);
    }
    double rate = changed / 100.0 / amc_prune_env_steps(s.env);
    assert_true(rate > 0.2 && rate < 0.4);
    subject_free(s);
}

// ---- what is known ----

// Four plans there are; when three are known, the fourth is proposed.
static void test_known_plans_are_avoided(void **state) {
    (void)state;
    char *path = fixture_write("small.cfg", NET(3, 8, 8) CONV(2, 3, 1, relu) CONV(2, 3, 1, relu)
                                                BARE_CONV(5, 1, 1, linear));
    amc_proposal_options options = warming(6);
    options.manner.tries = 100;
    subject s = subject_new(path, 1, options);
    int counts[MOST_GROUPS], seen[4] = {0};
    for (int i = 0; i < 4; i++) {
        next(&s, counts);
        seen[2 * (counts[0] - 1) + counts[1] - 1]++;
        amc_score_cache_add(s.cache, counts, (amc_score){.accuracy = 0.5f, .images = 10});
        amc_proposal_learn(s.proposal, -0.5, i == 0);
    }
    for (int i = 0; i < 4; i++) assert_int_equal(seen[i], 1);
    next(&s, counts); // and it ends where there is no other
    subject_free(s);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_first_is_uniform),
        cmocka_unit_test(test_first_is_whole_without_budget),
        cmocka_unit_test(test_spread),
        cmocka_unit_test(test_elite),
        cmocka_unit_test(test_known_plans_are_avoided),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
