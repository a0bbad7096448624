#include "model/slice.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

static int count_kept(const amc_prune_plan *plan, const int *units, int n) {
    int count = 0;
    for (int i = 0; i < n; i++) count += plan->kept[units[i]];
    return count;
}

amc_layer_graph *amc_slice_graph(const amc_layer_graph *graph, const amc_channel_groups *groups,
                                 const amc_prune_plan *plan) {
    amc_layer_graph *small = amc_layer_graph_copy(graph);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        const int *in = amc_channel_groups_input(groups, graph, l, 0);
        small->layers[l].c = count_kept(plan, in, layer->c);
        small->layers[l].out_c = amc_prune_plan_channels(plan, groups, graph, l);
        // Blocks go whole, so as many groups are left as blocks of outputs.
        if (layer->groups > 1)
            small->layers[l].groups = small->layers[l].out_c / (layer->out_c / layer->groups);
    }
    return small;
}

// Copies the values of the filters that stay. from: (n), may be NULL; to: (kept n).
static void slice_values(const float *from, float *to, int n, const unsigned char *kept) {
    for (int i = 0; from && i < n; i++)
        if (kept[i]) *to++ = from[i];
}

typedef struct channels {
    unsigned char *in;  // (c) 1 if the input channel stays
    unsigned char *out; // (out_c) 1 if the output channel stays
} channels;

static channels kept_channels(const amc_layer_graph *graph, const amc_channel_groups *groups,
                              const amc_prune_plan *plan, int l) {
    const amc_layer *layer = &graph->layers[l];
    const int *in = amc_channel_groups_input(groups, graph, l, 0);
    channels kept = {amc_memory_alloc((size_t)layer->c, 1),
                     amc_memory_alloc((size_t)layer->out_c, 1)};
    for (int i = 0; i < layer->c; i++) kept.in[i] = plan->kept[in[i]];
    for (int o = 0; o < layer->out_c; o++) kept.out[o] = plan->kept[groups->unit[l][o]];
    return kept;
}

static void free_channels(channels kept) {
    free(kept.in);
    free(kept.out);
}

// How a weight array is laid out: W[filter][input channel][per]; `per` is size*size, or h*w for a
// connected layer, which numbers its inputs channel by channel.
typedef struct weight_shape {
    int inputs; // input channels of one filter
    int per;    // floats of one input channel in one filter
} weight_shape;

static weight_shape shape_of(const amc_layer *layer) {
    if (layer->type == AMC_CONNECTED) return (weight_shape){layer->c, layer->h * layer->w};
    return (weight_shape){layer->c / layer->groups, layer->size * layer->size};
}

// The input channel that filter o's slice number i reads.
static int input_channel(const amc_layer *layer, weight_shape shape, int o, int i) {
    int block = o / (layer->out_c / layer->groups);
    return block * shape.inputs + i;
}

static void slice_filters(const amc_layer *layer, channels kept, const float *from, float *to) {
    weight_shape shape = shape_of(layer);
    for (int o = 0; o < layer->out_c; o++)
        for (int i = 0; kept.out[o] && i < shape.inputs; i++) {
            if (!kept.in[input_channel(layer, shape, o, i)]) continue;
            const float *weights = from + ((size_t)o * shape.inputs + i) * shape.per;
            memcpy(to, weights, (size_t)shape.per * sizeof *to);
            to += shape.per;
        }
}

static void slice_layer(const amc_layer *layer, channels kept, const amc_layer_weights *from,
                        amc_layer_weights *to) {
    slice_values(from->biases, to->biases, layer->out_c, kept.out);
    slice_values(from->scales, to->scales, layer->out_c, kept.out);
    slice_values(from->means, to->means, layer->out_c, kept.out);
    slice_values(from->variances, to->variances, layer->out_c, kept.out);
    slice_filters(layer, kept, from->weights, to->weights);
}

static void copy_values(const float *from, float *to, int64_t n) {
    if (from) memcpy(to, from, (size_t)n * sizeof *to);
}

// A boundary's arrays are taken over as they are: all of its channels stay.
static void copy_layer(const amc_layer_weights *from, amc_layer_weights *to) {
    copy_values(from->biases, to->biases, from->n);
    copy_values(from->scales, to->scales, from->n);
    copy_values(from->means, to->means, from->n);
    copy_values(from->variances, to->variances, from->n);
    copy_values(from->weights, to->weights, from->n_weights);
}

amc_weights *amc_slice_weights(const amc_layer_graph *graph, const amc_channel_groups *groups,
                               const amc_prune_plan *plan, const amc_weights *weights) {
    amc_layer_graph *small_graph = amc_slice_graph(graph, groups, plan);
    amc_weights *small = amc_weights_new(small_graph);
#pragma omp parallel for schedule(dynamic)
    for (int l = 0; l < graph->n; l++) {
        channels kept = kept_channels(graph, groups, plan, l);
        if (graph->layers[l].flow == AMC_FLOW_MAKES)
            slice_layer(&graph->layers[l], kept, &weights->layers[l], &small->layers[l]);
        else
            copy_layer(&weights->layers[l], &small->layers[l]);
        free_channels(kept);
    }
    amc_layer_graph_free(small_graph);
    return small;
}

amc_cfg_text *amc_slice_cfg(const amc_cfg_text *cfg, const amc_layer_graph *graph,
                            const amc_layer_graph *small) {
    amc_cfg_text *edited = amc_cfg_text_copy(cfg);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *old = &graph->layers[l], *new = &small->layers[l];
        if (old->flow != AMC_FLOW_MAKES) continue;
        if (new->out_c != old->out_c)
            amc_cfg_text_set_int(edited, l + 1, old->type == AMC_CONNECTED ? "output" : "filters",
                                 new->out_c);
        if (new->groups != old->groups) amc_cfg_text_set_int(edited, l + 1, "groups", new->groups);
    }
    return edited;
}

amc_weights *amc_slice_zeroed(const amc_layer_graph *graph, const amc_channel_groups *groups,
                              const amc_prune_plan *plan, const amc_weights *weights) {
    amc_weights *zeroed = amc_weights_copy(weights);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        if (layer->flow != AMC_FLOW_MAKES) continue;
        weight_shape shape = shape_of(layer);
        channels kept = kept_channels(graph, groups, plan, l);
        for (int o = 0; o < layer->out_c; o++)
            for (int i = 0; i < shape.inputs; i++)
                if (!kept.in[input_channel(layer, shape, o, i)])
                    memset(zeroed->layers[l].weights + ((size_t)o * shape.inputs + i) * shape.per,
                           0, (size_t)shape.per * sizeof(float));
        free_channels(kept);
    }
    return zeroed;
}
