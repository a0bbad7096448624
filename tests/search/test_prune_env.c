// The walk over a network's groups: the budget holds exactly whatever an agent asks for, no more is
// cut than that takes, what can't be met is refused, and states describe the step at hand.

#include "model/slice.h"
#include "search/prune_env.h"
#include "support/latencies.h"

// ---- networks to walk: a graph and its groups, without weights ----

static networks_net walkable(int i) {
    static const char *paths[] = {"cfg/fashion.cfg", "cfg/plain20.cfg", "cfg/resnet56.cfg",
                                  "cfg/vgg16.cfg", "darknet/cfg/resnext50.cfg"};
    enum { PATHS = sizeof paths / sizeof *paths };
    if (i >= PATHS + NETWORKS) return (networks_net){0};
    char *written = i < PATHS ? NULL : fixture_write("net.cfg", networks_all[i - PATHS].cfg);
    networks_net net = {.graph = fixture_graph(written ? written : paths[i])};
    net.groups = amc_channel_groups_new(net.graph);
    net.space = amc_prune_space_of_channels(net.graph, net.groups);
    free(written);
    return net;
}

static amc_prune_env *new_env(const networks_net *net, double flops, double min_keep, int round) {
    amc_error err = {""};
    amc_prune_env_options options = {{flops, 1}, min_keep, round};
    amc_prune_env *env = amc_prune_env_new(net->space, options, &err);
    if (!env) fail_msg("%s", err.text);
    return env;
}

// Whether any group is left to choose in: in small ones rounding may leave none.
static bool has_steps(const networks_net *net, double min_keep, int round) {
    amc_error err = {""};
    amc_prune_env_options options = {{1, 1}, min_keep, round};
    amc_prune_env *env = amc_prune_env_new(net->space, options, &err);
    amc_prune_env_free(env);
    return env != NULL;
}

// The smallest share of the multiply-accumulates that can be left.
static double smallest_share(const networks_net *net, double min_keep, int round) {
    amc_prune_env *env = new_env(net, 1, min_keep, round);
    double share =
        (double)amc_prune_env_smallest(env, AMC_RESOURCE_MACS) / (double)amc_cost_macs(net->graph);
    amc_prune_env_free(env);
    return share;
}

// Takes skipped groups into account.
static void renew_space(networks_net *net) {
    amc_prune_space_free(net->space);
    net->space = amc_prune_space_of_channels(net->graph, net->groups);
}

// ---- actions ----

typedef enum actor { EVEN, GREEDY, MISERLY, EXTREME, AROUND, ACTORS } actor;

static double act(actor who, amc_rng *rng) {
    switch (who) {
    case GREEDY:
        return 1;
    case MISERLY:
        return 0;
    case EXTREME:
        return amc_rng_below(rng, 2);
    case AROUND:
        return amc_rng_truncated_normal(rng, 0.7, 0.2, 0, 1);
    default:
        return amc_rng_uniform(rng);
    }
}

// ---- the budget ----

// Costs of an independent kind: of the graph that is left.
static int64_t sliced_macs(const networks_net *net, const int *counts, amc_rng *rng) {
    amc_prune_plan *plan = networks_plan(net->groups, counts, rng);
    amc_layer_graph *small = amc_slice_graph(net->graph, net->groups, plan);
    int64_t macs = amc_cost_macs(small);
    amc_layer_graph_free(small);
    amc_prune_plan_free(plan);
    return macs;
}

// A count is a multiple of the rounding step or the whole group, and not below the least.
static void check_count(const networks_net *net, const amc_cost_model *cost, int g, int count,
                        double min_keep, int round) {
    const amc_channel_group *group = &net->groups->groups[g];
    int step = amc_cost_model_step(cost, g, round);
    assert_in_range(count, 1, group->n_units);
    if (!group->prunable) assert_int_equal(count, group->n_units);
    assert_true(count % step == 0 || count == group->n_units);
    assert_true(count >= min_keep * group->n_units - 1e-6);
}

