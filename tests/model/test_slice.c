// The keystone: the smaller network, written to files and read back by Darknet, computes what the
// original does with the removed channels' consumers zeroed, for every kind of coupling; applied in
// memory it gives the same bits.

#include "host/hooks.h"
#include "host/host_model.h"
#include "support/exact.h"

// ---- one plan ----

static void assert_same_in_memory(amc_host_model *model, exact_pruned small, const network *files,
                                  const float *input) {
    amc_host_model_apply(model, small.graph, small.weights);
    const float *output = amc_host_model_predict(model, 0, 1, input);
    assert_memory_equal(output, files->output, (size_t)files->outputs * sizeof *output);
}

// Returns how far the smaller network's output is from that of the original as it was.
static double check_plan(const char *name, const networks_net *net, const amc_prune_plan *plan,
                         amc_host_model *model, uint64_t seed) {
    exact_pruned small = exact_prune(net, plan);
    amc_weights *zeroed_weights = amc_slice_zeroed(net->graph, net->groups, plan, net->weights);
    network *whole = exact_run_files(net->cfg, net->graph, net->weights);
    network *zeroed = exact_run_files(net->cfg, net->graph, zeroed_weights);
    network *files = exact_run_files(small.cfg, small.graph, small.weights);
    double change = 0;
    for (uint64_t i = 0; i < 2; i++) {
        float *input = fixture_input(net->graph->c * net->graph->h * net->graph->w, seed * 2 + i);
        network_predict(whole, input);
        network_predict(zeroed, input);
        network_predict(files, input);
        exact_assert_layers(name, net, plan, files, zeroed, 1e-5);
        assert_same_in_memory(model, small, files, input);
        change = fill_difference(files->output, whole->output, (size_t)files->outputs);
        free(input);
    }
    fixture_darknet_free(whole);
    fixture_darknet_free(zeroed);
    fixture_darknet_free(files);
    amc_weights_free(zeroed_weights);
    exact_free_pruned(small);
    return change;
}

enum { SEEDS = 6 };

static void check_network(const networks_text *text, bool hooks) {
    amc_error err = {""};
    double most = 0;
    amc_hooks_enable(hooks);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        amc_rng rng;
        amc_rng_init(&rng, seed);
        networks_net net = networks_new(text->cfg, seed);
        amc_host_model *model = amc_host_model_new(net.path, net.graph, 1, &err);
        if (!model) fail_msg("%s: %s", text->name, err.text);
        amc_prune_plan *plan = networks_random_plan(net.groups, &rng);
        most = fmax(most, check_plan(text->name, &net, plan, model, seed));
        amc_prune_plan_free(plan);
        amc_host_model_free(model);
        networks_free(net);
    }
    // Had the plans removed nothing that counts, all of the above would prove little.
    if (most < 0.01) fail_msg("%s: the outputs changed by %g only", text->name, most);
}

static void test_smaller_network_equals_zeroed(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) check_network(&networks_all[i], true);
}

// With Darknet's own kernels as well; those get strided 1x1 convolutions wrong, which mixes
// channels.
static void test_smaller_network_in_stock_darknet(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++)
        if (!strstr(networks_all[i].cfg, "size=1\nstride=2"))
            check_network(&networks_all[i], false);
}

// A single unit left in every group, and a single one removed from each group in turn.
static void test_extreme_plans(void **state) {
    (void)state;
    amc_hooks_install();
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 3);
    for (int i = 0; i < NETWORKS; i++) {
        if (!networks_is_computed(networks_all[i].cfg)) continue;
        networks_net net = networks_new(networks_all[i].cfg, 9);
        amc_host_model *model = amc_host_model_new(net.path, net.graph, 1, &err);
        assert_non_null(model);
        int *counts = amc_memory_alloc((size_t)net.groups->n, sizeof *counts);
        for (int last = -1; last < net.groups->n; last++) {
            if (last >= 0 && !net.groups->groups[last].prunable) continue;
            for (int g = 0; g < net.groups->n; g++) {
                int units = net.groups->groups[g].n_units;
                counts[g] = last >= 0 || !net.groups->groups[g].prunable ? units : 1;
            }
            if (last >= 0) counts[last]--;
            amc_prune_plan *plan = networks_plan(net.groups, counts, &rng);
            check_plan(networks_all[i].name, &net, plan, model, 1);
            amc_prune_plan_free(plan);
        }
        free(counts);
        amc_host_model_free(model);
        networks_free(net);
    }
}

