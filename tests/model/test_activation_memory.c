// Memory of activations: an example by hand, with a route, a shortcut and dropout, and every .cfg
// against a reckoning from scratch that knows nothing of the order in which things are given back.

#include "model/activation_memory.h"
#include "support/networks.h"

// ---- by hand ----

static void test_by_hand(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 4, 4)           // image: 48 numbers
                                    CONV(8, 3, 1, relu)    // 0: 128, read by 1 and 3
                                    CONV(4, 1, 1, relu)    // 1: 64, read by 2 and 5
                                    CONV(8, 3, 1, linear)  // 2: 128
                                    SHORTCUT(0, relu)      // 3: 128
                                    DROPOUT()              // 4: in the place of 3
                                    ROUTE(-1, 1)           // 5: 192
                                    MAXPOOL(2, 2)          // 6: 48
                                    CONV(2, 1, 1, linear), // 7: 8, which nobody reads
                                    1);
    static const int64_t numbers[] = {
        48 + 128,             // image, 0
        128 + 64,             // 0, 1
        128 + 64 + 128,       // 0, 1, 2
        128 + 64 + 128 + 128, // 0, 1, 2, 3: the most
        64 + 128,             // 1, 3
        64 + 128 + 192,       // 1, 3, 5
        192 + 48,             // 5, 6
        48 + 8,               // 6, 7
    };
    amc_activation_memory *memory = amc_activation_memory_new(net.graph);
    int64_t live[8];
    assert_int_equal(amc_activation_memory_live(memory, NULL, live), 4 * numbers[3]);
    for (int l = 0; l < 8; l++) assert_int_equal(live[l], 4 * numbers[l]);
    assert_int_equal(amc_activation_memory_peak(net.graph), 4 * numbers[3]);
    // Half of the channels of layers 0, 2 and 3.
    const int channels[] = {4, 4, 4, 4, 4, 8, 8, 2};
    assert_int_equal(amc_activation_memory_live(memory, channels, live), 4 * (64 + 64 + 64 + 64));
    assert_int_equal(live[5], 4 * (64 + 64 + 128));
    amc_activation_memory_free(memory);
    amc_activation_memory_free(NULL);
    networks_free(net);
}

// What nobody reads stays: the outputs of a network with two ends.
static void test_outputs_stay(void **state) {
    (void)state;
    networks_net net = networks_new(
        NET(3, 2, 2) CONV(5, 1, 1, relu) CONV(7, 1, 1, linear) ROUTE(0) CONV(2, 1, 1, linear), 1);
    amc_activation_memory *memory = amc_activation_memory_new(net.graph);
    int64_t live[4];
    amc_activation_memory_live(memory, NULL, live);
    assert_int_equal(live[0], 16 * (3 + 5));
    assert_int_equal(live[1], 16 * (5 + 7));
    assert_int_equal(live[2], 16 * (5 + 7 + 5));
    assert_int_equal(live[3], 16 * (7 + 5 + 2));
    amc_activation_memory_free(memory);
    networks_free(net);
}

// ---- from scratch ----

static int holder(const amc_layer_graph *graph, int layer) {
    while (layer >= 0 && graph->layers[layer].type == AMC_DROPOUT)
        layer = graph->layers[layer].inputs[0];
    return layer;
}

// Whether what `held` made is wanted when layer l has run, or where nobody reads it.
static bool wanted_after(const amc_layer_graph *graph, int held, int l) {
    for (int other = -1; other < graph->n; other++) {
        if (holder(graph, other) != held) continue;
        bool read = false;
        for (int reader = 0; reader < graph->n; reader++)
            for (int i = 0; i < graph->layers[reader].n_inputs; i++) {
                if (graph->layers[reader].inputs[i] != other) continue;
                read = true;
                if (reader > l) return true;
            }
        if (!read) return true;
    }
    return false;
}

static int64_t bytes_at(const amc_layer_graph *graph, int l) {
    int64_t numbers = 0;
    for (int held = -1; held <= l; held++) {
        if (holder(graph, held) != held) continue;
        bool lives = held == l || wanted_after(graph, held, l - 1);
        if (!lives) continue;
        numbers += held < 0 ? (int64_t)graph->c * graph->h * graph->w
                            : amc_layer_outputs(&graph->layers[held]);
    }
    return 4 * numbers;
}

static void check_graph(const char *path, const amc_layer_graph *graph) {
    int64_t *live = amc_memory_alloc((size_t)graph->n, sizeof *live), most = 0;
    amc_activation_memory *memory = amc_activation_memory_new(graph);
    int64_t peak = amc_activation_memory_live(memory, NULL, live);
    for (int l = 0; l < graph->n; l++) {
        int64_t bytes = bytes_at(graph, l);
        if (live[l] != bytes)
            fail_msg("%s: layer %d: %lld, expected %lld", path, l, (long long)live[l],
                     (long long)bytes);
        if (bytes > most) most = bytes;
    }
    assert_int_equal(peak, most);
    amc_activation_memory_free(memory);
    free(live);
}

static int cfgs_checked;

// Recurrent networks have no graph.
static void check_cfg(const char *path) {
    amc_error err = {""};
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    assert_non_null(cfg);
    amc_layer_graph *graph = amc_layer_graph_new(cfg, &err);
    if (graph) check_graph(path, graph);
    cfgs_checked += graph != NULL;
    amc_layer_graph_free(graph);
    amc_cfg_text_free(cfg);
}

static void test_every_cfg(void **state) {
    (void)state;
    networks_each_cfg(check_cfg);
    assert_true(cfgs_checked > 45);
}

static void test_small_networks(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        check_graph(networks_all[i].name, net.graph);
        networks_free(net);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_outputs_stay),
        cmocka_unit_test(test_every_cfg),
        cmocka_unit_test(test_small_networks),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