static void check_episode(const networks_net *net, const amc_cost_model *cost, amc_prune_env *env,
                          double min_keep, int round, amc_rng *rng) {
    actor who = (actor)amc_rng_below(rng, ACTORS);
    amc_prune_env_reset(env);
    for (int t = 0; t < amc_prune_env_steps(env); t++) {
        int g = amc_prune_env_group(env, t);
        double executed = amc_prune_env_step(env, act(who, rng));
        int count = amc_prune_env_counts(env)[g];
        assert_true(executed == (double)count / net->groups->groups[g].n_units);
        check_count(net, cost, g, count, min_keep, round);
    }
    const int *counts = amc_prune_env_counts(env);
    assert_true(amc_prune_env_cost(env, AMC_RESOURCE_MACS, counts) <=
                amc_prune_env_budget(env, AMC_RESOURCE_MACS));
    assert_true(amc_prune_env_cost(env, AMC_RESOURCE_MACS, counts) >=
                amc_prune_env_smallest(env, AMC_RESOURCE_MACS));
    for (int g = 0; g < net->groups->n; g++) check_count(net, cost, g, counts[g], min_keep, round);
    if (amc_rng_below(rng, 8) == 0) {
        assert_int_equal(sliced_macs(net, counts, rng),
                         amc_prune_env_cost(env, AMC_RESOURCE_MACS, counts));
        assert_true(amc_prune_env_cost(env, AMC_RESOURCE_PARAMS, counts) <=
                    amc_cost_params(net->graph));
    }
}

static void test_budget_holds(void **state) {
    (void)state;
    static const double min_keeps[] = {0, 0.1, 0.25};
    static const int rounds[] = {1, 4, 8};
    amc_rng rng;
    amc_rng_init(&rng, 1);
    networks_net net;
    int episodes = 0;
    for (int i = 0; (net = walkable(i)).graph; i++) {
        amc_cost_model *cost = amc_cost_model_new(net.graph, net.groups);
        for (int k = 0; k < 18; k++) {
            double min_keep = min_keeps[k % 3];
            int round = rounds[k / 3 % 3];
            if (!has_steps(&net, min_keep, round)) continue;
            // Budgets down to the smallest, most of them tight.
            double least = smallest_share(&net, min_keep, round), u = amc_rng_uniform(&rng);
            double flops = k < 9 ? least : least + u * u * (1 - least);
            amc_prune_env *env = new_env(&net, flops, min_keep, round);
            assert_true(amc_prune_env_budget(env, AMC_RESOURCE_MACS) <=
                        flops * (double)amc_cost_macs(net.graph) + 1e-3);
            for (int n = 0; n < 12; n++, episodes++)
                check_episode(&net, cost, env, min_keep, round, &rng);
            amc_prune_env_free(env);
        }
        amc_cost_model_free(cost);
        networks_free(net);
    }
    assert_true(episodes > 3000);
}

// Had a step kept one rounding step more, the budget would be out of reach.
static void check_not_overcut(const networks_net *net, const amc_cost_model *cost,
                              amc_prune_env *env, int round, const int *least) {
    int *counts = amc_memory_alloc((size_t)net->groups->n, sizeof *counts);
    amc_prune_env_whole(env, counts);
    for (int t = 0; t < amc_prune_env_steps(env); t++)
        counts[amc_prune_env_group(env, t)] = least[amc_prune_env_group(env, t)];
    amc_prune_env_reset(env);
    for (int t = 0; t < amc_prune_env_steps(env); t++) {
        int g = amc_prune_env_group(env, t), units = net->groups->groups[g].n_units;
        amc_prune_env_step(env, 1);
        int count = amc_prune_env_counts(env)[g], step = amc_cost_model_step(cost, g, round);
        if (count < units) {
            counts[g] = count + step < units ? count + step : units;
            assert_true(amc_prune_env_cost(env, AMC_RESOURCE_MACS, counts) >
                        amc_prune_env_budget(env, AMC_RESOURCE_MACS));
        }
        counts[g] = count;
    }
    free(counts);
}

static void test_no_more_is_cut_than_needed(void **state) {
    (void)state;
    networks_net net;
    for (int i = 0; (net = walkable(i)).graph; i++) {
        amc_cost_model *cost = amc_cost_model_new(net.graph, net.groups);
        int *least = amc_memory_alloc((size_t)net.groups->n, sizeof *least);
        for (int k = 0; k < 4; k++) {
            int round = k % 2 && has_steps(&net, 0, 4) ? 4 : 1;
            double smallest = smallest_share(&net, 0, round);
            amc_prune_env *env = new_env(&net, smallest + (1 - smallest) * (k + 1) / 6, 0, round);
            for (int g = 0; g < net.groups->n; g++)
                least[g] = net.groups->groups[g].prunable ? amc_prune_env_round(env, g, 0)
                                                          : net.groups->groups[g].n_units;
            check_not_overcut(&net, cost, env, round, least);
            amc_prune_env_free(env);
        }
        free(least);
        amc_cost_model_free(cost);
        networks_free(net);
    }
}

