// Handcrafted and random policies: each meets the budget, at its own shape, as mildly as it can.

#include "search/policy.h"
#include "support/networks.h"

typedef struct subject {
    networks_net net; // without weights
    amc_prune_env *env;
    amc_cost_model *cost;
    int *counts; // (groups)
    int round;
} subject;

static subject new_subject(const char *path, double flops, int round) {
    amc_error err = {""};
    subject s = {.net.graph = fixture_graph(path), .round = round};
    s.net.groups = amc_channel_groups_new(s.net.graph);
    s.net.space = amc_prune_space_of_channels(s.net.graph, s.net.groups);
    amc_prune_env_options options = {{flops, 1}, 0, round};
    s.env = amc_prune_env_new(s.net.space, options, &err);
    if (!s.env) fail_msg("%s", err.text);
    s.cost = amc_cost_model_new(s.net.graph, s.net.groups);
    s.counts = amc_memory_alloc((size_t)s.net.groups->n, sizeof *s.counts);
    return s;
}

static void free_subject(subject s) {
    free(s.counts);
    amc_cost_model_free(s.cost);
    amc_prune_env_free(s.env);
    networks_free(s.net);
}

static int units_at(const subject *s, int t) {
    return s->net.groups->groups[amc_prune_env_group(s->env, t)].n_units;
}

static int count_at(const subject *s, int t) {
    return s->counts[amc_prune_env_group(s->env, t)];
}

// Whether step t of n is in the half that a policy cuts first.
static bool in_first_half(amc_policy policy, int t, int n) {
    return policy == AMC_POLICY_SHALLOW ? t < n / 2 : t >= n / 2;
}

static void test_names(void **state) {
    (void)state;
    assert_int_equal(amc_policy_find("uniform"), AMC_POLICY_UNIFORM);
    assert_int_equal(amc_policy_find("shallow"), AMC_POLICY_SHALLOW);
    assert_int_equal(amc_policy_find("deep"), AMC_POLICY_DEEP);
    assert_int_equal(amc_policy_find("random"), AMC_POLICY_RANDOM);
    assert_int_equal(amc_policy_find("policy.json"), -1);
    assert_int_equal(amc_policy_find("Uniform"), -1);
    assert_int_equal(amc_policy_find(""), -1);
}

// ---- budgets ----

// Raising every group that is cut by a rounding step goes over the budget.
static void assert_mild(const subject *s) {
    int *more = amc_memory_copy(s->counts, (size_t)s->net.groups->n, sizeof *more);
    bool cut = false;
    for (int t = 0; t < amc_prune_env_steps(s->env); t++) {
        int g = amc_prune_env_group(s->env, t), units = units_at(s, t);
        if (more[g] == units) continue;
        cut = true;
        more[g] += amc_cost_model_step(s->cost, g, s->round);
        if (more[g] > units) more[g] = units;
    }
    if (cut)
        assert_true(amc_prune_env_cost(s->env, AMC_RESOURCE_MACS, more) >
                    amc_prune_env_budget(s->env, AMC_RESOURCE_MACS));
    free(more);
}

// The counts are some share's, of each half of the groups.
static void assert_shape(const subject *s, amc_policy policy) {
    int n = amc_prune_env_steps(s->env);
    for (int half = 0; half < 2; half++) {
        double low = 0, high = 1; // of the shares that round to the counts
        for (int t = 0; t < n; t++) {
            bool first = policy == AMC_POLICY_UNIFORM || in_first_half(policy, t, n);
            int units = units_at(s, t), count = count_at(s, t);
            int step = amc_cost_model_step(s->cost, amc_prune_env_group(s->env, t), s->round);
            if (first != (half == 0)) continue;
            if (count > step) low = fmax(low, (count - 0.5 * step) / units);
            if (count < units) high = fmin(high, (count + 0.5 * step) / units);
        }
        assert_true(low <= high + 1e-9);
    }
}

// The second half is cut only once the first is used up.
static void assert_halves(const subject *s, amc_policy policy) {
    int n = amc_prune_env_steps(s->env);
    bool first_used_up = true, second_cut = false;
    for (int t = 0; t < n; t++) {
        int g = amc_prune_env_group(s->env, t);
        if (in_first_half(policy, t, n))
            first_used_up = first_used_up && s->counts[g] == amc_prune_env_round(s->env, g, 0);
        else
            second_cut = second_cut || s->counts[g] < units_at(s, t);
    }
    assert_true(first_used_up || !second_cut);
}