// ---- what is written ----

static void test_whole_plan_changes_nothing(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_prune_plan *plan = amc_prune_plan_new(net.groups);
        exact_pruned small = exact_prune(&net, plan);
        char *before = amc_cfg_text_print(net.cfg), *after = amc_cfg_text_print(small.cfg);
        assert_string_equal(after, before);
        amc_weights *zeroed = amc_slice_zeroed(net.graph, net.groups, plan, net.weights);
        for (int l = 0; l < net.graph->n; l++) {
            size_t size = (size_t)net.weights->layers[l].n_weights * sizeof(float);
            if (size == 0) continue;
            assert_memory_equal(zeroed->layers[l].weights, net.weights->layers[l].weights, size);
            assert_memory_equal(small.weights->layers[l].weights, net.weights->layers[l].weights,
                                size);
        }
        amc_weights_free(zeroed);
        free(before), free(after);
        exact_free_pruned(small);
        amc_prune_plan_free(plan);
        networks_free(net);
    }
}

// The graph that the emitted .cfg gives is the sliced one.
static void test_cfg_says_what_the_graph_is(void **state) {
    (void)state;
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 5);
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_prune_plan *plan = networks_random_plan(net.groups, &rng);
        exact_pruned small = exact_prune(&net, plan);
        amc_layer_graph *read = amc_layer_graph_new(small.cfg, &err);
        if (!read) fail_msg("%s: %s", networks_all[i].name, err.text);
        assert_int_equal(read->n, small.graph->n);
        for (int l = 0; l < read->n; l++) {
            const amc_layer *x = &read->layers[l], *y = &small.graph->layers[l];
            assert_int_equal(x->c, y->c);
            assert_int_equal(x->out_c, y->out_c);
            assert_int_equal(x->out_h, y->out_h);
            assert_int_equal(x->groups, y->groups);
            assert_int_equal(x->out_c, amc_prune_plan_channels(plan, net.groups, net.graph, l));
        }
        amc_layer_graph_free(read);
        exact_free_pruned(small);
        amc_prune_plan_free(plan);
        networks_free(net);
    }
}

// Keeps the first `kept` units of each group that may be pruned.
static amc_prune_plan *first_units(const amc_channel_groups *groups, int kept) {
    amc_prune_plan *plan = amc_prune_plan_new(groups);
    for (int g = 0; g < groups->n; g++)
        for (int i = kept; groups->groups[g].prunable && i < groups->groups[g].n_units; i++)
            plan->kept[groups->groups[g].units[i]] = 0;
    return plan;
}

static void test_edits_only_values(void **state) {
    (void)state;
    networks_net net = networks_new("# mine\n[net]\nheight=8\nwidth=8\nchannels=3\n\n[conv]\n"
                                    "filters = 12  # wide\nsize=3\nactivation=leaky\n"
                                    "[conv]\ngroups= 4\nfilters=8\n\n[connected]\n output=9 \n"
                                    "[conv]\nsize=1\n# last\nfilters=2",
                                    1);
    amc_prune_plan *plan = first_units(net.groups, 2);
    exact_pruned small = exact_prune(&net, plan);
    char *text = amc_cfg_text_print(small.cfg);
    assert_string_equal(text, "# mine\n[net]\nheight=8\nwidth=8\nchannels=3\n\n[conv]\n"
                              "filters = 6  # wide\nsize=3\nactivation=leaky\n"
                              "[conv]\ngroups= 2\nfilters=4\n\n[connected]\n output=2 \n"
                              "[conv]\nsize=1\n# last\nfilters=2");
    free(text);
    exact_free_pruned(small);
    amc_prune_plan_free(plan);
    networks_free(net);
}