// Both budgets hold at once, and the one on parameters alone.
static void test_budgets_on_parameters(void **state) {
    (void)state;
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 5);
    networks_net net = networks_load("cfg/vgg16.cfg", 1);
    static const double shares[3][2] = {{1, 0.3}, {0.5, 0.2}, {0.2, 0.5}};
    for (int i = 0; i < 3; i++) {
        amc_prune_env_options options = {{shares[i][0], shares[i][1]}, 0.1, 1};
        amc_prune_env *env = amc_prune_env_new(net.space, options, &err);
        assert_non_null(env);
        double closest = 0;
        for (int episode = 0; episode < 40; episode++) {
            amc_prune_env_reset(env);
            for (int t = 0; t < amc_prune_env_steps(env); t++)
                amc_prune_env_step(env, act((actor)(episode % ACTORS), &rng));
            const int *counts = amc_prune_env_counts(env);
            double macs = (double)amc_prune_env_cost(env, AMC_RESOURCE_MACS, counts) /
                          (double)amc_cost_macs(net.graph);
            double params = (double)amc_prune_env_cost(env, AMC_RESOURCE_PARAMS, counts) /
                            (double)amc_cost_params(net.graph);
            assert_true(macs <= shares[i][0] && params <= shares[i][1]);
            double load = params / shares[i][1];
            if (shares[i][0] < 1) load = fmax(load, macs / shares[i][0]);
            assert_true(fabs(amc_prune_env_load(env, counts) - load) < 1e-6);
            assert_true(amc_prune_env_meets(env, counts));
            closest = fmax(closest, load);
        }
        assert_true(closest > 0.99);
        amc_prune_env_free(env);
    }
    networks_free(net);
}

static void check_within(const networks_net *net, const amc_prune_env *env,
                         const amc_prune_env_options *options) {
    const int *counts = amc_prune_env_counts(env);
    assert_true(amc_prune_env_meets(env, counts));
    assert_true(amc_prune_env_load(env, counts) <= 1);
    assert_true(amc_prune_env_pressure(env, counts) == amc_prune_env_load(env, counts));
    for (int r = 0; r < AMC_RESOURCES; r++) {
        int64_t cost = amc_prune_env_cost(env, (amc_resource)r, counts);
        int64_t whole = amc_prune_space_whole_cost(net->space, (amc_resource)r);
        assert_true(cost >= amc_prune_env_smallest(env, (amc_resource)r));
        if (options->budget[r] > 0) {
            assert_true((double)cost <= options->budget[r] * (double)whole);
            assert_true(cost <= amc_prune_env_budget(env, (amc_resource)r));
        } else {
            assert_int_equal(amc_prune_env_budget(env, (amc_resource)r), whole);
        }
    }
}

// A share of the resource between the smallest that can be left and all.
static double some_share(const networks_net *net, amc_resource r, amc_rng *rng) {
    amc_prune_env *env = new_env(net, 1, 0.1, 1);
    double least =
        (double)amc_prune_env_smallest(env, r) / (double)amc_prune_space_whole_cost(net->space, r);
    amc_prune_env_free(env);
    return least + (0.05 + 0.5 * amc_rng_uniform(rng)) * (1 - least);
}

