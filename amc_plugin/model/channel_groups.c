#include "model/channel_groups.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// While building, every channel that a layer makes is a node of a union-find forest; a unit is one
// tree of it in the end.
typedef enum cause { FREE, THE_IMAGE, THE_OUTPUT, READ_BY, MADE_BY } cause;

// Why a unit stays.
typedef struct fixed_by {
    cause cause;
    int layer; // of READ_BY and MADE_BY
} fixed_by;

typedef struct builder {
    const amc_layer_graph *graph;
    amc_channel_groups *groups;
    int n_nodes;     // so far; the arrays have room for as many as there are channels
    int *parent;     // (n_nodes) union-find
    fixed_by *fixed; // (n_nodes) of a root: what fixes it
} builder;

static int new_node(builder *b, fixed_by fixed) {
    int id = b->n_nodes++;
    b->parent[id] = id;
    b->fixed[id] = fixed;
    return id;
}

static int root_of(builder *b, int node) {
    while (b->parent[node] != node) node = b->parent[node] = b->parent[b->parent[node]];
    return node;
}

// The smaller id becomes the root, so that units are ordered by their first channel.
static void merge(builder *b, int x, int y) {
    x = root_of(b, x);
    y = root_of(b, y);
    if (x == y) return;
    int root = x < y ? x : y, child = x < y ? y : x;
    b->parent[child] = root;
    if (b->fixed[root].cause == FREE) b->fixed[root] = b->fixed[child];
}

static void fix(builder *b, int node, fixed_by fixed) {
    int root = root_of(b, node);
    if (b->fixed[root].cause == FREE) b->fixed[root] = fixed;
}

const int *amc_channel_groups_input(const amc_channel_groups *groups, const amc_layer_graph *graph,
                                    int layer, int which) {
    int from = graph->layers[layer].inputs[which];
    return from == AMC_NETWORK_INPUT ? groups->image_unit : groups->unit[from];
}

// How many channels input number `which` of layer l has.
static int count_inputs(const amc_layer_graph *graph, int l, int which) {
    int from = graph->layers[l].inputs[which];
    return from == AMC_NETWORK_INPUT ? graph->c : graph->layers[from].out_c;
}

// A convolution in g > 1 groups: block b's outputs read block b's inputs, and every block has the
// same size. Whole blocks go, inputs and outputs together; groups= is rewritten to those left.
static void merge_blocks(builder *b, const amc_layer *layer, const int *in, const int *out) {
    int in_block = layer->c / layer->groups, out_block = layer->out_c / layer->groups;
    for (int i = 0; i < layer->c; i++) merge(b, in[i], in[i / in_block * in_block]);
    for (int o = 0; o < layer->out_c; o++) merge(b, out[o], in[o / out_block * in_block]);
}

static void add_made(builder *b, int l, const int *in, int *out) {
    const amc_layer *layer = &b->graph->layers[l];
    for (int o = 0; o < layer->out_c; o++) out[o] = new_node(b, (fixed_by){FREE, 0});
    if (layer->groups > 1) merge_blocks(b, layer, in, out);
}

static void add_shortcut(builder *b, int l, const int *in, int *out) {
    const amc_layer *layer = &b->graph->layers[l];
    const int *from = amc_channel_groups_input(b->groups, b->graph, l, 1);
    int from_c = count_inputs(b->graph, l, 1);
    memcpy(out, in, (size_t)layer->out_c * sizeof *out);
    for (int c = 0; c < layer->out_c && c < from_c; c++) merge(b, out[c], from[c]);
}

static void add_route(builder *b, int l, int *out) {
    const amc_layer *layer = &b->graph->layers[l];
    for (int i = 0; i < layer->n_inputs; i++) {
        int c = count_inputs(b->graph, l, i);
        memcpy(out, amc_channel_groups_input(b->groups, b->graph, l, i), (size_t)c * sizeof *out);
        out += c;
    }
}

