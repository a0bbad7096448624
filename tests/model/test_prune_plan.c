// Plans: which units a count keeps, and policy.json, which says the same in a file that a person
// can write.

#include "support/networks.h"

// Layers 0 and 3 share 8 channels; 0 has 4 of its own; layer 1 stands alone.
static const char uneven_cfg[] = NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(10, 3, 1, relu)
    CONV(8, 3, 1, linear) SHORTCUT(0, relu) CONV(20, 3, 1, relu) CONV(5, 3, 1, linear);
enum { SHARED, OWN, ALONE, AFTER, LAST }; // its groups

static void assert_counts(const amc_prune_plan *plan, const amc_channel_groups *groups,
                          const int *expected) {
    for (int g = 0; g < groups->n; g++)
        assert_int_equal(amc_prune_plan_count(plan, groups, g), expected[g]);
}

// Unit i of a group scores i, unless it is set otherwise.
static double *rising_scores(const amc_channel_groups *groups) {
    double *score = amc_memory_alloc((size_t)groups->n_units, sizeof *score);
    for (int g = 0; g < groups->n; g++)
        for (int i = 0; i < groups->groups[g].n_units; i++) score[groups->groups[g].units[i]] = i;
    return score;
}

static void test_new_keeps_all(void **state) {
    (void)state;
    networks_net net = networks_new(uneven_cfg, 1);
    amc_prune_plan *plan = amc_prune_plan_new(net.groups);
    assert_int_equal(plan->n_units, net.groups->n_units);
    assert_counts(plan, net.groups, (int[]){8, 4, 10, 20, 5});
    for (int l = 0; l < net.graph->n; l++)
        assert_int_equal(amc_prune_plan_channels(plan, net.groups, net.graph, l),
                         net.graph->layers[l].out_c);
    amc_prune_plan_free(plan);
    amc_prune_plan_free(NULL);
    networks_free(net);
}

static void test_keep_best(void **state) {
    (void)state;
    networks_net net = networks_new(uneven_cfg, 1);
    const amc_channel_group *group = &net.groups->groups[ALONE];
    double *score = rising_scores(net.groups);
    score[group->units[4]] = 99;
    score[group->units[0]] = score[group->units[8]]; // 0 and 8 tie: the earlier one stays
    amc_prune_plan *plan = amc_prune_plan_new(net.groups);
    amc_prune_plan_keep_best(plan, net.groups, ALONE, 3, score);
    static const int kept[10] = {[0] = 1, [4] = 1, [9] = 1};
    for (int i = 0; i < 10; i++) assert_int_equal(plan->kept[group->units[i]], kept[i]);
    assert_counts(plan, net.groups, (int[]){8, 4, 3, 20, 5});
    amc_prune_plan *copy = amc_prune_plan_copy(plan);
    amc_prune_plan_keep_best(plan, net.groups, ALONE, 10, score); // units come back
    assert_counts(plan, net.groups, (int[]){8, 4, 10, 20, 5});
    assert_counts(copy, net.groups, (int[]){8, 4, 3, 20, 5});
    const int counts[] = {2, 1, 7, 13, 5};
    amc_prune_plan_keep_counts(plan, net.groups, counts, score);
    assert_counts(plan, net.groups, counts);
    static const int channels[] = {3, 7, 2, 2, 13, 5}; // 0 makes the shared units and its own
    for (int l = 0; l < net.graph->n; l++)
        assert_int_equal(amc_prune_plan_channels(plan, net.groups, net.graph, l), channels[l]);
    free(score);
    amc_prune_plan_free(plan);
    amc_prune_plan_free(copy);
    networks_free(net);
}

// ---- policy.json ----

static amc_prune_plan *load(const networks_net *net, const char *json, int round, amc_error *err) {
    double *score = rising_scores(net->groups);
    char *path = fixture_write("policy.json", json);
    amc_prune_plan *plan = amc_prune_plan_load(path, net->graph, net->groups, score, round, err);
    free(path), free(score);
    return plan;
}

static void check_load(const char *json, int round, const int *counts) {
    amc_error err = {""};
    networks_net net = networks_new(uneven_cfg, 1);
    amc_prune_plan *plan = load(&net, json, round, &err);
    if (!plan) fail_msg("%s", err.text);
    assert_counts(plan, net.groups, counts);
    amc_prune_plan_free(plan);
    networks_free(net);
}