// Budgets on latency and memory, alone, together and with FLOPs, are kept whatever is asked for.
static void test_budgets_on_running(void **state) {
    (void)state;
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 10);
    static const char *paths[] = {"cfg/fashion.cfg", "cfg/resnet56.cfg", "cfg/mobilenetv2.cfg"};
    for (int i = 0; i < 3; i++) {
        networks_net net = networks_load(paths[i], 1);
        amc_latency_table *table = latencies_new(&net, &rng);
        latencies_set(&net, table);
        for (int k = 1; k < 8; k++) {
            amc_prune_env_options options = {.min_keep = 0.1, .round = 1};
            if (k & 1)
                options.budget[AMC_RESOURCE_LATENCY] = some_share(&net, AMC_RESOURCE_LATENCY, &rng);
            if (k & 2)
                options.budget[AMC_RESOURCE_MEMORY] = some_share(&net, AMC_RESOURCE_MEMORY, &rng);
            if (k & 4)
                options.budget[AMC_RESOURCE_MACS] = some_share(&net, AMC_RESOURCE_MACS, &rng);
            amc_prune_env *env = amc_prune_env_new(net.space, options, &err);
            if (!env) fail_msg("%s", err.text);
            assert_int_equal(amc_prune_env_resource(env),
                             k == 1 || k == 3 ? AMC_RESOURCE_LATENCY : AMC_RESOURCE_MACS);
            for (int episode = 0; episode < 10; episode++) {
                actor who = (actor)(episode % ACTORS);
                amc_prune_env_reset(env);
                for (int t = 0; t < amc_prune_env_steps(env); t++) {
                    float features[AMC_PRUNE_ENV_STATE];
                    amc_prune_env_state(env, features);
                    for (int f = 0; f < AMC_PRUNE_ENV_STATE; f++)
                        assert_true(features[f] >= 0 && features[f] <= 1);
                    amc_prune_env_step(env, act(who, &rng));
                }
                check_within(&net, env, &options);
            }
            amc_prune_env_free(env);
        }
        networks_free(net);
        amc_latency_table_free(table);
    }
}

// What can't be met says what can.
static void test_infeasible_running(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 11);
    networks_net net = networks_load("cfg/fashion.cfg", 1);
    amc_latency_table *table = latencies_new(&net, &rng);
    latencies_set(&net, table);
    static const char *said[] = {"of the latency can't be met",
                                 "of the activation memory can't be met"};
    for (int i = 0; i < 2; i++) {
        amc_error err = {""};
        amc_resource r = i ? AMC_RESOURCE_MEMORY : AMC_RESOURCE_LATENCY;
        amc_prune_env_options options = {.min_keep = 0.3, .round = 1};
        options.budget[r] = 0.001;
        assert_null(amc_prune_env_new(net.space, options, &err));
        networks_assert_error(&err, net.path, 0, said[i]);
        options.budget[r] = strtod(strstr(err.text, "reachable is ") + 13, NULL) / 100;
        amc_prune_env *env = amc_prune_env_new(net.space, options, &err);
        assert_non_null(env); // what is said can be asked for
        amc_prune_env_free(env);
    }
    networks_free(net);
    amc_latency_table_free(table);
}

// Whether the budgets are met when this group and all later ones keep that share.
static bool fits(const amc_prune_env *env, const networks_net *net, int t, double share) {
    int *counts = amc_memory_copy(amc_prune_env_counts(env), (size_t)net->groups->n, sizeof(int));
    for (int later = t; later < amc_prune_env_steps(env); later++) {
        int g = amc_prune_env_group(env, later);
        counts[g] = amc_prune_env_round(env, g, share);
    }
    bool met = amc_prune_env_meets(env, counts);
    free(counts);
    return met;
}

// The fair share is the largest that fits, at every step and whatever was decided before.
static void test_fair_share(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 8);
    static const char *paths[] = {"cfg/plain20.cfg", "cfg/resnet56.cfg", "cfg/mobilenet.cfg"};
    for (int i = 0; i < 3; i++) {
        networks_net net = networks_load(paths[i], 1);
        amc_prune_env *env = new_env(&net, 0.5, 0.1, 1);
        for (int episode = 0; episode < 10; episode++) {
            amc_prune_env_reset(env);
            for (int t = 0; t < amc_prune_env_steps(env); t++) {
                float features[AMC_PRUNE_ENV_STATE];
                double fair = amc_prune_env_fair_share(env);
                amc_prune_env_state(env, features);
                assert_true(features[11] == (float)fair);
                assert_true(fair > 0 && fair <= 1 && fits(env, &net, t, fair));
                assert_true(fair == 1 || !fits(env, &net, t, fair + 1e-3));
                amc_prune_env_step(env, act(AROUND, &rng));
            }
        }
        amc_prune_env_free(env);
        networks_free(net);
    }
}