// Darknet's reorg_cpu takes its input for c / s^2 channels of s times the height and width: each is
// the memory of s^2 channels that follow each other. Output channel s^2 * (o * c / s^2 + b) + r has
// pixels of block b only.
static void add_spread(builder *b, int l, const int *in, int *out) {
    const amc_layer *layer = &b->graph->layers[l];
    int size = layer->stride * layer->stride, blocks = layer->c / size;
    for (int i = 0; i < layer->c; i++) merge(b, in[i], in[i / size * size]);
    for (int o = 0; o < layer->out_c; o++) out[o] = in[o / size % blocks * size];
}

// The reverse: output channel o has the pixels of input channels o, o + out_c, o + 2 * out_c, ...
static void add_gather(builder *b, int l, const int *in, int *out) {
    const amc_layer *layer = &b->graph->layers[l];
    for (int i = 0; i < layer->c; i++) merge(b, in[i], in[i % layer->out_c]);
    memcpy(out, in, (size_t)layer->out_c * sizeof *out);
}

static void add_boundary(builder *b, int l, int *out) {
    const amc_layer *layer = &b->graph->layers[l];
    for (int i = 0; i < layer->n_inputs; i++) {
        const int *in = amc_channel_groups_input(b->groups, b->graph, l, i);
        int c = count_inputs(b->graph, l, i);
        for (int j = 0; j < c; j++) fix(b, in[j], (fixed_by){READ_BY, l});
    }
    for (int o = 0; o < layer->out_c; o++) out[o] = new_node(b, (fixed_by){MADE_BY, l});
}

static void add_layer(builder *b, int l) {
    const amc_layer *layer = &b->graph->layers[l];
    const int *in = amc_channel_groups_input(b->groups, b->graph, l, 0);
    int *out = b->groups->unit[l] = amc_memory_alloc((size_t)layer->out_c, sizeof *out);
    switch (layer->flow) {
    case AMC_FLOW_MAKES:
        add_made(b, l, in, out);
        break;
    case AMC_FLOW_PASSES:
        memcpy(out, in, (size_t)layer->out_c * sizeof *out);
        break;
    case AMC_FLOW_ADDS:
        add_shortcut(b, l, in, out);
        break;
    case AMC_FLOW_JOINS:
        add_route(b, l, out);
        break;
    case AMC_FLOW_SPREADS:
        add_spread(b, l, in, out);
        break;
    case AMC_FLOW_GATHERS:
        add_gather(b, l, in, out);
        break;
    case AMC_FLOW_NEEDS:
        add_boundary(b, l, out);
    }
}

// Replaces node ids by unit numbers 0, 1, ... in order of first channel.
static int *number_units(builder *b) {
    int *number = amc_memory_alloc((size_t)b->n_nodes, sizeof *number);
    int n = 0;
    for (int i = 0; i < b->n_nodes; i++)
        if (root_of(b, i) == i) number[i] = n++;
    for (int i = 0; i < b->n_nodes; i++) number[i] = number[root_of(b, i)];
    b->groups->n_units = n;
    for (int c = 0; c < b->graph->c; c++)
        b->groups->image_unit[c] = number[b->groups->image_unit[c]];
    for (int l = 0; l < b->graph->n; l++)
        for (int c = 0; c < b->graph->layers[l].out_c; c++)
            b->groups->unit[l][c] = number[b->groups->unit[l][c]];
    return number;
}

// Where a unit stands: pairs (layer, channels of its output) in network order. Units of equal
// signature are interchangeable in cost.
typedef struct signature {
    int n;          // pairs
    int *pairs;     // (n, 2)
    fixed_by fixed; // what fixes the unit
} signature;

static void count_channel(signature *s, int layer) {
    if (s->n && s->pairs[2 * s->n - 2] == layer) {
        s->pairs[2 * s->n - 1]++;
        return;
    }
    s->pairs = amc_memory_resize(s->pairs, (size_t)s->n + 1, 2 * sizeof(int));
    s->pairs[2 * s->n] = layer;
    s->pairs[2 * s->n + 1] = 1;
    s->n++;
}

