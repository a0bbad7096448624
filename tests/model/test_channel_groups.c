// Which channels go together, for every kind of coupling. A network's groups are compared as text,
// one group after the other: its layers, "x" units, ">" the layers that read it, "!" if fixed.

#include "support/networks.h"

static void append_list(char *text, const int *items, int n) {
    for (int i = 0; i < n; i++) sprintf(text + strlen(text), i ? ",%d" : "%d", items[i]);
}

static void assert_groups(const amc_channel_groups *groups, const char *expected) {
    static char text[1 << 16];
    text[0] = '\0';
    for (int g = 0; g < groups->n; g++) {
        const amc_channel_group *group = &groups->groups[g];
        if (g) strcat(text, "  ");
        append_list(text, group->layers, group->n_layers);
        sprintf(text + strlen(text), "x%d", group->n_units);
        if (group->n_consumers) strcat(text, ">");
        append_list(text, group->consumers, group->n_consumers);
        if (!group->prunable) strcat(text, "!");
        assert_int_equal(group->prunable, group->why == NULL);
    }
    assert_string_equal(text, expected);
}

// What holds for the groups of any network.
static void check_invariants(const networks_net *net) {
    const amc_channel_groups *groups = net->groups;
    int *seen = amc_memory_alloc((size_t)groups->n_units, sizeof *seen), first = -1;
    for (int g = 0; g < groups->n; g++) {
        const amc_channel_group *group = &groups->groups[g];
        assert_true(group->n_units > 0 && group->n_layers > 0);
        assert_true(group->layers[0] >= first); // in network order
        first = group->layers[0];
        for (int i = 0; i < group->n_units; i++) {
            assert_int_equal(groups->group_of[group->units[i]], g);
            assert_int_equal(seen[group->units[i]]++, 0);
            assert_true(i == 0 || group->units[i] > group->units[i - 1]);
        }
        // Every unit has as many channels of a layer as the others of its group.
        for (int i = 0; i < group->n_layers; i++) {
            int l = group->layers[i],
                *channels = amc_memory_alloc((size_t)groups->n_units, sizeof(int));
            for (int c = 0; c < net->graph->layers[l].out_c; c++) channels[groups->unit[l][c]]++;
            for (int u = 1; u < group->n_units; u++)
                assert_int_equal(channels[group->units[u]], channels[group->units[0]]);
            assert_true(channels[group->units[0]] > 0);
            free(channels);
        }
    }
    for (int u = 0; u < groups->n_units; u++) assert_int_equal(seen[u], groups->group_of[u] >= 0);
    free(seen);
}

static void check(const char *cfg, const char *expected) {
    networks_net net = networks_new(cfg, 1);
    check_invariants(&net);
    assert_groups(net.groups, expected);
    networks_free(net);
}

static void test_chain(void **state) {
    (void)state;
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) MAXPOOL(2, 2) CONV(16, 3, 1, relu)
              CONV(5, 1, 1, linear),
          "0x12>2  2x16>3  3x5!");
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(5, 1, 1, linear) AVGPOOL() SOFTMAX() COST(),
          "0x12>1  1x5>3!");
    check(NET(3, 8, 8) CONV(5, 3, 1, relu), "0x5!");
    check(NET(3, 8, 8) CONV(1, 3, 1, relu) CONV(5, 3, 1, relu),
          "0x1>1!  1x5!"); // nothing to choose
}

static void test_shortcuts(void **state) {
    (void)state;
    // Equal widths: one group, which both sides' readers and the sum's read.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(7, 3, 1, relu) CONV(12, 3, 1, linear)
              SHORTCUT(-3, relu) CONV(5, 3, 1, linear),
          "0,2x12>1,4  1x7>2  4x5!");
    // A chain of them makes one group.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(12, 3, 1, linear) SHORTCUT(-2, relu)
              CONV(12, 3, 1, linear) SHORTCUT(-2, relu) CONV(5, 3, 1, linear),
          "0,1,3x12>1,3,5  5x5!");
    // Unequal: the surplus of the wider side is its own group, whichever side that is.
    check(NET(3, 8, 8) CONV(16, 3, 1, relu) CONV(10, 3, 1, linear) SHORTCUT(0, relu)
              CONV(5, 3, 1, linear),
          "0,1x10>1,3  0x6>1  3x5!");
    check(NET(3, 8, 8) CONV(10, 3, 1, relu) CONV(16, 3, 1, linear) SHORTCUT(0, relu)
              CONV(5, 3, 1, linear),
          "0,1x10>1,3  1x6>3  3x5!");
    // With a stride, and three widths.
    check(NET(3, 8, 8) CONV(4, 3, 1, relu) CONV(8, 3, 2, linear) SHORTCUT(0, relu)
              CONV(16, 3, 2, linear) SHORTCUT(-2, relu) CONV(5, 3, 1, linear),
          "0,1,3x4>1,3,5  1,3x4>3,5  3x8>5  5x5!");
}

