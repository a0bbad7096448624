// Measuring latency: what it says hangs together, and what it runs is the network. How fast that is
// is none of a test's business.

#include "host/hooks.h"
#include "host/host_model.h"
#include "host/latency_probe.h"
#include "model/slice.h"
#include "support/networks.h"

static amc_latency_probe *new_probe(const networks_net *net) {
    amc_error err = {""};
    amc_latency_probe *probe = amc_latency_probe_new(net->path, net->graph, &err);
    if (!probe) fail_msg("%s", err.text);
    return probe;
}

static void test_a_pass(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_latency_probe *probe = new_probe(&net);
        double *ns = amc_memory_alloc((size_t)net.graph->n, sizeof *ns), sum = 0;
        amc_latency_probe_apply(probe, net.graph, net.weights);
        double total = amc_latency_probe_pass(probe, ns);
        for (int l = 0; l < net.graph->n; l++) {
            assert_true(ns[l] >= 0);
            sum += ns[l];
        }
        assert_true(total > 0 && fabs(sum - total) < 1e-3 * total + 10);
        free(ns);
        amc_latency_probe_free(probe);
        networks_free(net);
    }
    amc_latency_probe_free(NULL);
}

static void check_order(const amc_latency *latency) {
    assert_true(0 < latency->total.low);
    assert_true(latency->total.low <= latency->total.median);
    assert_true(latency->total.median <= latency->total.high);
}

static void test_rounds(void **state) {
    (void)state;
    networks_net net = networks_new(networks_all[0].cfg, 1);
    amc_latency_probe *probe = new_probe(&net);
    amc_latency_probe_apply(probe, net.graph, net.weights);
    amc_latency latency = amc_latency_probe_measure(probe, (amc_latency_effort){7, 0});
    assert_int_equal(latency.rounds, 7);
    check_order(&latency);
    amc_latency_clear(&latency);
    assert_null(latency.layer_ns);
    latency = amc_latency_probe_measure(probe, (amc_latency_effort){1, 0});
    assert_int_equal(latency.rounds, 1);
    assert_true(latency.total.low == latency.total.high);
    amc_latency_clear(&latency);
    latency = amc_latency_probe_measure(probe, (amc_latency_effort){0, 0});
    assert_int_equal(latency.rounds, 5); // the least
    amc_latency_clear(&latency);
    amc_latency_probe_free(probe);
    networks_free(net);
}

static void test_compare(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 3);
    networks_net net = networks_new(networks_all[0].cfg, 1);
    amc_prune_plan *plan = networks_random_plan(net.groups, &rng);
    amc_layer_graph *small = amc_slice_graph(net.graph, net.groups, plan);
    amc_weights *weights = amc_slice_weights(net.graph, net.groups, plan, net.weights);
    amc_latency_probe *a = new_probe(&net), *b = new_probe(&net);
    amc_latency of_a, of_b;
    amc_latency_probe_apply(a, net.graph, net.weights);
    amc_latency_probe_apply(b, small, weights);
    assert_true(amc_latency_probe_compare(a, b, (amc_latency_effort){9, 0}, &of_a, &of_b) > 0);
    assert_int_equal(of_a.rounds, 9);
    assert_int_equal(of_b.rounds, 9);
    check_order(&of_a);
    check_order(&of_b);
    amc_latency_clear(&of_a);
    amc_latency_clear(&of_b);
    amc_latency_probe_free(a);
    amc_latency_probe_free(b);
    amc_weights_free(weights);
    amc_layer_graph_free(small);
    amc_prune_plan_free(plan);
    networks_free(net);
}

static void test_quantiles(void **state) {
    (void)state;
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, five[] = {50, 10, 40, 20, 30}, one[] = {5};
    assert_true(amc_latency_probe_quantile(odd, 3, 0.5) == 2);
    assert_true(odd[0] == 3 && odd[1] == 1 && odd[2] == 2); // they belong to others' values
    assert_true(amc_latency_probe_quantile(even, 4, 0.5) == 2.5);
    assert_true(amc_latency_probe_quantile(five, 5, 0.25) == 20);
    assert_true(amc_latency_probe_quantile(five, 5, 0.75) == 40);
    assert_true(amc_latency_probe_quantile(five, 5, 1) == 50);
    assert_true(amc_latency_probe_quantile(one, 1, 0.25) == 5);
}

// Numbers that neither vanish, which would be slow, nor overflow, in the deepest networks.
static void test_random_weights(void **state) {
    (void)state;
    static const char *paths[] = {"cfg/plain20.cfg", "cfg/resnet56.cfg", "cfg/mobilenetv2.cfg"};
    for (int i = 0; i < 3; i++) {
        amc_error err = {""};
        networks_net net = networks_load(paths[i], 1);
        amc_weights *weights = amc_latency_probe_weights(net.graph);
        amc_host_model *model = amc_host_model_new(net.path, net.graph, 1, &err);
        assert_non_null(model);
        amc_host_model_apply(model, net.graph, weights);
        float *input = fixture_input(net.graph->c * net.graph->h * net.graph->w, 1);
        amc_host_model_predict(model, 0, 1, input);
        for (int l = 0; l + 2 < net.graph->n; l++) {
            const float *output = amc_host_model_output(model, 0, l);
            double sum = 0;
            int n = amc_layer_outputs(&net.graph->layers[l]);
            for (int k = 0; k < n; k++) sum += fabs(output[k]);
            if (!(sum / n > 1e-6 && sum / n < 1e12))
                fail_msg("%s: layer %d: %g", paths[i], l, sum / n);
        }
        free(input);
        amc_host_model_free(model);
        amc_weights_free(weights);
        networks_free(net);
    }
}

static int setup(void **state) {
    amc_hooks_install();
    return fixture_setup(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pass),         cmocka_unit_test(test_rounds),
        cmocka_unit_test(test_compare),        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_random_weights),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
