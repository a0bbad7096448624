#include "model/channel_groups.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// While building, every channel that a layer makes is a node of a union-find forest; a unit is one
// tree of it in the end.
typedef struct builder {
    const amc_layer_graph *graph;
    amc_channel_groups *groups;
    int n_nodes;
    int *parent; // (n_nodes) union-find
    int *fixed;  // (n_nodes) of a root: layer that fixes it, or one of the two below
} builder;

#define FREE (-3)     // not fixed
#define BY_IMAGE (-2) // tied to the image's channels

static int new_node(builder *b, int fixed) {
    int id = b->n_nodes++;
    b->parent = amc_memory_resize(b->parent, (size_t)b->n_nodes, sizeof *b->parent);
    b->fixed = amc_memory_resize(b->fixed, (size_t)b->n_nodes, sizeof *b->fixed);
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
    if (b->fixed[root] == FREE) b->fixed[root] = b->fixed[child];
}

static void fix(builder *b, int node, int layer) {
    int root = root_of(b, node);
    if (b->fixed[root] == FREE) b->fixed[root] = layer;
}

const int *amc_channel_groups_input(const amc_channel_groups *groups, const amc_layer_graph *graph,
                                    int layer, int which) {
    int from = graph->layers[layer].inputs[which];
    return from == AMC_NETWORK_INPUT ? groups->image_unit : groups->unit[from];
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
    for (int o = 0; o < layer->out_c; o++) out[o] = new_node(b, FREE);
    if (layer->groups > 1) merge_blocks(b, layer, in, out);
}

static void add_shortcut(builder *b, int l, const int *in, int *out) {
    const amc_layer *layer = &b->graph->layers[l];
    const int *from = amc_channel_groups_input(b->groups, b->graph, l, 1);
    int from_c = b->graph->layers[layer->inputs[1]].out_c;
    memcpy(out, in, (size_t)layer->out_c * sizeof *out);
    for (int c = 0; c < layer->out_c && c < from_c; c++) merge(b, out[c], from[c]);
}

static void add_route(builder *b, int l, int *out) {
    const amc_layer *layer = &b->graph->layers[l];
    for (int i = 0; i < layer->n_inputs; i++) {
        int c = b->graph->layers[layer->inputs[i]].out_c;
        memcpy(out, amc_channel_groups_input(b->groups, b->graph, l, i), (size_t)c * sizeof *out);
        out += c;
    }
}

static void add_layer(builder *b, int l) {
    const amc_layer *layer = &b->graph->layers[l];
    const int *in = amc_channel_groups_input(b->groups, b->graph, l, 0);
    int *out = b->groups->unit[l] = amc_memory_alloc((size_t)layer->out_c, sizeof *out);
    switch (layer->type) {
    case AMC_CONVOLUTIONAL:
    case AMC_CONNECTED:
        add_made(b, l, in, out);
        break;
    case AMC_SHORTCUT:
        add_shortcut(b, l, in, out);
        break;
    case AMC_ROUTE:
        add_route(b, l, out);
        break;
    case AMC_SOFTMAX:
    case AMC_COST:
        for (int c = 0; c < layer->c; c++) fix(b, in[c], l);
        /* fall through */
    default: // hands its input's channels on
        memcpy(out, in, (size_t)layer->out_c * sizeof *out);
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
    int n;      // pairs
    int *pairs; // (n, 2)
    int fixed;  // what fixes the unit, or FREE
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
    for (int i = 0; i < s->n; i++) n += amc_layer_has_weights(&graph->layers[s->pairs[2 * i]]);
    return n;
}

static bool same_signature(const signature *x, const signature *y) {
    return x->n == y->n && (x->fixed == FREE) == (y->fixed == FREE) &&
           memcmp(x->pairs, y->pairs, (size_t)x->n * 2 * sizeof(int)) == 0;
}

static char *explain(const builder *b, int fixed) {
    if (fixed == BY_IMAGE) return amc_memory_text("tied to the image's channels");
    if (fixed == b->graph->n) return amc_memory_text("the network's output");
    return amc_memory_text("read by layer %d (%s)", fixed,
                           amc_layer_type_name(b->graph->layers[fixed].type));
}

static int new_group(builder *b, const signature *s) {
    amc_channel_groups *groups = b->groups;
    groups->groups =
        amc_memory_resize(groups->groups, (size_t)groups->n + 1, sizeof *groups->groups);
    amc_channel_group *group = &groups->groups[groups->n];
    *group = (amc_channel_group){.prunable = s->fixed == FREE};
    group->layers = amc_memory_alloc((size_t)s->n, sizeof *group->layers);
    for (int i = 0; i < s->n; i++)
        if (amc_layer_has_weights(&b->graph->layers[s->pairs[2 * i]]))
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
        if (count_makers(b->graph, &signatures[u]) == 0) continue; // an image channel, untied
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

static void add_consumer(amc_channel_group *group, int layer) {
    if (group->n_consumers && group->consumers[group->n_consumers - 1] == layer) return;
    group->consumers =
        amc_memory_resize(group->consumers, (size_t)group->n_consumers + 1, sizeof(int));
    group->consumers[group->n_consumers++] = layer;
}

static void find_consumers(amc_channel_groups *groups, const amc_layer_graph *graph) {
    for (int l = 0; l < graph->n; l++) {
        if (!amc_layer_has_weights(&graph->layers[l])) continue;
        const int *in = amc_channel_groups_input(groups, graph, l, 0);
        for (int c = 0; c < graph->layers[l].c; c++)
            if (groups->group_of[in[c]] >= 0)
                add_consumer(&groups->groups[groups->group_of[in[c]]], l);
    }
}

static void keep_lone_units(amc_channel_groups *groups) {
    for (int g = 0; g < groups->n; g++) {
        amc_channel_group *group = &groups->groups[g];
        if (!group->prunable || group->n_units > 1) continue;
        group->prunable = false;
        group->why = amc_memory_text("a single channel or block");
    }
}

amc_channel_groups *amc_channel_groups_new(const amc_layer_graph *graph) {
    amc_channel_groups *groups = amc_memory_alloc(1, sizeof *groups);
    builder b = {.graph = graph, .groups = groups};
    groups->n_layers = graph->n;
    groups->unit = amc_memory_alloc((size_t)graph->n, sizeof *groups->unit);
    groups->image_unit = amc_memory_alloc((size_t)graph->c, sizeof *groups->image_unit);
    for (int c = 0; c < graph->c; c++) groups->image_unit[c] = new_node(&b, BY_IMAGE);
    for (int l = 0; l < graph->n; l++) add_layer(&b, l);
    int output = amc_layer_graph_output(graph);
    for (int c = 0; c < graph->layers[output].out_c; c++)
        fix(&b, groups->unit[output][c], graph->n);

    int *number = number_units(&b);
    signature *signatures = sign_units(&b, number);
    group_units(&b, signatures);
    find_consumers(groups, graph);
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

int amc_channel_groups_skip(amc_channel_groups *groups, const amc_layer_graph *graph, int layer,
                            amc_error *err) {
    if (layer < 0 || layer >= graph->n)
        return amc_error_set(err, "%s: there is no layer %d, expected 0 to %d", graph->path, layer,
                             graph->n - 1);
    if (!amc_layer_has_weights(&graph->layers[layer]))
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