// Fair by a plan: whoever keeps to fair shares ends with it, but for what rounding leaves to the
// last groups.
static void test_prior(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 9);
    networks_net net = networks_load("cfg/vgg16.cfg", 1);
    amc_prune_env *env = new_env(&net, 0.4, 0.1, 1);
    int *plan = amc_memory_alloc((size_t)net.groups->n, sizeof *plan);
    for (int round = 0; round < 10; round++) {
        amc_prune_env_reset(env);
        for (int t = 0; t < amc_prune_env_steps(env); t++)
            amc_prune_env_step(env, act(AROUND, &rng));
        memcpy(plan, amc_prune_env_counts(env), (size_t)net.groups->n * sizeof *plan);
        double apart = 0;
        amc_prune_env_set_prior(env, plan);
        for (int t = 0; t < amc_prune_env_steps(env); t++) {
            int g = amc_prune_env_group(env, t);
            double kept = amc_prune_env_step(env, amc_prune_env_fair_share(env));
            apart += fabs(kept - amc_prune_env_share(env, g, plan[g])) / amc_prune_env_steps(env);
        }
        if (apart >= 0.08) fail_msg("%g apart", apart);
        double load = amc_prune_env_load(env, amc_prune_env_counts(env));
        if (load < 0.95) fail_msg("%g of the budget", load);
    }
    free(plan);
    amc_prune_env_free(env);
    networks_free(net);
}

// Single weights: a step a layer, whose states tell of parameters.
static void test_walk_over_weights(void **state) {
    (void)state;
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 6);
    networks_net net = networks_load("cfg/resnet56.cfg", 1);
    amc_prune_space *space = amc_prune_space_of_weights(net.graph, NULL);
    amc_prune_env *env = amc_prune_env_new(space, (amc_prune_env_options){{1, 0.4}, 0.05, 1}, &err);
    assert_non_null(env);
    assert_int_equal(amc_prune_env_steps(env), space->n);
    double all = (double)amc_cost_params(net.graph);
    for (int episode = 0; episode < 20; episode++) {
        amc_prune_env_reset(env);
        for (int t = 0; t < space->n; t++) {
            float features[AMC_PRUNE_ENV_STATE];
            amc_prune_env_state(env, features);
            double now =
                (double)amc_prune_env_cost(env, AMC_RESOURCE_PARAMS, amc_prune_env_counts(env));
            assert_true(fabs(features[8] - (1 - now / all)) < 1e-5);
            amc_prune_env_step(env, act((actor)(episode % ACTORS), &rng));
        }
        assert_true((double)amc_prune_env_cost(env, AMC_RESOURCE_PARAMS,
                                               amc_prune_env_counts(env)) <= 0.4 * all);
    }
    amc_prune_env_free(env);
    amc_prune_env_options options = {{1, 0.05}, 0.1, 1};
    assert_null(amc_prune_env_new(space, options, &err));
    networks_assert_error(&err, net.graph->path, 0,
                          "a budget of 5.00% of the parameters can't be met");
    assert_non_null(strstr(err.text, "each group's weights are kept"));
    amc_prune_space_free(space);
    networks_free(net);
}

// Where every action fits, every action is carried out, rounded to whole channels.
static void test_no_budget_leaves_actions_free(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 4);
    networks_net net;
    for (int i = 0; (net = walkable(i)).graph; i++) {
        amc_prune_env *env = new_env(&net, 1, 0, 1);
        for (int episode = 0; episode < 20; episode++) {
            actor who = (actor)(episode % ACTORS);
            amc_prune_env_reset(env);
            for (int t = 0; t < amc_prune_env_steps(env); t++) {
                int units = net.groups->groups[amc_prune_env_group(env, t)].n_units;
                double action = act(who, &rng), executed = amc_prune_env_step(env, action);
                assert_true(fabs(executed - fmax(action, 1.0 / units)) <= 0.5 / units + 1e-12);
            }
            if (who == GREEDY)
                assert_int_equal(
                    amc_prune_env_cost(env, AMC_RESOURCE_MACS, amc_prune_env_counts(env)),
                    amc_cost_macs(net.graph));
        }
        amc_prune_env_free(env);
        networks_free(net);
    }
}

// ---- what can't be met ----

