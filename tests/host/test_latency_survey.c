// The survey of layers' times: it covers every layer of every kind of network, at points from a
// single channel to all of them, without a step out of bounds.

#include "host/hooks.h"
#include "host/latency_survey.h"
#include "support/networks.h"

static void count_reports(void *context, int done, int all) {
    int *reports = context;
    assert_in_range(done, 1, all);
    ++*reports;
}

static amc_latency_table *survey(const networks_net *net) {
    amc_error err = {""};
    amc_latency_table *table = amc_latency_table_new();
    int reports = 0;
    if (amc_latency_survey_run(table, net->cfg, net->graph, 0, count_reports, &reports, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(reports > 0);
    return table;
}

static void check_rising(const int *counts, int n) {
    assert_true(n > 0 && counts[0] >= 1);
    for (int i = 1; i < n; i++) assert_true(counts[i] > counts[i - 1]);
}

static void check_grid(const amc_layer *layer, const amc_latency_grid *grid) {
    assert_non_null(grid);
    check_rising(grid->in, grid->n_in);
    check_rising(grid->out, grid->n_out);
    assert_int_equal(grid->in[grid->n_in - 1], layer->c);
    assert_int_equal(grid->out[grid->n_out - 1], layer->out_c);
    bool two = layer->flow == AMC_FLOW_MAKES && layer->groups == 1;
    if (!two) assert_int_equal(grid->n_in, 1);
    if (layer->flow == AMC_FLOW_NEEDS) assert_int_equal(grid->n_out, 1);
    if (layer->flow == AMC_FLOW_MAKES && layer->out_c > 8)
        assert_true(grid->n_out > 2 || layer->groups > 1);
    assert_true(grid->ns[0] > 0);
}

static void check_covered(const networks_net *net) {
    amc_latency_table *table = survey(net);
    const amc_latency_grid **grids = amc_latency_table_of(table, net->graph, net->cfg);
    for (int l = 0; l < net->graph->n; l++) check_grid(&net->graph->layers[l], grids[l]);
    free(grids);
    amc_latency_table_free(table);
}

static void test_every_kind_of_network(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        if (networks_is_computed(networks_all[i].cfg)) check_covered(&net);
        networks_free(net);
    }
}

// Equal layers share a grid, and what was there of others stays.
static void test_tables_are_added_to(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(NET(3, 8, 8) CONV(9, 3, 1, relu) CONV(9, 3, 1, relu)
                                        CONV(9, 3, 1, relu) CONV(4, 1, 1, linear),
                                    1);
    amc_latency_table *table = survey(&net);
    assert_int_equal(table->n, 3);
    networks_free(net);
    net = networks_new(NET(3, 8, 8) CONV(9, 3, 1, relu) MAXPOOL(2, 2) CONV(4, 1, 1, linear), 1);
    int reports = 0;
    assert_int_equal(
        amc_latency_survey_run(table, net.cfg, net.graph, 0, count_reports, &reports, &err), 0);
    assert_int_equal(table->n, 5);
    amc_latency_table_free(table);
    networks_free(net);
}

static void test_counts(void **state) {
    (void)state;
    int counts[AMC_LATENCY_COUNTS];
    for (int n = 1; n <= 20000; n += n < 3000 ? 1 : 997) {
        int found = amc_latency_survey_counts(n, counts);
        assert_in_range(found, 1, AMC_LATENCY_COUNTS);
        check_rising(counts, found);
        assert_int_equal(counts[0], 1);
        assert_int_equal(counts[found - 1], n);
        for (int i = 1; i < found; i++) // no great gaps but below a 24th
            assert_true(counts[i] <= 3 * counts[i - 1] || counts[i - 1] == 1);
    }
}

static int setup(void **state) {
    amc_hooks_install();
    return fixture_setup(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_network),
        cmocka_unit_test(test_tables_are_added_to),
        cmocka_unit_test(test_counts),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
