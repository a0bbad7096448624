// Plans from measured sensitivities, of a made-up network whose errors are known: each group costs
// what was cut of it, squared, times a weight of its own.

#include "search/sensitivity.h"
#include "support/latencies.h"

typedef struct subject {
    networks_net net; // without weights
    amc_prune_env *env;
    int *counts;     // (groups)
    double *weights; // (steps)
    int calls;
    amc_sensitivity *sensitivity;
} subject;

static double cut(const subject *s, const int *counts, int t) {
    int g = amc_prune_env_group(s->env, t);
    return 1 - amc_prune_env_share(s->env, g, counts[g]);
}

static double harm(void *context, const int *counts, int done, int all) {
    subject *s = context;
    double errors = 0;
    int steps = amc_prune_env_steps(s->env);
    assert_int_equal(all, 1 + steps * (AMC_SENSITIVITY_LEVELS - 1));
    assert_true(done > s->calls && done <= all);
    s->calls = done;
    for (int t = 0; t < steps; t++) errors += s->weights[t] * pow(cut(s, counts, t), 2);
    return errors;
}

// weight: of every group but the first, which costs `first`. The subject has to stay where it is.
static void subject_open(subject *s, const char *path, double flops, int round, double first,
                         double weight) {
    amc_error err = {""};
    *s = (subject){.net.graph = fixture_graph(path)};
    s->net.groups = amc_channel_groups_new(s->net.graph);
    s->net.space = amc_prune_space_of_channels(s->net.graph, s->net.groups);
    s->env = amc_prune_env_new(s->net.space, (amc_prune_env_options){{flops, 1}, 0.1, round}, &err);
    if (!s->env) fail_msg("%s", err.text);
    int steps = amc_prune_env_steps(s->env);
    s->counts = amc_memory_alloc((size_t)s->net.groups->n, sizeof *s->counts);
    s->weights = amc_memory_alloc((size_t)steps, sizeof *s->weights);
    for (int t = 0; t < steps; t++) s->weights[t] = t ? weight : first;
    s->sensitivity = amc_sensitivity_measure(s->env, harm, s);
}

static void subject_free(subject s) {
    amc_sensitivity_free(s.sensitivity);
    free(s.weights);
    free(s.counts);
    amc_prune_env_free(s.env);
    networks_free(s.net);
}

static void assert_budget(const subject *s) {
    int64_t macs = amc_prune_env_cost(s->env, AMC_RESOURCE_MACS, s->counts),
            budget = amc_prune_env_budget(s->env, AMC_RESOURCE_MACS);
    assert_true(macs <= budget);
    assert_true((double)macs > 0.9 * (double)budget);
}

static double share(const subject *s, int t) {
    int g = amc_prune_env_group(s->env, t);
    return amc_prune_env_share(s->env, g, s->counts[g]);
}

static void test_drops(void **state) {
    (void)state;
    subject s;
    subject_open(&s, "cfg/vgg16.cfg", 0.5, 1, 0.1, 0.3);
    for (int t = 0; t < amc_prune_env_steps(s.env); t++) {
        assert_true(amc_sensitivity_drop(s.sensitivity, t, 1) == 0);
        for (double keep = 0.1; keep < 1; keep += 0.05) // between levels a line: a little above
            assert_true(fabs(amc_sensitivity_drop(s.sensitivity, t, keep) -
                             s.weights[t] * pow(1 - keep, 2)) < 0.01);
    }
    subject_free(s);
}

// All groups cost the same, so all are cut alike; one that costs little is cut further.
static void test_level(void **state) {
    (void)state;
    for (int round = 1; round <= 4; round += 3) {
        subject s;
        subject_open(&s, "cfg/vgg16.cfg", 0.5, round, 0.02, 0.4);
        amc_sensitivity_level(s.sensitivity, s.counts);
        assert_budget(&s);
        for (int t = 2; t < amc_prune_env_steps(s.env); t++) {
            assert_true(fabs(share(&s, t) - share(&s, 1)) < 0.06);
            assert_true(share(&s, 0) < share(&s, t) - 0.2);
        }
        subject_free(s);
    }
}

// Where nothing is lost however little is kept, no more goes than has to.
static void test_level_of_free_cuts(void **state) {
    (void)state;
    subject s;
    subject_open(&s, "cfg/vgg16.cfg", 0.5, 1, 0.4, 0);
    amc_sensitivity_level(s.sensitivity, s.counts);
    assert_budget(&s);
    assert_true(share(&s, 0) > 0.99);
    for (int t = 2; t < amc_prune_env_steps(s.env); t++)
        assert_true(fabs(share(&s, t) - share(&s, 1)) < 0.06);
    subject_free(s);
}

