// Costs: multiply-accumulates against a count that goes through every single one, and against the
// operations that Darknet's authors publish; counts against the graph that they leave.

#include "model/cost_model.h"
#include "model/slice.h"
#include "support/networks.h"

// ---- whole networks ----

// One by one: for each output position, each filter, each input of its block, each tap.
static int64_t count_one_by_one(const amc_layer *layer) {
    int64_t macs = 0;
    if (layer->type == AMC_CONNECTED)
        for (int o = 0; o < layer->out_c; o++)
            for (int i = 0; i < layer->c * layer->h * layer->w; i++) macs++;
    if (layer->type == AMC_CONVOLUTIONAL)
        for (int at = 0; at < layer->out_h * layer->out_w; at++)
            for (int o = 0; o < layer->out_c; o++)
                for (int i = 0; i < layer->c; i++) {
                    bool reads = o * layer->groups / layer->out_c == i * layer->groups / layer->c;
                    if (reads) macs += layer->size * layer->size;
                }
    return macs;
}

static void test_macs_one_by_one(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        int64_t sum = 0;
        for (int l = 0; l < net.graph->n; l++) {
            int64_t macs = count_one_by_one(&net.graph->layers[l]);
            assert_int_equal(amc_cost_layer_macs(&net.graph->layers[l]), macs);
            sum += macs;
        }
        assert_int_equal(amc_cost_macs(net.graph), sum);
        networks_free(net);
    }
}

static void test_params_are_the_files_floats(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        int64_t sum = 0;
        for (int l = 0; l < net.graph->n; l++) {
            const amc_layer_weights *w = &net.weights->layers[l];
            int64_t params = w->n_weights + (w->scales ? 4 : 1) * (int64_t)w->n;
            assert_int_equal(amc_cost_layer_params(&net.graph->layers[l]), params);
            sum += params;
        }
        assert_int_equal(amc_cost_params(net.graph), sum);
        networks_free(net);
    }
}

// Billions of operations, two a multiply-accumulate, as on pjreddie.com/darknet/imagenet.
static void test_published_operations(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double giga_operations;
    } published[] = {
        {"alexnet", 2.27},    {"darknet", 0.96},    {"extraction", 8.52},   {"darknet19", 7.29},
        {"resnet18", 4.69},   {"resnet34", 9.52},   {"resnet50", 9.74},     {"resnet101", 19.70},
        {"darknet53", 18.57}, {"resnext50", 10.11}, {"densenet201", 10.85}, {"resnet152", 29.39},
    };
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        char *path = amc_memory_text("darknet/cfg/%s.cfg", published[i].name);
        amc_layer_graph *graph = fixture_graph(path);
        double giga = 2e-9 * (double)amc_cost_macs(graph);
        if (fabs(giga - published[i].giga_operations) > 0.011)
            fail_msg("%s: %.3f", published[i].name, giga);
        amc_layer_graph_free(graph);
        free(path);
    }
}

// ---- counts ----

static void check_counts(const networks_net *net, const amc_cost_model *model, const int *counts,
                         amc_rng *rng) {
    amc_prune_plan *plan = networks_plan(net->groups, counts, rng);
    amc_layer_graph *small = amc_slice_graph(net->graph, net->groups, plan);
    assert_int_equal(amc_cost_model_macs(model, counts), amc_cost_macs(small));
    assert_int_equal(amc_cost_model_params(model, counts), amc_cost_params(small));
    for (int l = 0; l < small->n; l++)
        assert_int_equal(amc_cost_model_layer_macs(model, counts, l),
                         amc_cost_layer_macs(&small->layers[l]));
    for (int g = 0; g < net->groups->n; g++) {
        const amc_channel_group *group = &net->groups->groups[g];
        int64_t sum = 0;
        for (int i = 0; i < group->n_layers; i++)
            sum += amc_cost_layer_macs(&small->layers[group->layers[i]]);
        assert_int_equal(amc_cost_model_group_macs(model, counts, g), sum);
    }
    amc_layer_graph_free(small);
    amc_prune_plan_free(plan);
}