static void test_budgets_are_met_mildly(void **state) {
    (void)state;
    static const char *paths[] = {"cfg/fashion.cfg", "cfg/plain20.cfg", "cfg/resnet56.cfg",
                                  "cfg/vgg16.cfg", "darknet/cfg/resnext50.cfg"};
    static const double budgets[] = {0.9, 0.5, 0.3, 0.12};
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int i = 0; i < 5 * 4 * 2; i++) {
        subject s = new_subject(paths[i % 5], budgets[i / 5 % 4], i < 20 ? 1 : 4);
        for (int policy = 0; policy < AMC_POLICIES; policy++) {
            amc_policy_meet_budget(policy, s.env, &rng, s.counts);
            assert_true(amc_prune_env_cost(s.env, AMC_RESOURCE_MACS, s.counts) <=
                        amc_prune_env_budget(s.env, AMC_RESOURCE_MACS));
            for (int g = 0; g < s.net.groups->n; g++)
                if (!s.net.groups->groups[g].prunable)
                    assert_int_equal(s.counts[g], s.net.groups->groups[g].n_units);
            assert_mild(&s);
            if (policy != AMC_POLICY_RANDOM) assert_shape(&s, policy);
            if (policy == AMC_POLICY_SHALLOW || policy == AMC_POLICY_DEEP)
                assert_halves(&s, policy);
        }
        free_subject(s);
    }
}

// Uniform against every share there is, in small steps.
static void test_uniform_is_the_largest_share(void **state) {
    (void)state;
    subject s = new_subject("cfg/vgg16.cfg", 0.5, 1);
    amc_rng rng = {{1, 2, 3, 4}};
    amc_policy_meet_budget(AMC_POLICY_UNIFORM, s.env, &rng, s.counts);
    int64_t reached = amc_prune_env_cost(s.env, AMC_RESOURCE_MACS, s.counts), most = 0;
    for (int i = 1; i <= 20000; i++) {
        for (int t = 0; t < amc_prune_env_steps(s.env); t++) {
            int g = amc_prune_env_group(s.env, t);
            s.counts[g] = amc_prune_env_round(s.env, g, i / 20000.0);
        }
        int64_t macs = amc_prune_env_cost(s.env, AMC_RESOURCE_MACS, s.counts);
        if (macs <= amc_prune_env_budget(s.env, AMC_RESOURCE_MACS) && macs > most) most = macs;
    }
    assert_int_equal(reached, most);
    assert_true((double)reached > 0.995 * (double)amc_prune_env_budget(s.env, AMC_RESOURCE_MACS));
    assert_memory_equal(&rng, (&(amc_rng){{1, 2, 3, 4}}), sizeof rng); // draws nothing
    free_subject(s);
}

static void test_no_budget_cuts_nothing(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 3);
    for (int round = 1; round <= 16; round += 15) {
        subject s = new_subject("cfg/fashion.cfg", 1, round);
        for (int policy = 0; policy < AMC_POLICIES; policy++) {
            amc_policy_meet_budget(policy, s.env, &rng, s.counts);
            assert_int_equal(amc_prune_env_cost(s.env, AMC_RESOURCE_MACS, s.counts),
                             amc_cost_macs(s.net.graph));
        }
        free_subject(s);
    }
}

static void test_smallest_budget(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 4);
    subject whole = new_subject("cfg/plain20.cfg", 1, 4);
    double least = (double)amc_prune_env_smallest(whole.env, AMC_RESOURCE_MACS) /
                   (double)amc_cost_macs(whole.net.graph);
    subject s = new_subject("cfg/plain20.cfg", least, 4);
    for (int policy = 0; policy < AMC_POLICIES; policy++) {
        amc_policy_meet_budget(policy, s.env, &rng, s.counts);
        assert_int_equal(amc_prune_env_cost(s.env, AMC_RESOURCE_MACS, s.counts),
                         amc_prune_env_smallest(s.env, AMC_RESOURCE_MACS));
    }
    free_subject(whole);
    free_subject(s);
}

// ---- keep ratios ----

// Of each group that is cut: at most the share, a multiple of the rounding step, and no step more
// would do.
static void assert_kept(const subject *s, amc_policy policy, double keep) {
    int n = amc_prune_env_steps(s->env);
    for (int t = 0; t < n; t++) {
        int g = amc_prune_env_group(s->env, t), units = units_at(s, t), count = count_at(s, t);
        bool cut = keep < 1 && (policy == AMC_POLICY_UNIFORM || in_first_half(policy, t, n));
        int step = amc_cost_model_step(s->cost, g, s->round);
        if (!cut) assert_int_equal(count, units);
        if (!cut) continue;
        assert_true(count > 0 && count <= keep * units + 1e-6);
        assert_true(count % step == 0 && count + step > keep * units);
        for (int i = 0; i < s->net.groups->groups[g].n_layers; i++) {
            int layer = s->net.groups->groups[g].layers[i];
            int channels = count * amc_channel_groups_each(s->net.groups, s->net.graph, g, layer);
            assert_int_equal(channels % s->round, 0);
        }
    }
}