// The reference itself, by hand: which weights it zeroes and that it zeroes no other.
static void test_zeroed(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 4, 4) CONV(4, 3, 1, relu) GROUPED(4, 2, 1, 1, relu)
                                        CONNECTED(3, relu) CONNECTED(2, linear),
                                    1);
    amc_prune_plan *plan = amc_prune_plan_new(net.groups);
    plan->kept[net.groups->unit[0][2]] = 0; // with it channel 3, and channels 2 and 3 of layer 1
    plan->kept[net.groups->unit[2][1]] = 0;
    amc_weights *zeroed = amc_slice_zeroed(net.graph, net.groups, plan, net.weights);
    for (int l = 0; l < 4; l++) {
        const amc_layer_weights *old = &net.weights->layers[l], *new = &zeroed->layers[l];
        for (int i = 0; i < old->n_weights; i++) {
            bool gone = (l == 1 && i >= 4) ||       // the filters of block 1: 2 and 3
                        (l == 2 && i % 64 >= 32) || // the pixels of channels 2 and 3
                        (l == 3 && i % 3 == 1);     // input 1
            if (new->weights[i] != (gone ? 0 : old->weights[i])) fail_msg("layer %d, %d", l, i);
        }
        assert_memory_equal(new->biases, old->biases, (size_t)old->n * sizeof(float));
    }
    amc_weights_free(zeroed);
    amc_prune_plan_free(plan);
    networks_free(net);
}

// The input channel that weight i of a layer reads.
static int channel_read(const amc_layer *layer, int64_t i) {
    if (layer->type == AMC_CONNECTED)
        return (int)(i % ((int64_t)layer->c * layer->h * layer->w) / (layer->h * layer->w));
    int inputs = layer->c / layer->groups, taps = layer->size * layer->size;
    int64_t filter = i / taps / inputs;
    return (int)(filter * layer->groups / layer->out_c * inputs + i / taps % inputs);
}

// Had it the fault of the slice, the comparison of the two would not show it.
static void test_zeroed_everywhere(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 8);
    for (int n = 0; n < NETWORKS * 3; n++) {
        networks_net net = networks_new(networks_all[n % NETWORKS].cfg, 1);
        amc_prune_plan *plan = networks_random_plan(net.groups, &rng);
        amc_weights *zeroed = amc_slice_zeroed(net.graph, net.groups, plan, net.weights);
        for (int l = 0; l < net.graph->n; l++) {
            const amc_layer_weights *old = &net.weights->layers[l], *new = &zeroed->layers[l];
            const int *in = amc_channel_groups_input(net.groups, net.graph, l, 0);
            for (int64_t i = 0; i < old->n_weights; i++) {
                bool stays = plan->kept[in[channel_read(&net.graph->layers[l], i)]];
                if (new->weights[i] != (stays ? old->weights[i] : 0)) fail_msg("layer %d", l);
            }
        }
        amc_weights_free(zeroed);
        amc_prune_plan_free(plan);
        networks_free(net);
    }
}

static void test_sliced_values(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 4, 4) CONV(6, 3, 1, relu) CONV(5, 1, 1, linear), 1);
    amc_prune_plan *plan = amc_prune_plan_new(net.groups);
    static const int kept[] = {1, 4, 5};
    for (int c = 0; c < 6; c++) plan->kept[net.groups->unit[0][c]] = c == 1 || c >= 4;
    amc_weights *small = amc_slice_weights(net.graph, net.groups, plan, net.weights);
    const amc_layer_weights *old = net.weights->layers, *new = small->layers;
    assert_int_equal(new[0].n, 3);
    assert_int_equal(new[1].n_weights, 15);
    for (int i = 0; i < 3; i++) {
        assert_true(new[0].biases[i] == old[0].biases[kept[i]]);
        assert_true(new[0].scales[i] == old[0].scales[kept[i]]);
        assert_true(new[0].means[i] == old[0].means[kept[i]]);
        assert_true(new[0].variances[i] == old[0].variances[kept[i]]);
        assert_memory_equal(new[0].weights + i * 27, old[0].weights + kept[i] * 27, 27 * 4);
        for (int o = 0; o < 5; o++)
            assert_true(new[1].weights[o * 3 + i] == old[1].weights[o * 6 + kept[i]]);
    }
    amc_weights_free(small);
    amc_prune_plan_free(plan);
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_smaller_network_equals_zeroed),
        cmocka_unit_test(test_smaller_network_in_stock_darknet),
        cmocka_unit_test(test_extreme_plans),
        cmocka_unit_test(test_whole_plan_changes_nothing),
        cmocka_unit_test(test_cfg_says_what_the_graph_is),
        cmocka_unit_test(test_edits_only_values),
        cmocka_unit_test(test_zeroed),
        cmocka_unit_test(test_zeroed_everywhere),
        cmocka_unit_test(test_sliced_values),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