static signature *sign_units(builder *b, const int *number) {
    signature *signatures = amc_memory_alloc((size_t)b->groups->n_units, sizeof *signatures);
    for (int i = 0; i < b->n_nodes; i++)
        if (root_of(b, i) == i) signatures[number[i]].fixed = b->fixed[i];
    for (int l = 0; l < b->graph->n; l++)
        for (int c = 0; c < b->graph->layers[l].out_c; c++)
            count_channel(&signatures[b->groups->unit[l][c]], l);
    return signatures;
}

static int count_makers(const amc_layer_graph *graph, const signature *s) {
    int n = 0;
    for (int i = 0; i < s->n; i++) n += graph->layers[s->pairs[2 * i]].flow == AMC_FLOW_MAKES;
    return n;
}

static bool same_signature(const signature *x, const signature *y) {
    return x->n == y->n && (x->fixed.cause == FREE) == (y->fixed.cause == FREE) &&
           memcmp(x->pairs, y->pairs, (size_t)x->n * 2 * sizeof(int)) == 0;
}

static char *explain(const builder *b, fixed_by fixed) {
    if (fixed.cause == THE_IMAGE) return amc_memory_text("tied to the image's channels");
    if (fixed.cause == THE_OUTPUT) return amc_memory_text("the network's output");
    return amc_memory_text("%s layer %d (%s)",
                           fixed.cause == READ_BY ? "read by" : "tied to the channels of",
                           fixed.layer, amc_layer_type_name(b->graph->layers[fixed.layer].type));
}

static int new_group(builder *b, const signature *s) {
    amc_channel_groups *groups = b->groups;
    groups->groups =
        amc_memory_resize(groups->groups, (size_t)groups->n + 1, sizeof *groups->groups);
    amc_channel_group *group = &groups->groups[groups->n];
    *group = (amc_channel_group){.prunable = s->fixed.cause == FREE};
    group->layers = amc_memory_alloc((size_t)s->n, sizeof *group->layers);
    for (int i = 0; i < s->n; i++)
        if (b->graph->layers[s->pairs[2 * i]].flow == AMC_FLOW_MAKES)
            group->layers[group->n_layers++] = s->pairs[2 * i];
    if (!group->prunable) group->why = explain(b, s->fixed);
    return groups->n++;
}

// Units are ordered by first channel, so groups come out ordered by first layer.
static void group_units(builder *b, const signature *signatures) {
    amc_channel_groups *groups = b->groups;
    int *sample = amc_memory_alloc((size_t)groups->n_units, sizeof *sample); // a unit of each group
    groups->group_of = amc_memory_alloc((size_t)groups->n_units, sizeof *groups->group_of);
    for (int u = 0; u < groups->n_units; u++) {
        int g = 0;
        groups->group_of[u] = -1;
        if (count_makers(b->graph, &signatures[u]) == 0) continue; // made by no filter
        // Backwards: the units of one group mostly follow each other.
        for (g = groups->n - 1; g >= 0; g--)
            if (same_signature(&signatures[u], &signatures[sample[g]])) break;
        if (g < 0) sample[g = new_group(b, &signatures[u])] = u;
        amc_channel_group *group = &groups->groups[g];
        group->units = amc_memory_resize(group->units, (size_t)group->n_units + 1, sizeof(int));
        group->units[group->n_units++] = u;
        groups->group_of[u] = g;
    }
    free(sample);
}

static void add_once(int **layers, int *n, int layer) {
    if (*n && (*layers)[*n - 1] == layer) return;
    *layers = amc_memory_resize(*layers, (size_t)*n + 1, sizeof **layers);
    (*layers)[(*n)++] = layer;
}

// Enters layer l as a reader of the groups that its input number `which` carries.
static void find_read(amc_channel_groups *groups, const amc_layer_graph *graph, int l, int which) {
    const amc_layer *layer = &graph->layers[l];
    const int *in = amc_channel_groups_input(groups, graph, l, which);
    int n = count_inputs(graph, l, which);
    bool consumes = layer->flow == AMC_FLOW_MAKES || layer->flow == AMC_FLOW_NEEDS;
    for (int c = 0; c < n; c++) {
        int g = groups->group_of[in[c]];
        if (g < 0) continue;
        amc_channel_group *group = &groups->groups[g];
        if (consumes)
            add_once(&group->consumers, &group->n_consumers, l);
        else
            add_once(&group->followers, &group->n_followers, l);
    }
}

