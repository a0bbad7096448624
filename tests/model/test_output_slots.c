// Outputs in shared memory: while a layer's output may still be read nothing else is written there,
// every output fits, and much less is taken than all of them need.

#include "model/activation_memory.h"
#include "model/output_slots.h"

#include "support/networks.h"

// Whether layer `later` runs while `earlier`'s output is still wanted, by the graph alone.
static bool is_wanted(const amc_layer_graph *graph, int earlier, int later) {
    bool read = false;
    for (int l = earlier + 1; l < graph->n; l++)
        for (int i = 0; i < graph->layers[l].n_inputs; i++) {
            if (graph->layers[l].inputs[i] != earlier) continue;
            read = true;
            if (l >= later || (graph->layers[l].type == AMC_DROPOUT && is_wanted(graph, l, later)))
                return true;
        }
    return !read;
}

static void check(const amc_layer_graph *graph) {
    amc_output_slots *slots = amc_output_slots_new(graph);
    assert_int_equal(slots->layers, graph->n);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        int slot = slots->slot[l];
        assert_true(slot >= 0 && slot < slots->n);
        assert_true(slots->floats[slot] >= (size_t)amc_layer_outputs(layer));
        if (layer->type == AMC_DROPOUT) {
            assert_int_equal(slot, slots->slot[layer->inputs[0]]);
            continue;
        }
        for (int k = 0; k < l; k++)
            if (slots->slot[k] == slot) assert_false(is_wanted(graph, k, l));
    }
    amc_output_slots_free(slots);
}

static void test_networks(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        check(net.graph);
        networks_free(net);
    }
}

static void test_sizes(void **state) {
    (void)state;
    const char *const paths[] = {"cfg/plain20.cfg", "cfg/resnet56.cfg", "cfg/vgg16.cfg",
                                 "cfg/mobilenetv2.cfg"};
    for (int i = 0; i < 4; i++) {
        amc_layer_graph *graph = fixture_graph(paths[i]);
        check(graph);
        amc_output_slots *slots = amc_output_slots_new(graph);
        int64_t least = amc_activation_memory_peak(graph) / (int64_t)sizeof(float) -
                        (int64_t)graph->c * graph->h * graph->w;
        int64_t floats = amc_output_slots_floats(slots);
        if (floats > 3 * least / 2)
            fail_msg("%s: %lld of %lld", paths[i], (long long)floats, (long long)least);
        amc_output_slots_free(slots);
        amc_layer_graph_free(graph);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_networks),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
