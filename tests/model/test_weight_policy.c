// policy.json of weights: it comes back as it was saved, and what it may not say is refused.

#include "model/weight_policy.h"
#include "support/networks.h"

static const char cfg[] = NET(3, 8, 8) CONV(6, 3, 1, relu) DEPTHWISE(6, 1) MAXPOOL(2, 2)
    BARE_CONV(4, 1, 1, relu) CONNECTED(5, linear);

typedef struct subject {
    networks_net net;
    amc_prune_space *space;
    int counts[8]; // (groups)
} subject;

static subject subject_new(void) {
    subject s = {.net = networks_new(cfg, 3)};
    s.space = amc_prune_space_of_weights(s.net.graph, NULL);
    assert_true(s.space->n <= 8);
    return s;
}

static void subject_free(subject s) {
    amc_prune_space_free(s.space);
    networks_free(s.net);
}

static void test_policy_comes_back(void **state) {
    (void)state;
    amc_error err = {""};
    subject s = subject_new();
    for (int g = 0; g < s.space->n; g++) s.counts[g] = 1 + 3 * g;
    char *path = fixture_path("policy.json");
    assert_int_equal(amc_weight_policy_save(s.space, s.counts, path, &err), 0);
    int again[8];
    assert_int_equal(amc_weight_policy_load(s.space, path, again, &err), 0);
    assert_memory_equal(again, s.counts, (size_t)s.space->n * sizeof(int));
    // As a policy of channels it is refused.
    assert_null(amc_prune_plan_load(path, s.net.graph, s.net.groups, NULL, 1, &err));
    assert_non_null(strstr(err.text, "is a policy of weights"));
    free(path);
    subject_free(s);
}

static void test_unnamed_layers_stay_whole(void **state) {
    (void)state;
    amc_error err = {""};
    subject s = subject_new();
    char *path = fixture_write(
        "policy.json",
        "{\"granularity\": \"weight\", \"groups\": [{\"layers\": [3], \"ratio\": 0.5}]}");
    assert_int_equal(amc_weight_policy_load(s.space, path, s.counts, &err), 0);
    for (int g = 0; g < s.space->n; g++) {
        int units = s.space->groups[g].n_units;
        assert_int_equal(s.counts[g], s.space->groups[g].layers[0] == 3 ? units / 2 : units);
    }
    free(path);
    subject_free(s);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{}", "holds no \"groups\""},
        {"{\"groups\": []}", "is a policy of channels"},
        {"{\"granularity\": \"weight\", \"groups\": [{}]}", "of one layer"},
        {"{\"granularity\": \"weight\", \"groups\": [{\"layers\": [0, 1], \"ratio\": 1}]}",
         "of one layer"},
        {"{\"granularity\": \"weight\", \"groups\": [{\"layers\": [2], \"ratio\": 1}]}",
         "layer 2 has no weights"},
        {"{\"granularity\": \"weight\", \"groups\": [{\"layers\": [0.5], \"ratio\": 1}]}",
         "layer 0.5 has no weights"},
        {"{\"granularity\": \"weight\", \"groups\": [{\"layers\": [0]}]}",
         "layer 0 has no \"ratio\""},
        {"{\"granularity\": \"weight\", \"groups\": [{\"layers\": [0], \"ratio\": 0}]}",
         "layer 0 has no \"ratio\""},
        {"{\"granularity\": \"weight\", \"groups\": [{\"layers\": [0], \"ratio\": 1.5}]}",
         "layer 0 has no \"ratio\""},
        {"{\"granularity\": \"weight\", \"groups\": [{\"layers\": [0], \"ratio\": 1}, {\"layers\": "
         "[0], \"ratio\": 1}]}",
         "layer 0 stands there twice"},
    };
    subject s = subject_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        amc_error err = {""};
        char *path = fixture_write("policy.json", cases[i][0]);
        assert_int_equal(amc_weight_policy_load(s.space, path, s.counts, &err), -1);
        networks_assert_error(&err, path, 0, cases[i][1]);
        free(path);
    }
    subject_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_policy_comes_back),
        cmocka_unit_test(test_unnamed_layers_stay_whole),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