static void test_load_ratios(void **state) {
    (void)state;
    check_load("{\"groups\": []}", 1, (int[]){8, 4, 10, 20, 5});
    check_load("{\"groups\": [{\"layers\": [1], \"ratio\": 0.5}]}", 1, (int[]){8, 4, 5, 20, 5});
    check_load(
        "{\"groups\": [{\"layers\": [4], \"ratio\": 0.001}, {\"layers\": [1], \"ratio\": 1}]}", 1,
        (int[]){8, 4, 10, 1, 5});
    check_load("{\"groups\": [{\"layers\": [5], \"ratio\": 1}]}", 1, (int[]){8, 4, 10, 20, 5});
    // Rounded to 8 channels; the whole group is allowed where it is the nearest.
    check_load("{\"groups\": [{\"layers\": [4], \"ratio\": 0.7}]}", 8, (int[]){8, 4, 10, 16, 5});
    check_load("{\"groups\": [{\"layers\": [4], \"ratio\": 0.1}]}", 8, (int[]){8, 4, 10, 8, 5});
    check_load("{\"groups\": [{\"layers\": [4], \"ratio\": 0.95}]}", 8, (int[]){8, 4, 10, 20, 5});
    check_load("{\"groups\": [{\"layers\": [4], \"ratio\": 1}, {\"layers\": [1], \"ratio\": 1}]}",
               8, (int[]){8, 4, 10, 20, 5});
}

// A layer may have a part in several groups. Exactly its layers, or any that no other has.
static void test_load_names_groups(void **state) {
    (void)state;
    check_load("{\"groups\": [{\"layers\": [0, 2], \"ratio\": 0.5}]}", 1, (int[]){4, 4, 10, 20, 5});
    check_load("{\"groups\": [{\"layers\": [2, 0], \"ratio\": 0.5}]}", 1, (int[]){4, 4, 10, 20, 5});
    check_load("{\"groups\": [{\"layers\": [2], \"ratio\": 0.5}]}", 1, (int[]){4, 4, 10, 20, 5});
    check_load("{\"groups\": [{\"layers\": [0], \"ratio\": 0.5}]}", 1, (int[]){8, 2, 10, 20, 5});
    check_load(
        "{\"groups\": [{\"layers\": [0], \"ratio\": 0.5}, {\"layers\": [2], \"ratio\": 0.25}]}", 1,
        (int[]){2, 2, 10, 20, 5});
}

static void test_load_channels(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(uneven_cfg, 1);
    amc_prune_plan *plan = load(&net,
                                "{\"groups\": [{\"layers\": [1], \"channels\": [9, 0, 3]}, "
                                "{\"layers\": [0], \"channels\": [1], \"ratio\": 0.25}]}",
                                8, &err);
    if (!plan) fail_msg("%s", err.text);
    assert_counts(plan, net.groups, (int[]){8, 1, 3, 20, 5}); // as written, whatever the rounding
    for (int c = 0; c < 10; c++)
        assert_int_equal(plan->kept[net.groups->unit[1][c]], c == 0 || c == 3 || c == 9);
    for (int c = 8; c < 12; c++) assert_int_equal(plan->kept[net.groups->unit[0][c]], c == 9);
    amc_prune_plan_free(plan);
    networks_free(net);
}

static void test_save_and_load(void **state) {
    (void)state;
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int i = 0; i < NETWORKS * 5; i++) {
        networks_net net = networks_new(networks_all[i % NETWORKS].cfg, 1);
        amc_prune_plan *plan = networks_random_plan(net.groups, &rng);
        double *score = networks_random_scores(net.groups, &rng);
        char *path = fixture_path("saved.json");
        assert_int_equal(amc_prune_plan_save(plan, net.graph, net.groups, path, &err), 0);
        amc_prune_plan *again = amc_prune_plan_load(path, net.graph, net.groups, score, 8, &err);
        if (!again) fail_msg("%s: %s", networks_all[i % NETWORKS].name, err.text);
        assert_memory_equal(again->kept, plan->kept, (size_t)plan->n_units);
        amc_prune_plan_free(plan);
        amc_prune_plan_free(again);
        free(path), free(score);
        networks_free(net);
    }
}