static void find_readers(amc_channel_groups *groups, const amc_layer_graph *graph) {
    for (int l = 0; l < graph->n; l++)
        for (int i = 0; i < graph->layers[l].n_inputs; i++) find_read(groups, graph, l, i);
}

static void keep_lone_units(amc_channel_groups *groups) {
    for (int g = 0; g < groups->n; g++) {
        amc_channel_group *group = &groups->groups[g];
        if (!group->prunable || group->n_units > 1) continue;
        group->prunable = false;
        group->why = amc_memory_text("a single channel or block");
    }
}

static size_t count_channels(const amc_layer_graph *graph) {
    size_t n = (size_t)graph->c;
    for (int l = 0; l < graph->n; l++) n += (size_t)graph->layers[l].out_c;
    return n;
}

amc_channel_groups *amc_channel_groups_new(const amc_layer_graph *graph) {
    amc_channel_groups *groups = amc_memory_alloc(1, sizeof *groups);
    builder b = {.graph = graph, .groups = groups};
    b.parent = amc_memory_alloc(count_channels(graph), sizeof *b.parent);
    b.fixed = amc_memory_alloc(count_channels(graph), sizeof *b.fixed);
    groups->n_layers = graph->n;
    groups->unit = amc_memory_alloc((size_t)graph->n, sizeof *groups->unit);
    groups->image_unit = amc_memory_alloc((size_t)graph->c, sizeof *groups->image_unit);
    for (int c = 0; c < graph->c; c++)
        groups->image_unit[c] = new_node(&b, (fixed_by){THE_IMAGE, 0});
    for (int l = 0; l < graph->n; l++) add_layer(&b, l);
    int output = amc_layer_graph_output(graph);
    for (int c = 0; c < graph->layers[output].out_c; c++)
        fix(&b, groups->unit[output][c], (fixed_by){THE_OUTPUT, 0});

    int *number = number_units(&b);
    signature *signatures = sign_units(&b, number);
    group_units(&b, signatures);
    find_readers(groups, graph);
    keep_lone_units(groups);

    for (int u = 0; u < groups->n_units; u++) free(signatures[u].pairs);
    free(signatures);
    free(number);
    free(b.parent);
    free(b.fixed);
    return groups;
}

void amc_channel_groups_free(amc_channel_groups *groups) {
    if (!groups) return;
    for (int g = 0; g < groups->n; g++) {
        free(groups->groups[g].units);
        free(groups->groups[g].layers);
        free(groups->groups[g].followers);
        free(groups->groups[g].consumers);
        free(groups->groups[g].why);
    }
    for (int l = 0; l < groups->n_layers; l++) free(groups->unit[l]);
    free(groups->unit);
    free(groups->image_unit);
    free(groups->group_of);
    free(groups->groups);
    free(groups);
}

int amc_channel_groups_each(const amc_channel_groups *groups, const amc_layer_graph *graph, int g,
                            int layer) {
    int channels = 0;
    for (int c = 0; c < graph->layers[layer].out_c; c++)
        channels += groups->group_of[groups->unit[layer][c]] == g;
    return channels / groups->groups[g].n_units;
}

int amc_channel_groups_skip(amc_channel_groups *groups, const amc_layer_graph *graph, int layer,
                            amc_error *err) {
    if (layer < 0 || layer >= graph->n)
        return amc_error_set(err, "%s: there is no layer %d, expected 0 to %d", graph->path, layer,
                             graph->n - 1);
    if (graph->layers[layer].flow != AMC_FLOW_MAKES)
        return amc_error_set(err, "%s:%d: layer %d (%s) has no filters to keep", graph->path,
                             graph->layers[layer].line, layer,
                             amc_layer_type_name(graph->layers[layer].type));
    for (int c = 0; c < graph->layers[layer].out_c; c++) {
        amc_channel_group *group = &groups->groups[groups->group_of[groups->unit[layer][c]]];
        if (!group->prunable) continue;
        group->prunable = false;
        group->why = amc_memory_text("skipped by request (layer %d)", layer);
    }
    return 0;
}