static void check_network(const networks_net *net, int rounds) {
    amc_rng rng;
    amc_rng_init(&rng, 7);
    amc_cost_model *model = amc_cost_model_new(net->graph, net->groups);
    for (int i = 0; i < rounds; i++) {
        int *counts = networks_random_counts(net->groups, &rng);
        check_counts(net, model, counts, &rng);
        free(counts);
    }
    amc_cost_model_free(model);
}

static void test_counts_cost_what_the_slice_costs(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        check_network(&net, 40);
        networks_free(net);
    }
    static const char *paths[] = {"cfg/resnet56.cfg", "cfg/vgg16.cfg", "darknet/cfg/resnext50.cfg",
                                  "darknet/cfg/densenet201.cfg"};
    for (int i = 0; i < 4; i++) {
        networks_net net = {.graph = fixture_graph(paths[i])};
        net.groups = amc_channel_groups_new(net.graph);
        check_network(&net, 10);
        networks_free(net);
    }
    amc_cost_model_free(NULL);
}

// Every unit of a group costs the same, which is what lets counts be priced without a plan.
static void test_units_are_interchangeable(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        for (int g = 0; g < net.groups->n; g++) {
            const amc_channel_group *group = &net.groups->groups[g];
            int64_t first = 0;
            for (int u = 0; group->n_units > 1 && u < group->n_units; u++) {
                amc_prune_plan *plan = amc_prune_plan_new(net.groups);
                plan->kept[group->units[u]] = 0;
                amc_layer_graph *small = amc_slice_graph(net.graph, net.groups, plan);
                int64_t macs = amc_cost_macs(small);
                if (u == 0) first = macs;
                assert_int_equal(macs, first);
                assert_true(macs < amc_cost_macs(net.graph));
                amc_layer_graph_free(small);
                amc_prune_plan_free(plan);
            }
        }
        networks_free(net);
    }
}

// ---- rounding ----

static void test_step(void **state) {
    (void)state;
    // Group 0: layers 0 and 1, of 4 and 6 channels a unit. Group 1: 20 plain channels.
    networks_net net = networks_new(NET(3, 8, 8) CONV(32, 3, 1, relu) GROUPED(48, 8, 3, 1, relu)
                                        CONV(20, 1, 1, relu) CONV(5, 1, 1, linear),
                                    1);
    amc_cost_model *model = amc_cost_model_new(net.graph, net.groups);
    static const int cases[][3] = {
        // round, step of group 0, step of group 1
        {1, 1, 1}, {2, 1, 2}, {4, 2, 4}, {8, 4, 8}, {3, 3, 3}, {16, 8, 16}, {64, 8, 20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(amc_cost_model_step(model, 0, cases[i][0]), cases[i][1]);
        assert_int_equal(amc_cost_model_step(model, 1, cases[i][0]), cases[i][2]);
    }
    amc_cost_model_free(model);
    networks_free(net);
}

static void test_round(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 8, 8) CONV(20, 3, 1, relu) CONV(5, 1, 1, linear), 1);
    amc_cost_model *model = amc_cost_model_new(net.graph, net.groups);
    static const struct {
        double ratio;
        int round, count;
    } cases[] = {
        {1, 1, 20},   {0.5, 1, 10},   {0.524, 1, 10}, {0.526, 1, 11}, {0, 1, 1},     {0.01, 1, 1},
        {0.01, 8, 8}, {0.59, 8, 8},   {0.61, 8, 16},  {0.9, 8, 16},   {0.91, 8, 20}, {1, 8, 20},
        {1, 16, 20},  {0.85, 16, 16}, {1, 64, 20},    {0.01, 64, 20}, {1, 4, 20},    {0.89, 4, 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(amc_cost_model_round(model, 0, cases[i].ratio, cases[i].round),
                         cases[i].count);
    // More is never less.
    for (int round = 1; round <= 24; round++)
        for (int i = 1; i <= 1000; i++)
            assert_true(amc_cost_model_round(model, 0, i / 1000.0, round) >=
                        amc_cost_model_round(model, 0, (i - 1) / 1000.0, round));
    amc_cost_model_free(model);
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_macs_one_by_one),
        cmocka_unit_test(test_params_are_the_files_floats),
        cmocka_unit_test(test_published_operations),
        cmocka_unit_test(test_counts_cost_what_the_slice_costs),
        cmocka_unit_test(test_units_are_interchangeable),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_round),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