static void check_saved_again(const networks_net *net, int group, int kept) {
    amc_error err = {""};
    amc_prune_plan *plan = amc_prune_plan_new(net->groups);
    double *score = rising_scores(net->groups);
    amc_prune_plan_keep_best(plan, net->groups, group, kept, score);
    char *path = fixture_path("again.json");
    assert_int_equal(amc_prune_plan_save(plan, net->graph, net->groups, path, &err), 0);
    amc_prune_plan *again = amc_prune_plan_load(path, net->graph, net->groups, score, 1, &err);
    if (!again) fail_msg("%s", err.text);
    assert_memory_equal(again->kept, plan->kept, (size_t)plan->n_units);
    amc_prune_plan_free(plan);
    amc_prune_plan_free(again);
    free(path), free(score);
}

// Of two groups made by the same layers the file has the one that can be pruned.
static void test_fixed_namesake(void **state) {
    (void)state;
    networks_net net =
        networks_new(NET(3, 8, 8) CONV(4, 3, 1, relu) CONV(8, 3, 1, relu) ROUTE(-2) BATCHNORM()
                         SHORTCUT(-3, linear) CONV(10, 3, 1, relu) CONV(5, 1, 1, linear),
                     1);
    int prunable = -1, fixed = -1;
    for (int g = 0; g < net.groups->n; g++)
        for (int i = 0; i < net.groups->groups[g].n_layers; i++)
            if (net.groups->groups[g].layers[i] == 1)
                *(net.groups->groups[g].prunable ? &prunable : &fixed) = g;
    assert_true(prunable >= 0 && fixed >= 0);
    check_saved_again(&net, prunable, 2);
    networks_free(net);
}

// Four digits of a ratio are less than a channel's share of very many.
static void test_many_channels(void **state) {
    (void)state;
    networks_net net = networks_new(NET(1, 2, 2) "[connected]\noutput=40000\nactivation=relu\n"
                                                 "[connected]\noutput=2\nactivation=linear\n",
                                    1);
    check_saved_again(&net, 0, 13334);
    networks_free(net);
}