static void check_infeasible(const networks_net *net, double min_keep, int round) {
    static const char before[] = "the smallest reachable is ";
    amc_error err = {""};
    double least = smallest_share(net, min_keep, round);
    amc_prune_env_options options = {{least * 0.97, 1}, min_keep, round};
    assert_null(amc_prune_env_new(net->space, options, &err));
    networks_assert_error(&err, net->graph->path, 0, "of the FLOPs can't be met");
    char *said = strstr(err.text, before);
    assert_non_null(said);
    double percent = strtod(said + strlen(before), &said);
    assert_int_equal(*said, '%');
    assert_true(percent >= 100 * least - 1e-9 && percent < 100 * least + 0.0101);
    amc_prune_env_free(
        new_env(net, percent / 100, min_keep, round)); // what is said can be asked for
    if (percent > 0.011) {
        options.budget[AMC_RESOURCE_MACS] = percent / 100 - 1e-4;
        assert_null(amc_prune_env_new(net->space, options, &err));
    }
}

static void test_infeasible_budgets(void **state) {
    (void)state;
    networks_net net;
    for (int i = 0; (net = walkable(i)).graph; i++) {
        check_infeasible(&net, 0, 1);
        check_infeasible(&net, 0.2, 1);
        if (has_steps(&net, 0.3, 4)) check_infeasible(&net, 0.3, 4);
        networks_free(net);
    }
}

static void test_nothing_to_prune(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(NET(3, 8, 8) CONV(5, 3, 1, relu), 1);
    assert_null(amc_prune_env_new(net.space, (amc_prune_env_options){{1, 1}, 0, 1}, &err));
    networks_assert_error(&err, net.path, 0, "no group of channels can be pruned");
    networks_free(net);
    // All is skipped, all is rounded to the whole group, all has to be kept.
    net = networks_new(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(5, 3, 1, relu), 1);
    assert_null(amc_prune_env_new(net.space, (amc_prune_env_options){{1, 1}, 0, 16}, &err));
    assert_null(amc_prune_env_new(net.space, (amc_prune_env_options){{1, 1}, 1, 1}, &err));
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 0, &err), 0);
    renew_space(&net);
    assert_null(amc_prune_env_new(net.space, (amc_prune_env_options){{1, 1}, 0, 1}, &err));
    networks_free(net);
    amc_prune_env_free(NULL);
}

static void test_skipped_groups_stay_whole(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_load("cfg/plain20.cfg", 1);
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 0, &err), 0);
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 5, &err), 0);
    renew_space(&net);
    amc_prune_env *env = new_env(&net, 0.3, 0, 1);
    assert_int_equal(amc_prune_env_steps(env), 17);
    for (int t = 0; t < 17; t++) amc_prune_env_step(env, 0.2);
    assert_int_equal(amc_prune_env_counts(env)[0], net.graph->layers[0].out_c);
    assert_int_equal(amc_prune_env_counts(env)[5], net.graph->layers[5].out_c);
    amc_prune_env_free(env);
    networks_free(net);
}

// ---- states ----

// Multiply-accumulates of the layers that make channels which steps from t on decide.
static int64_t undecided_macs(const networks_net *net, const amc_prune_env *env,
                              const amc_layer_graph *now, int t) {
    int64_t sum = 0;
    for (int l = 0; l < now->n; l++) {
        bool decided_later = false;
        for (int later = t; later < amc_prune_env_steps(env); later++) {
            const amc_channel_group *group = &net->groups->groups[amc_prune_env_group(env, later)];
            for (int i = 0; i < group->n_layers; i++)
                decided_later = decided_later || group->layers[i] == l;
        }
        if (decided_later) sum += amc_cost_layer_macs(&now->layers[l]);
    }
    return sum;
}

static void assert_feature(float value, double expected) {
    if (fabs(value - expected) > 1e-5) fail_msg("%g, expected %g", value, expected);
}

static void check_states(const networks_net *net, amc_prune_env *env, amc_rng *rng) {
    double all = (double)amc_cost_macs(net->graph), last = 1;
    int steps = amc_prune_env_steps(env);
    amc_prune_env_reset(env);
    for (int t = 0; t < steps; t++) {
        float features[AMC_PRUNE_ENV_STATE];
        amc_prune_env_state(env, features);
        for (int i = 0; i < AMC_PRUNE_ENV_STATE; i++)
            assert_true(features[i] >= 0 && features[i] <= 1);
        amc_prune_plan *plan = networks_plan(net->groups, amc_prune_env_counts(env), rng);
        amc_layer_graph *now = amc_slice_graph(net->graph, net->groups, plan);
        assert_feature(features[0], steps > 1 ? (double)t / (steps - 1) : 0);
        assert_feature(features[8], 1 - (double)amc_cost_macs(now) / all);
        assert_feature(features[9], (double)undecided_macs(net, env, now, t + 1) / all);
        assert_feature(features[10], last);
        amc_layer_graph_free(now);
        amc_prune_plan_free(plan);
        last = amc_prune_env_step(env, amc_rng_uniform(rng));
    }
}