static void test_shortcut_units_are_channels(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 8, 8) CONV(16, 3, 1, relu) CONV(10, 3, 1, linear)
                                        SHORTCUT(0, relu) CONV(5, 3, 1, linear),
                                    1);
    int **unit = net.groups->unit;
    for (int c = 0; c < 10; c++) {
        assert_int_equal(unit[0][c], unit[1][c]);
        assert_int_equal(unit[2][c], unit[1][c]);
    }
    assert_memory_equal(amc_channel_groups_input(net.groups, net.graph, 2, 0), unit[1], 40);
    assert_memory_equal(amc_channel_groups_input(net.groups, net.graph, 2, 1), unit[0], 64);
    const int *image = amc_channel_groups_input(net.groups, net.graph, 0, 0);
    for (int c = 0; c < 3; c++) assert_int_equal(net.groups->group_of[image[c]], -1);
    networks_free(net);
}

static void test_routes(void **state) {
    (void)state;
    check(NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(8, 3, 1, relu) ROUTE(-1, 0) CONV(9, 3, 1, relu)
              ROUTE(1) CONV(5, 3, 1, linear),
          "0x6>1,3  1x8>3,5  3x9  5x5!");
    networks_net net = networks_new(NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(8, 3, 1, relu)
                                        ROUTE(-1, 0, 1) CONV(5, 3, 1, linear),
                                    1);
    int **unit = net.groups->unit; // joined in the listed order
    assert_memory_equal(unit[2], unit[1], 8 * sizeof(int));
    assert_memory_equal(unit[2] + 8, unit[0], 6 * sizeof(int));
    assert_memory_equal(unit[2] + 14, unit[1], 8 * sizeof(int));
    networks_free(net);
    // A sum with a joined layer ties channel k of one to channel k of the other.
    check(NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(8, 3, 1, relu) ROUTE(0, 1) CONV(14, 3, 1, linear)
              SHORTCUT(2, relu) CONV(5, 3, 1, linear),
          "0,3x6>1,3,5  1,3x8>3,5  5x5!");
}

static void test_depthwise(void **state) {
    (void)state;
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) DEPTHWISE(12, 1) CONV(20, 1, 1, relu) DEPTHWISE(20, 2)
              CONV(5, 1, 1, linear),
          "0,1x12>1,2  2,3x20>3,4  4x5!");
    // With two filters a channel, a unit is one channel of the first and two of the second.
    check(NET(3, 8, 8) CONV(6, 3, 1, relu) GROUPED(12, 6, 3, 1, relu) CONV(5, 1, 1, linear),
          "0,1x6>1,2  2x5!");
    // The image's channels can't go, and neither can what is tied to them.
    check(NET(3, 8, 8) DEPTHWISE(3, 1) CONV(8, 1, 1, relu) CONV(5, 1, 1, linear),
          "0x3>0,1!  1x8>2  2x5!");
}

static void test_grouped(void **state) {
    (void)state;
    // Whole blocks go: 4 input channels with 6 output channels.
    networks_net net = networks_new(
        NET(3, 8, 8) CONV(16, 3, 1, relu) GROUPED(24, 4, 3, 1, relu) CONV(5, 1, 1, linear), 1);
    assert_groups(net.groups, "0,1x4>1,2  2x5!");
    for (int c = 0; c < 16; c++)
        assert_int_equal(net.groups->unit[0][c], net.groups->unit[1][c / 4 * 6]);
    for (int c = 0; c < 24; c++)
        assert_int_equal(net.groups->unit[1][c], net.groups->unit[1][c / 6 * 6]);
    networks_free(net);
    // Blocks of 2 and of 3 channels on the same layer go together in sixes.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) GROUPED(12, 6, 3, 1, relu) ROUTE(0)
              GROUPED(12, 4, 3, 1, relu) CONV(5, 1, 1, linear),
          "0,1,3x2>1,3,4  4x5!");
}

