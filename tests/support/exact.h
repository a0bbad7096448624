// A plan carried out, written to files and computed by Darknet, against the original with the
// removed channels' consumers zeroed.

#ifndef AMC_TESTS_SUPPORT_EXACT_H
#define AMC_TESTS_SUPPORT_EXACT_H

#include "kernels/fill.h"
#include "model/slice.h"
#include "support/networks.h"

// ---- a plan carried out ----

typedef struct exact_pruned {
    amc_layer_graph *graph;
    amc_weights *weights;
    amc_cfg_text *cfg;
} exact_pruned;

static inline exact_pruned exact_prune(const networks_net *net, const amc_prune_plan *plan) {
    exact_pruned small = {.graph = amc_slice_graph(net->graph, net->groups, plan),
                          .weights =
                              amc_slice_weights(net->graph, net->groups, plan, net->weights)};
    small.cfg = amc_slice_cfg(net->cfg, net->graph, small.graph);
    return small;
}

static inline void exact_free_pruned(exact_pruned small) {
    amc_layer_graph_free(small.graph);
    amc_weights_free(small.weights);
    amc_cfg_text_free(small.cfg);
}

// ---- networks computed by Darknet ----

// Darknet computes losses where truth= is set, from what isn't there.
static inline network *exact_without_truth(network *net) {
    for (int i = 0; i < net->n; i++) net->layers[i].truth = 0;
    return net;
}

// The network that Darknet reads from the two files that are written here.
static inline network *exact_run_files(const amc_cfg_text *cfg, const amc_layer_graph *graph,
                                       const amc_weights *weights) {
    amc_error err = {""};
    char *cfg_path = fixture_path("run.cfg"), *weights_path = fixture_path("run.weights");
    assert_int_equal(amc_cfg_text_save(cfg, cfg_path, &err), 0);
    assert_int_equal(amc_weights_save(weights, graph, weights_path, &err), 0);
    network *net = exact_without_truth(fixture_darknet(cfg_path, weights_path));
    free(cfg_path), free(weights_path);
    return net;
}

// ---- outputs compared ----

// The channels of `layer` that the plan keeps, of the whole network's output; new memory. n: how
// many numbers that are.
static inline float *exact_kept_outputs(const networks_net *net, const amc_prune_plan *plan,
                                        int layer, const float *output, int *n) {
    const amc_layer *shape = &net->graph->layers[layer];
    size_t per = (size_t)shape->out_h * shape->out_w;
    float *kept = amc_memory_alloc((size_t)shape->out_c * per, sizeof *kept), *end = kept;
    for (int c = 0; c < shape->out_c; c++)
        if (plan->kept[net->groups->unit[layer][c]])
            end = mempcpy(end, output + (size_t)c * per, per * sizeof *end);
    *n = (int)(end - kept);
    return kept;
}

// Every layer's kept channels, not only the network's output.
static inline void exact_assert_layers(const char *name, const networks_net *net,
                                       const amc_prune_plan *plan, const network *small,
                                       const network *zeroed, double bound) {
    for (int l = 0; l < net->graph->n; l++) {
        amc_layer_type type = net->graph->layers[l].type;
        if (type == AMC_COST) continue; // Darknet leaves it undefined
        int n;
        float *expected = exact_kept_outputs(net, plan, l, zeroed->layers[l].output, &n);
        bool whole = small->layers[l].outputs == n; // and nothing besides
        double d = whole ? fill_difference(small->layers[l].output, expected, (size_t)n) : INFINITY;
        free(expected);
        if (!(d < bound))
            fail_msg("%s: layer %d (%s) differs by %g", name, l, amc_layer_type_name(type), d);
    }
    assert_int_equal(small->outputs, zeroed->outputs);
}

#endif