static void test_states(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 6);
    networks_net net;
    for (int i = 0; (net = walkable(i)).graph; i++) {
        amc_prune_env *env = new_env(&net, 1 - (1 - smallest_share(&net, 0, 1)) / 2, 0, 1);
        for (int episode = 0; episode < 3; episode++) check_states(&net, env, &rng);
        amc_prune_env_free(env);
        networks_free(net);
    }
}

// n, c, h, w, stride, k and FLOPs of the layer at hand, scaled over the network's steps.
static void test_layer_features(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 16, 16) CONV(10, 3, 1, relu) CONV(30, 5, 2, relu)
                                        CONV(20, 1, 1, relu) CONV(5, 1, 1, linear),
                                    1);
    // Made by hand: rows are steps; n, c, h, w, stride, k, multiply-accumulates.
    static const double raw[3][7] = {
        {10, 3, 16, 16, 1, 3, 10 * 27 * 256},
        {30, 10, 16, 16, 2, 5, 30 * 250 * 64},
        {20, 30, 8, 8, 1, 1, 20 * 30 * 64},
    };
    amc_prune_env *env = new_env(&net, 1, 0, 1);
    assert_int_equal(amc_prune_env_steps(env), 3);
    for (int t = 0; t < 3; t++) {
        float features[AMC_PRUNE_ENV_STATE];
        amc_prune_env_state(env, features);
        for (int i = 0; i < 7; i++) {
            double low = fmin(fmin(raw[0][i], raw[1][i]), raw[2][i]);
            double high = fmax(fmax(raw[0][i], raw[1][i]), raw[2][i]);
            assert_feature(features[i + 1], (raw[t][i] - low) / (high - low));
        }
        assert_int_equal(net.groups->groups[amc_prune_env_group(env, t)].layers[0], t);
        amc_prune_env_step(env, 0.5);
    }
    amc_prune_env_free(env);
    networks_free(net);
    // What is the same at every step says nothing: 0.
    net = networks_load("cfg/plain20.cfg", 1);
    env = new_env(&net, 1, 0, 1);
    float features[AMC_PRUNE_ENV_STATE];
    amc_prune_env_state(env, features);
    assert_true(features[6] == 0); // k: all are 3x3
    amc_prune_env_free(env);
    networks_free(net);
}

static void test_reset_forgets(void **state) {
    (void)state;
    networks_net net = networks_load("cfg/resnet56.cfg", 1);
    amc_prune_env *env = new_env(&net, 0.5, 0.1, 4);
    float first[AMC_PRUNE_ENV_STATE], again[AMC_PRUNE_ENV_STATE];
    int *whole = amc_memory_alloc((size_t)net.groups->n, sizeof *whole);
    amc_prune_env_whole(env, whole);
    amc_prune_env_state(env, first);
    for (int t = 0; t < amc_prune_env_steps(env); t++) amc_prune_env_step(env, 0.3);
    amc_prune_env_reset(env);
    amc_prune_env_state(env, again);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_equal(amc_prune_env_counts(env), whole, (size_t)net.groups->n * sizeof *whole);
    assert_true(amc_prune_env_min_keep(env) == 0.1);
    free(whole);
    amc_prune_env_free(env);
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_holds),
        cmocka_unit_test(test_no_more_is_cut_than_needed),
        cmocka_unit_test(test_budgets_on_parameters),
        cmocka_unit_test(test_budgets_on_running),
        cmocka_unit_test(test_infeasible_running),
        cmocka_unit_test(test_fair_share),
        cmocka_unit_test(test_prior),
        cmocka_unit_test(test_walk_over_weights),
        cmocka_unit_test(test_no_budget_leaves_actions_free),
        cmocka_unit_test(test_infeasible_budgets),
        cmocka_unit_test(test_nothing_to_prune),
        cmocka_unit_test(test_skipped_groups_stay_whole),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_layer_features),
        cmocka_unit_test(test_reset_forgets),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