static void test_exchange(void **state) {
    (void)state;
    static const char *paths[] = {"cfg/plain20.cfg", "cfg/resnet56.cfg", "cfg/mobilenet.cfg"};
    for (int i = 0; i < 3; i++) {
        subject s;
        subject_open(&s, paths[i], 0.5, 1, 0, 0.4);
        amc_sensitivity_exchange(s.sensitivity, s.env, s.counts);
        assert_budget(&s);
        assert_true(share(&s, 0) < 0.2); // costs nothing
        // The last shares of the others are never asked for.
        assert_true(s.calls < 1 + amc_prune_env_steps(s.env) * 8);
        subject_free(s);
    }
}

// Times that stay the same over several counts and memory that several groups take alike don't
// hold an exchange up.
static void test_exchange_for_running(void **state) {
    (void)state;
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 4);
    static const char *paths[] = {"cfg/plain20.cfg", "cfg/resnet56.cfg", "cfg/mobilenetv2.cfg"};
    for (int i = 0; i < 3; i++) {
        networks_net net = networks_load(paths[i], 1);
        amc_latency_table *table = latencies_new(&net, &rng);
        latencies_set(&net, table);
        int *counts = amc_memory_alloc((size_t)net.space->n, sizeof *counts);
        for (int k = 1; k < 4; k++) {
            amc_prune_env_options options = {.min_keep = 0.1, .round = 1};
            if (k & 1) options.budget[AMC_RESOURCE_LATENCY] = 0.75;
            if (k & 2) options.budget[AMC_RESOURCE_MEMORY] = 0.6;
            subject s = {.env = amc_prune_env_new(net.space, options, &err)};
            if (!s.env) fail_msg("%s", err.text);
            int steps = amc_prune_env_steps(s.env);
            s.weights = amc_memory_alloc((size_t)steps, sizeof *s.weights);
            for (int t = 0; t < steps; t++) s.weights[t] = 0.1 + 0.05 * amc_rng_uniform(&rng);
            s.sensitivity = amc_sensitivity_measure(s.env, harm, &s);
            amc_sensitivity_exchange(s.sensitivity, s.env, counts);
            assert_true(amc_prune_env_meets(s.env, counts));
            assert_true(amc_prune_env_load(s.env, counts) > 0.85);
            amc_sensitivity_free(s.sensitivity);
            free(s.weights);
            amc_prune_env_free(s.env);
        }
        free(counts);
        networks_free(net);
        amc_latency_table_free(table);
    }
}

// The mildest plan: nothing has to go.
static void test_whole(void **state) {
    (void)state;
    subject s;
    subject_open(&s, "cfg/fashion.cfg", 1, 1, 0.1, 0.1);
    amc_sensitivity_exchange(s.sensitivity, s.env, s.counts);
    for (int t = 0; t < amc_prune_env_steps(s.env); t++) assert_true(share(&s, t) == 1);
    amc_sensitivity_level(s.sensitivity, s.counts);
    for (int t = 0; t < amc_prune_env_steps(s.env); t++) assert_true(share(&s, t) == 1);
    subject_free(s);
}

// Losses add up in the order in which units go, and count more than in proportion; a group of which
// nothing is known is taken for the mean of the others.
static void test_losses(void **state) {
    (void)state;
    subject s;
    subject_open(&s, "cfg/plain20.cfg", 0.5, 1, 0, 0);
    int n = s.net.groups->n, unknown = amc_prune_env_group(s.env, 3);
    double **losses = amc_memory_alloc((size_t)n, sizeof *losses);
    for (int t = 0; t < amc_prune_env_steps(s.env); t++) {
        int g = amc_prune_env_group(s.env, t), units = s.net.groups->groups[g].n_units;
        if (g == unknown) continue;
        losses[g] = amc_memory_alloc((size_t)units, sizeof(double));
        for (int i = 0; i < units; i++) losses[g][i] = (t == 5 ? 0.1 : 1.0) / units;
    }
    amc_sensitivity *sensitivity = amc_sensitivity_of_losses(s.env, losses);
    int steps = amc_prune_env_steps(s.env);
    for (int k = 0; k <= 10; k++) {
        double one = pow(1 - k / 10.0, 1.5), cheap = pow(0.1 * (1 - k / 10.0), 1.5);
        double mean = ((steps - 2) * one + cheap) / (steps - 1);
        assert_true(fabs(amc_sensitivity_drop(sensitivity, 0, k / 10.0) - one) < 1e-9);
        assert_true(fabs(amc_sensitivity_drop(sensitivity, 5, k / 10.0) - cheap) < 1e-9);
        assert_true(fabs(amc_sensitivity_drop(sensitivity, 3, k / 10.0) - mean) < 1e-9);
    }
    amc_sensitivity_exchange(sensitivity, s.env, s.counts);
    assert_budget(&s);
    assert_true(share(&s, 5) < share(&s, 4) - 0.3);
    for (int g = 0; g < n; g++) free(losses[g]);
    free(losses);
    amc_sensitivity_free(sensitivity);
    subject_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drops),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_level_of_free_cuts),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_whole),
        cmocka_unit_test(test_losses),
        cmocka_unit_test(test_exchange_for_running),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