static void test_connected(void **state) {
    (void)state;
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) MAXPOOL(2, 2) CONNECTED(20, relu) DROPOUT()
              CONNECTED(15, relu) CONNECTED(5, linear) SOFTMAX(),
          "0x12>2  2x20>4  4x15>5  5x5>6!");
}

// What a softmax or the cost reads stays, together with all that is tied to it; and it says why.
static void test_fixed(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 8, 8) DEPTHWISE(3, 1) CONV(8, 1, 1, relu)
                                        CONV(5, 1, 1, linear) SHORTCUT(1, linear) SOFTMAX() COST(),
                                    1);
    assert_groups(net.groups, "0x3>0,1!  1,2x5>2,4!  1x3>2");
    assert_string_equal(net.groups->groups[0].why, "tied to the image's channels");
    assert_string_equal(net.groups->groups[1].why, "read by layer 4 (softmax)");
    networks_free(net);
    net = networks_new(NET(3, 8, 8) CONV(1, 1, 1, relu) CONV(5, 1, 1, linear), 1);
    assert_string_equal(net.groups->groups[0].why, "a single channel or block");
    assert_string_equal(net.groups->groups[1].why, "the network's output");
    networks_free(net);
    // A sum of the image's pooled channels and a layer's.
    check(NET(3, 8, 8) MAXPOOL(1, 1) CONV(5, 3, 1, linear) SHORTCUT(0, relu) CONV(4, 1, 1, linear),
          "1x3>1,3!  1x2>3  3x4!");
}

static void test_skip(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(NET(3, 8, 8) CONV(16, 3, 1, relu) CONV(10, 3, 1, linear)
                                        SHORTCUT(0, relu) CONV(7, 3, 1, relu) CONV(5, 3, 1, linear),
                                    1);
    assert_groups(net.groups, "0,1x10>1,3  0x6>1  3x7>4  4x5!");
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 1, &err), 0);
    assert_groups(net.groups, "0,1x10>1,3!  0x6>1  3x7>4  4x5!");
    assert_string_equal(net.groups->groups[0].why, "skipped by request (layer 1)");
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 0, &err),
                     0); // both of its groups
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 4, &err), 0); // fixed anyway
    assert_groups(net.groups, "0,1x10>1,3!  0x6>1!  3x7>4  4x5!");
    assert_string_equal(net.groups->groups[0].why, "skipped by request (layer 1)");
    assert_string_equal(net.groups->groups[3].why, "the network's output");

    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 2, &err), -1);
    networks_assert_error(&err, net.path, 19, "layer 2 (shortcut) has no filters to keep");
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 5, &err), -1);
    networks_assert_error(&err, net.path, 0, "there is no layer 5, expected 0 to 4");
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, -1, &err), -1);
    networks_assert_error(&err, net.path, 0, "there is no layer -1");
    networks_free(net);
}

// Signs of life on real networks, whose groups are known from their structure.
static void test_real_networks(void **state) {
    (void)state;
    static const struct {
        const char *path;
        int groups, prunable;
    } cases[] = {
        {"cfg/plain20.cfg", 20, 19},
        {"darknet/cfg/darknet53.cfg", 30, 29}, // 52 convolutions, 23 of them tied in 5 stages
        {"darknet/cfg/densenet201.cfg", 201, 200},
    };
    for (int i = 0; i < 3; i++) {
        amc_layer_graph *graph = fixture_graph(cases[i].path);
        amc_channel_groups *groups = amc_channel_groups_new(graph);
        int prunable = 0;
        for (int g = 0; g < groups->n; g++) prunable += groups->groups[g].prunable;
        assert_int_equal(groups->n, cases[i].groups);
        assert_int_equal(prunable, cases[i].prunable);
        amc_channel_groups_free(groups);
        amc_layer_graph_free(graph);
    }
}

static void test_invariants(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        check_invariants(&net);
        networks_free(net);
    }
    amc_channel_groups_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_shortcuts),
        cmocka_unit_test(test_shortcut_units_are_channels),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_grouped),
        cmocka_unit_test(test_connected),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_real_networks),
        cmocka_unit_test(test_invariants),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
