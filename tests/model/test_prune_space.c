// What there is to decide: channels cost what the cost model says, weights what is left of each
// layer, counted one by one.

#include "model/prune_space.h"
#include "model/slice.h"
#include "model/weight_ranking.h"
#include "support/latencies.h"

static int *random_counts(const amc_prune_space *space, amc_rng *rng) {
    int *counts = amc_memory_alloc((size_t)space->n, sizeof *counts);
    for (int g = 0; g < space->n; g++) {
        int units = space->groups[g].n_units;
        counts[g] =
            space->groups[g].prunable ? 1 + (int)amc_rng_below(rng, (uint32_t)units) : units;
    }
    return counts;
}

static void test_channels(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_cost_model *cost = amc_cost_model_new(net.graph, net.groups);
        int *counts = random_counts(net.space, &rng);
        assert_int_equal(net.space->n, net.groups->n);
        assert_int_equal(amc_prune_space_cost(net.space, AMC_RESOURCE_MACS, counts),
                         amc_cost_model_macs(cost, counts));
        assert_int_equal(amc_prune_space_cost(net.space, AMC_RESOURCE_PARAMS, counts),
                         amc_cost_model_params(cost, counts));
        for (int g = 0; g < net.space->n; g++) {
            assert_int_equal(net.space->groups[g].n_units, net.groups->groups[g].n_units);
            assert_int_equal(net.space->groups[g].prunable, net.groups->groups[g].prunable);
            assert_int_equal(amc_prune_space_step(net.space, g, 4),
                             amc_cost_model_step(cost, g, 4));
        }
        free(counts);
        amc_cost_model_free(cost);
        networks_free(net);
    }
}

// What a plan takes to run is what the graph takes that it leaves.
static void test_running(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 3);
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_latency_table *table = latencies_new(&net, &rng);
        int *counts = random_counts(net.space, &rng);
        assert_int_equal(amc_prune_space_cost(net.space, AMC_RESOURCE_LATENCY, counts), 0);
        latencies_set(&net, table);
        amc_prune_plan *plan = networks_plan(net.groups, counts, &rng);
        amc_layer_graph *small = amc_slice_graph(net.graph, net.groups, plan);
        int64_t latency = 0;
        for (int l = 0; l < small->n; l++) {
            const amc_layer *layer = &small->layers[l];
            int64_t ns = amc_latency_grid_predict(net.space->latency[l], layer->c, layer->out_c);
            assert_int_equal(amc_prune_space_layer_cost(net.space, AMC_RESOURCE_LATENCY, counts, l),
                             ns);
            latency += ns;
        }
        assert_int_equal(amc_prune_space_cost(net.space, AMC_RESOURCE_LATENCY, counts), latency);
        int64_t peak = amc_activation_memory_peak(small), most = 0;
        assert_int_equal(amc_prune_space_cost(net.space, AMC_RESOURCE_MEMORY, counts), peak);
        for (int l = 0; l < small->n; l++) {
            int64_t live = amc_prune_space_layer_cost(net.space, AMC_RESOURCE_MEMORY, counts, l);
            most = live > most ? live : most;
        }
        assert_int_equal(most, peak);
        assert_true(amc_prune_space_memory_beyond(net.space, counts, peak) == 0);
        assert_true(amc_prune_space_memory_beyond(net.space, counts, peak - 1) >= 1);
        for (int r = 0; r < AMC_RESOURCES; r++)
            assert_int_equal(amc_prune_space_graph_cost(net.space, (amc_resource)r, small),
                             amc_prune_space_cost(net.space, (amc_resource)r, counts));
        amc_layer_graph_free(small);
        amc_prune_plan_free(plan);
        free(counts);
        networks_free(net);
        amc_latency_table_free(table);
    }
}

// Each weight that isn't zero is used once for every place of its layer's output.
static void count_one_by_one(const networks_net *net, const amc_weights *weights, int64_t *macs,
                             int64_t *params) {
    *macs = *params = 0;
    for (int l = 0; l < net->graph->n; l++) {
        const amc_layer *layer = &net->graph->layers[l];
        const amc_layer_weights *w = &weights->layers[l];
        bool sparse = layer->type == AMC_CONVOLUTIONAL || layer->type == AMC_CONNECTED;
        if (!sparse) *macs += amc_cost_layer_macs(layer), *params += amc_cost_layer_params(layer);
        if (!sparse) continue;
        *params += w->n + (w->scales ? 3 * w->n : 0);
        for (int64_t i = 0; i < w->n_weights; i++) {
            if (w->weights[i] == 0) continue;
            *macs += layer->type == AMC_CONVOLUTIONAL ? layer->out_h * layer->out_w : 1;
            ++*params;
        }
    }
}

static void test_weights(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 2);
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_prune_space *space = amc_prune_space_of_weights(net.graph, NULL);
        amc_weight_ranking *ranking = amc_weight_ranking_new(space, net.weights, net.weights);
        int *counts = random_counts(space, &rng);
        amc_weights *kept = amc_weight_ranking_keep(ranking, counts);
        int64_t macs, params;
        count_one_by_one(&net, kept, &macs, &params);
        assert_int_equal(amc_prune_space_cost(space, AMC_RESOURCE_MACS, counts), macs);
        assert_int_equal(amc_prune_space_cost(space, AMC_RESOURCE_PARAMS, counts), params);
        for (int g = 0; g < space->n; g++) {
            assert_true(space->groups[g].prunable);
            assert_int_equal(amc_prune_space_step(space, g, 8), 1);
            assert_int_equal(amc_prune_space_group_cost(space, AMC_RESOURCE_PARAMS, counts, g),
                             amc_prune_space_layer_cost(space, AMC_RESOURCE_PARAMS, counts,
                                                        space->groups[g].layers[0]));
            counts[g] = space->groups[g].n_units;
        }
        for (int r = 0; r < AMC_RESOURCES; r++)
            assert_int_equal(amc_prune_space_cost(space, (amc_resource)r, counts),
                             amc_prune_space_whole_cost(space, (amc_resource)r));
        amc_weights_free(kept);
        free(counts);
        amc_weight_ranking_free(ranking);
        amc_prune_space_free(space);
        networks_free(net);
    }
}

static void test_skipped_layers(void **state) {
    (void)state;
    networks_net net = networks_new(
        NET(3, 8, 8) CONV(6, 3, 1, relu) MAXPOOL(2, 2) CONV(4, 1, 1, relu) CONNECTED(5, linear), 1);
    const bool skipped[4] = {false, false, true, false};
    amc_prune_space *space = amc_prune_space_of_weights(net.graph, skipped);
    static const int layers[3] = {0, 2, 3}, units[3] = {6 * 27, 24, 5 * 64};
    assert_int_equal(space->n, 3);
    for (int g = 0; g < 3; g++) {
        assert_int_equal(space->groups[g].layers[0], layers[g]);
        assert_int_equal(space->groups[g].n_units, units[g]);
        assert_int_equal(space->groups[g].prunable, g != 1);
    }
    assert_int_equal(amc_prune_space_round(space, 1, 0.5, 1), 12);
    assert_int_equal(amc_prune_space_round(space, 1, 0, 1), 1);
    assert_int_equal(amc_prune_space_round(space, 1, 1, 1), 24);
    amc_prune_space_free(space);
    amc_prune_space_free(NULL);
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_running),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_skipped_layers),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