// A file that was saved before some layers were skipped may name them, as long as it keeps them.
static void test_skipped_groups(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(uneven_cfg, 1);
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 1, &err), 0);
    amc_prune_plan *plan = load(
        &net, "{\"groups\": [{\"layers\": [1], \"channels\": [0,1,2,3,4,5,6,7,8,9]}]}", 1, &err);
    if (!plan) fail_msg("%s", err.text);
    amc_prune_plan_free(plan);
    plan = load(&net, "{\"groups\": [{\"layers\": [1], \"ratio\": 0.5}]}", 1, &err);
    assert_null(plan);
    assert_non_null(strstr(err.text, "layer 1 can't be pruned: skipped by request (layer 1)"));
    networks_free(net);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *bad[][2] = {
        {"[]", "holds no \"groups\": [...], expected a policy"},
        {"3", "holds no \"groups\": [...]"},
        {"{}", "holds no \"groups\": [...]"},
        {"{\"groups\": {}}", "holds no \"groups\": [...]"},
        {"{\"groups\": [{}]}", "a group has no \"layers\": [...]"},
        {"{\"groups\": [7]}", "a group has no \"layers\": [...]"},
        {"{\"groups\": [{\"layers\": []}]}", "a group has no \"layers\": [...]"},
        {"{\"groups\": [{\"layers\": 1}]}", "a group has no \"layers\": [...]"},
        {"{\"groups\": [{\"layers\": [3], \"ratio\": 0.5}]}", "[3], expected the layers of one"},
        {"{\"groups\": [{\"layers\": [-1], \"ratio\": 0.5}]}", "[-1], expected the layers of one"},
        {"{\"groups\": [{\"layers\": [99], \"ratio\": 0.5}]}", "[99], expected the layers of one"},
        {"{\"groups\": [{\"layers\": [1.5], \"ratio\": 0.5}]}",
         "[1.5], expected the layers of one"},
        {"{\"groups\": [{\"layers\": [\"1\"], \"ratio\": 0.5}]}", "expected the layers of one"},
        {"{\"groups\": [{\"layers\": [1, 4], \"ratio\": 0.5}]}",
         "[1,4], expected the layers of one"},
        {"{\"groups\": [{\"layers\": [1]}]}", "layer 1 has neither \"ratio\" nor \"channels\""},
        {"{\"groups\": [{\"layers\": [1], \"ratio\": \"a\"}]}", "has a ratio that is no number"},
        {"{\"groups\": [{\"layers\": [1], \"ratio\": 0}]}", "has ratio 0, expected more than 0"},
        {"{\"groups\": [{\"layers\": [1], \"ratio\": -0.5}]}",
         "has ratio -0.5, expected more than"},
        {"{\"groups\": [{\"layers\": [1], \"ratio\": 1.01}]}",
         "has ratio 1.01, expected more than"},
        {"{\"groups\": [{\"layers\": [1], \"ratio\": 1e999}]}",
         "has ratio inf, expected more than"},
        {"{\"groups\": [{\"layers\": [1], \"channels\": []}]}", "layer 1 keeps no channel"},
        {"{\"groups\": [{\"layers\": [1], \"ratio\": 1, \"channels\": [0, 1]}]}",
         "layer 1 has ratio 1 and 2 of"},
        {"{\"groups\": [{\"layers\": [1], \"ratio\": \"x\", \"channels\": [0, 1]}]}",
         "layer 1 has a ratio that is no number"},
        {"{\"groups\": [{\"layers\": [1], \"channels\": [10]}]}",
         "keeps channel 10, expected 0 to 9"},
        {"{\"groups\": [{\"layers\": [1], \"channels\": [-1]}]}",
         "keeps channel -1, expected 0 to 9"},
        {"{\"groups\": [{\"layers\": [1], \"channels\": [0.5]}]}", "keeps channel 0.5, expected"},
        {"{\"groups\": [{\"layers\": [1], \"channels\": [\"a\"]}]}",
         "keeps a channel that is no number"},
        {"{\"groups\": [{\"layers\": [1], \"channels\": 5, \"ratio\": 0.5}]}",
         "layer 1 has \"channels\" that are no list"},
        {"{\"groups\": [{\"layers\": [1], \"channels\": [2, 2]}]}", "keeps channel 2 twice"},
        {"{\"groups\": [{\"layers\": [5], \"ratio\": 0.5}]}",
         "layer 5 can't be pruned: the network's output"},
        {"{\"groups\": [{\"layers\": [1], \"ratio\": 0.5}, {\"layers\": [1], \"ratio\": 0.5}]}",
         "the group of layer 1 stands there twice"},
        {"{\"groups\": [{\"layers\": [2], \"ratio\": 0.5}, {\"layers\": [0, 2], \"ratio\": 0.5}]}",
         "the group of layer 0 stands there twice"},
    };
    networks_net net = networks_new(uneven_cfg, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        amc_error err = {""};
        char *path = fixture_path("policy.json");
        amc_prune_plan *plan = load(&net, bad[i][0], 1, &err);
        if (plan) fail_msg("not refused: %s", bad[i][0]);
        networks_assert_error(&err, path, 0, bad[i][1]);
        free(path);
    }
    amc_error err = {""};
    char *missing = fixture_path("missing.json");
    assert_null(amc_prune_plan_load(missing, net.graph, net.groups, NULL, 1, &err));
    networks_assert_error(&err, missing, 0, "can't be opened");
    free(missing);
    networks_free(net);
    // A layer with parts in two groups, neither of which is its alone.
    net = networks_new(NET(3, 8, 8) CONV(8, 3, 1, relu) CONV(12, 3, 1, linear) SHORTCUT(0, relu)
                           CONV(12, 3, 1, linear) SHORTCUT(-2, relu) CONV(5, 3, 1, linear),
                       1);
    assert_null(load(&net, "{\"groups\": [{\"layers\": [1], \"ratio\": 0.5}]}", 1, &err));
    assert_non_null(strstr(err.text, "[1], expected the layers of one channel group (several"));
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_keeps_all),  cmocka_unit_test(test_keep_best),
        cmocka_unit_test(test_load_ratios),    cmocka_unit_test(test_load_names_groups),
        cmocka_unit_test(test_load_channels),  cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_skipped_groups), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_fixed_namesake), cmocka_unit_test(test_many_channels),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