// Whether some group that is cut can't be: its least is more.
static bool impossible(const subject *s, amc_policy policy, double keep) {
    int n = amc_prune_env_steps(s->env);
    for (int t = 0; t < n; t++) {
        bool cut = policy == AMC_POLICY_UNIFORM || in_first_half(policy, t, n);
        int step = amc_cost_model_step(s->cost, amc_prune_env_group(s->env, t), s->round);
        if (cut && keep < 1 && step > keep * units_at(s, t) + 1e-6) return true;
    }
    return false;
}

static int kept, refused;

// Either exactly that, or one sentence.
static void check_keeps(const char *path) {
    amc_error err = {""};
    static const double keeps[] = {1, 0.75, 0.5, 0.25, 0.1};
    if (strstr(path, "rnn") || strstr(path, "gru")) return;
    for (int i = 0; i < 15; i++) {
        subject s = new_subject(path, 1, (int[]){1, 4, 8}[i % 3]);
        for (amc_policy policy = AMC_POLICY_UNIFORM; policy <= AMC_POLICY_DEEP; policy++) {
            double keep = keeps[i / 3];
            if (amc_policy_keep(policy, s.env, keep, NULL, s.counts, &err) == 0) {
                assert_kept(&s, policy, keep);
                assert_false(impossible(&s, policy, keep));
                kept++;
            } else {
                assert_true(impossible(&s, policy, keep));
                assert_non_null(strstr(err.text, "can't be cut to"));
                refused++;
            }
        }
        free_subject(s);
    }
}

static void test_keep_ratios(void **state) {
    (void)state;
    networks_each_cfg(check_keeps);
    assert_true(kept > 1000 && refused > 100);
}

static void test_keep_names_the_layer(void **state) {
    (void)state;
    amc_error err = {""};
    subject s = new_subject("cfg/fashion.cfg", 1, 4);
    assert_int_equal(amc_policy_keep(AMC_POLICY_UNIFORM, s.env, 0.25, NULL, s.counts, &err), -1);
    networks_assert_error(&err, "cfg/fashion.cfg", s.net.graph->layers[0].line,
                          "layer 0 can't be cut to 0.25 of its channels: 0.3334 (4 of 12) is the");
    assert_int_equal(amc_policy_keep(AMC_POLICY_UNIFORM, s.env, 0.3334, NULL, s.counts, &err), 0);
    free_subject(s);
}

// The shares of a random plan have the mean that was asked for, down to rounding, and differ.
static void test_random_keep(void **state) {
    (void)state;
    subject s = new_subject("darknet/cfg/densenet201.cfg", 1, 1);
    amc_rng rng;
    amc_rng_init(&rng, 6);
    int n = amc_prune_env_steps(s.env);
    amc_error err = {""};
    for (int percent = 20; percent <= 90; percent += 35) {
        double sum = 0, squares = 0;
        double keep = percent / 100.0;
        assert_int_equal(amc_policy_keep(AMC_POLICY_RANDOM, s.env, keep, &rng, s.counts, &err), 0);
        for (int t = 0; t < n; t++) {
            double share = (double)count_at(&s, t) / units_at(&s, t);
            sum += share, squares += share * share;
        }
        double mean = sum / n;
        assert_true(mean <= keep && mean > keep - 0.01);
        assert_true(squares / n - mean * mean > 0.002);
    }
    assert_int_equal(amc_policy_keep(AMC_POLICY_RANDOM, s.env, 1e-4, &rng, s.counts, &err), -1);
    free_subject(s);
}

static void test_random_follows_seed(void **state) {
    (void)state;
    subject s = new_subject("cfg/vgg16.cfg", 0.5, 1);
    size_t size = (size_t)s.net.groups->n * sizeof *s.counts;
    int *first = amc_memory_alloc(1, size);
    amc_rng rng;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        amc_rng_init(&rng, seed);
        amc_policy_meet_budget(AMC_POLICY_RANDOM, s.env, &rng, first);
        amc_rng_init(&rng, seed);
        amc_policy_meet_budget(AMC_POLICY_RANDOM, s.env, &rng, s.counts);
        assert_memory_equal(s.counts, first, size);
        amc_policy_meet_budget(AMC_POLICY_RANDOM, s.env, &rng, s.counts); // the next draw
        assert_memory_not_equal(s.counts, first, size);
        amc_rng_init(&rng, seed + 100);
        amc_policy_meet_budget(AMC_POLICY_RANDOM, s.env, &rng, s.counts);
        assert_memory_not_equal(s.counts, first, size);
    }
    free(first);
    free_subject(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_budgets_are_met_mildly),
        cmocka_unit_test(test_uniform_is_the_largest_share),
        cmocka_unit_test(test_no_budget_cuts_nothing),
        cmocka_unit_test(test_smallest_budget),
        cmocka_unit_test(test_keep_ratios),
        cmocka_unit_test(test_keep_names_the_layer),
        cmocka_unit_test(test_random_keep),
        cmocka_unit_test(test_random_follows_seed),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
