#include "model/cost_model.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

int64_t amc_cost_layer_macs(const amc_layer *layer) {
    int64_t positions = 1; // at which each weight is used
    if (layer->type == AMC_CONVOLUTIONAL) positions = (int64_t)layer->out_h * layer->out_w;
    if (layer->type == AMC_DECONVOLUTIONAL) positions = (int64_t)layer->h * layer->w;
    return positions * amc_layer_weight_count(layer);
}

int64_t amc_cost_layer_params(const amc_layer *layer) {
    int64_t weights = amc_layer_weight_count(layer), n = layer->out_c;
    if (layer->type == AMC_BATCHNORM) return 3 * n;
    if (layer->type == AMC_LOCAL) n *= layer->out_h * layer->out_w;
    return weights ? weights + (layer->batch_normalize ? 4 : 1) * n : 0;
}

int64_t amc_cost_macs(const amc_layer_graph *graph) {
    int64_t sum = 0;
    for (int l = 0; l < graph->n; l++) sum += amc_cost_layer_macs(&graph->layers[l]);
    return sum;
}

int64_t amc_cost_params(const amc_layer_graph *graph) {
    int64_t sum = 0;
    for (int l = 0; l < graph->n; l++) sum += amc_cost_layer_params(&graph->layers[l]);
    return sum;
}

// A number of channels as a sum over groups: fixed + sum of each * (units kept of group).
typedef struct linear {
    int fixed;   // channels of units in no group
    int n;       // terms
    int *groups; // (n)
    int *each;   // (n) channels a unit
} linear;

struct amc_cost_model {
    const amc_layer_graph *graph;
    const amc_channel_groups *groups;
    linear *in;  // (layers) channels of its first input
    linear *out; // (layers) channels of its output
};

static linear count_channels(const amc_channel_groups *groups, const int *units, int n) {
    linear sum = {0};
    int *channels = amc_memory_alloc((size_t)groups->n, sizeof *channels);
    for (int c = 0; c < n; c++) {
        int g = groups->group_of[units[c]];
        if (g < 0)
            sum.fixed++;
        else
            channels[g]++;
    }
    sum.groups = amc_memory_alloc((size_t)groups->n, sizeof *sum.groups);
    sum.each = amc_memory_alloc((size_t)groups->n, sizeof *sum.each);
    for (int g = 0; g < groups->n; g++) {
        if (channels[g] == 0) continue;
        sum.groups[sum.n] = g;
        sum.each[sum.n++] = channels[g] / groups->groups[g].n_units;
    }
    free(channels);
    return sum;
}

static int evaluate(const linear *sum, const int *counts) {
    int channels = sum->fixed;
    for (int i = 0; i < sum->n; i++) channels += sum->each[i] * counts[sum->groups[i]];
    return channels;
}

amc_cost_model *amc_cost_model_new(const amc_layer_graph *graph, const amc_channel_groups *groups) {
    amc_cost_model *model = amc_memory_alloc(1, sizeof *model);
    *model = (amc_cost_model){.graph = graph, .groups = groups};
    model->in = amc_memory_alloc((size_t)graph->n, sizeof *model->in);
    model->out = amc_memory_alloc((size_t)graph->n, sizeof *model->out);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        model->in[l] =
            count_channels(groups, amc_channel_groups_input(groups, graph, l, 0), layer->c);
        model->out[l] = count_channels(groups, groups->unit[l], layer->out_c);
    }
    return model;
}

void amc_cost_model_free(amc_cost_model *model) {
    if (!model) return;
    for (int l = 0; l < model->graph->n; l++) {
        free(model->in[l].groups);
        free(model->in[l].each);
        free(model->out[l].groups);
        free(model->out[l].each);
    }
    free(model->in);
    free(model->out);
    free(model);
}

// The layer with the channels that `counts` leave; boundaries keep theirs, and others cost nothing.
// Its inputs are not to be used.
static amc_layer shrunk(const amc_cost_model *model, const int *counts, int l) {
    amc_layer layer = model->graph->layers[l];
    int full = layer.out_c;
    if (layer.flow != AMC_FLOW_MAKES) return layer;
    layer.c = evaluate(&model->in[l], counts);
    layer.out_c = evaluate(&model->out[l], counts);
    // Blocks go whole, so as many groups are left as blocks of outputs.
    if (layer.groups > 1) layer.groups = layer.out_c / (full / layer.groups);
    return layer;
}

int amc_cost_model_layer_in(const amc_cost_model *model, const int *counts, int layer) {
    return evaluate(&model->in[layer], counts);
}

int amc_cost_model_layer_out(const amc_cost_model *model, const int *counts, int layer) {
    return evaluate(&model->out[layer], counts);
}

static int64_t sum_layers(const amc_cost_model *model, const int *counts,
                          int64_t (*price)(const amc_layer *)) {
    int64_t sum = 0;
    for (int l = 0; l < model->graph->n; l++) {
        amc_layer layer = shrunk(model, counts, l);
        sum += price(&layer);
    }
    return sum;
}

int64_t amc_cost_model_macs(const amc_cost_model *model, const int *counts) {
    return sum_layers(model, counts, amc_cost_layer_macs);
}

int64_t amc_cost_model_params(const amc_cost_model *model, const int *counts) {
    return sum_layers(model, counts, amc_cost_layer_params);
}

int64_t amc_cost_model_layer_macs(const amc_cost_model *model, const int *counts, int layer) {
    amc_layer small = shrunk(model, counts, layer);
    return amc_cost_layer_macs(&small);
}

int64_t amc_cost_model_layer_params(const amc_cost_model *model, const int *counts, int layer) {
    amc_layer small = shrunk(model, counts, layer);
    return amc_cost_layer_params(&small);
}

static int gcd(int a, int b) {
    return b ? gcd(b, a % b) : a;
}

int amc_cost_model_step(const amc_cost_model *model, int g, int round) {
    const amc_channel_group *group = &model->groups->groups[g];
    int step = 1;
    for (int i = 0; i < group->n_layers; i++) {
        const linear *out = &model->out[group->layers[i]];
        for (int j = 0; j < out->n; j++) {
            if (out->groups[j] != g) continue;
            int need = round / gcd(round, out->each[j]); // units a multiple of `round` channels
            step = step / gcd(step, need) * need;
        }
    }
    return step < group->n_units ? step : group->n_units;
}

int amc_cost_model_round(const amc_cost_model *model, int g, double ratio, int round) {
    int units = model->groups->groups[g].n_units, step = amc_cost_model_step(model, g, round);
    double wish = ratio * units;
    int count = (int)lrint(wish / step) * step;
    if (count < step) count = step;
    return count < units && fabs(count - wish) <= units - wish ? count : units;
}
