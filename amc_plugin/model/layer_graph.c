#include "model/layer_graph.h"

#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIDE (1 << 16)       // of an image or a channel count
#define MAX_FILTER (1 << 10)     // height and width of a filter or window
#define MAX_LAYERS (1 << 14)     // in one network
#define MAX_FLOATS (INT_MAX / 4) // in one array: Darknet counts bytes of some of them in an int

// What reads a layer's section; everything it needs to say where and why it fails.
typedef struct reader {
    const amc_cfg_text *cfg;
    int section;
    int index; // of the layer
    const amc_layer_graph *graph;
    amc_error *err;
} reader;

typedef struct layer_kind {
    const char *name;  // in messages and the .cfg
    const char *alias; // Darknet's short name; NULL if none
    int (*read)(const reader *r, amc_layer *layer);
} layer_kind;

static int fail(const reader *r, const char *key, const char *what) {
    return amc_error_set(r->err, "%s:%d: [%s] %s", r->cfg->path,
                         amc_cfg_text_line(r->cfg, r->section, key),
                         r->cfg->sections[r->section].type, what);
}

static int read_int(const reader *r, const char *key, int missing, int low, int high, int *value) {
    return amc_cfg_text_int(r->cfg, r->section, key, missing, low, high, value, r->err);
}

static int read_flag(const reader *r, const char *key, bool *value) {
    int number;
    if (read_int(r, key, 0, 0, 1, &number) < 0) return -1;
    *value = number != 0;
    return 0;
}

// Darknet turns an activation it doesn't know into relu without a word.
static int check_activation(const reader *r) {
    static const char *known[] = {"logistic", "relu",    "relie", "linear", "ramp",
                                  "tanh",     "plse",    "leaky", "elu",    "loggy",
                                  "stair",    "hardtan", "lhtan", "selu"};
    const char *name = amc_cfg_text_get(r->cfg, r->section, "activation");
    if (!name) return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return 0;
    return amc_error_set(r->err,
                         "%s:%d: activation=%s, expected one that Darknet has (relu, leaky, "
                         "linear, logistic, ...)",
                         r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "activation"), name);
}

// Options that change which weights a file holds, or what they mean.
static int refuse_odd_weights(const reader *r) {
    static const char *odd[] = {"dontload", "dontsave", "dontloadscales", "numload", "flipped",
                                "binary",   "xnor"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        int value;
        if (read_int(r, odd[i], 0, INT_MIN, INT_MAX, &value) < 0) return -1;
        if (value)
            return amc_error_set(r->err,
                                 "%s:%d: %s=%d is not supported, expected a layer whose "
                                 "weights are stored plainly",
                                 r->cfg->path, amc_cfg_text_line(r->cfg, r->section, odd[i]),
                                 odd[i], value);
    }
    return 0;
}

// Follows the layer before; its output becomes this layer's input.
static int read_previous(const reader *r, amc_layer *layer) {
    layer->n_inputs = 1;
    layer->inputs = amc_memory_alloc(1, sizeof *layer->inputs);
    layer->inputs[0] = r->index - 1; // the layer before the first is AMC_NETWORK_INPUT
    const amc_layer *before = r->index ? &r->graph->layers[r->index - 1] : NULL;
    layer->c = before ? before->out_c : r->graph->c;
    layer->h = before ? before->out_h : r->graph->h;
    layer->w = before ? before->out_w : r->graph->w;
    layer->groups = 1;
    return 0;
}

static void same_shape(amc_layer *layer) {
    layer->out_c = layer->c;
    layer->out_h = layer->h;
    layer->out_w = layer->w;
}

static int read_convolutional(const reader *r, amc_layer *layer) {
    int pad;
    if (read_previous(r, layer) < 0 || check_activation(r) < 0 || refuse_odd_weights(r) < 0 ||
        read_int(r, "filters", 1, 1, MAX_SIDE, &layer->out_c) < 0 ||
        read_int(r, "size", 1, 1, MAX_FILTER, &layer->size) < 0 ||
        read_int(r, "stride", 1, 1, MAX_FILTER, &layer->stride) < 0 ||
        read_int(r, "groups", 1, 1, MAX_SIDE, &layer->groups) < 0 ||
        read_int(r, "padding", 0, 0, MAX_SIDE, &layer->pad) < 0 ||
        read_int(r, "pad", 0, INT_MIN, INT_MAX, &pad) < 0 ||
        read_flag(r, "batch_normalize", &layer->batch_normalize) < 0)
        return -1;
    if (pad) layer->pad = layer->size / 2;
    if (layer->c % layer->groups || layer->out_c % layer->groups)
        return amc_error_set(r->err,
                             "%s:%d: groups=%d, expected a divisor of its %d input channels "
                             "and its %d filters",
                             r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "groups"),
                             layer->groups, layer->c, layer->out_c);
    if (layer->h + 2 * layer->pad < layer->size || layer->w + 2 * layer->pad < layer->size)
        return fail(r, "size", "has a filter larger than its padded input");
    layer->out_h = (layer->h + 2 * layer->pad - layer->size) / layer->stride + 1;
    layer->out_w = (layer->w + 2 * layer->pad - layer->size) / layer->stride + 1;
    return 0;
}

static int read_connected(const reader *r, amc_layer *layer) {
    if (read_previous(r, layer) < 0 || check_activation(r) < 0 || refuse_odd_weights(r) < 0 ||
        read_int(r, "output", 1, 1, MAX_SIDE, &layer->out_c) < 0 ||
        read_flag(r, "batch_normalize", &layer->batch_normalize) < 0)
        return -1;
    layer->out_h = layer->out_w = 1;
    return 0;
}

static int read_maxpool(const reader *r, amc_layer *layer) {
    if (read_previous(r, layer) < 0 ||
        read_int(r, "stride", 1, 1, MAX_FILTER, &layer->stride) < 0 ||
        read_int(r, "size", layer->stride, 1, MAX_FILTER, &layer->size) < 0 ||
        read_int(r, "padding", layer->size - 1, 0, MAX_SIDE, &layer->pad) < 0)
        return -1;
    if (layer->h + layer->pad < layer->size || layer->w + layer->pad < layer->size)
        return fail(r, "size", "has a window larger than its padded input");
    layer->out_c = layer->c;
    layer->out_h = (layer->h + layer->pad - layer->size) / layer->stride + 1;
    layer->out_w = (layer->w + layer->pad - layer->size) / layer->stride + 1;
    return 0;
}

static int read_avgpool(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    layer->out_c = layer->c;
    layer->out_h = layer->out_w = 1;
    return 0;
}

static int read_dropout(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    same_shape(layer);
    if (r->index == 0) return fail(r, NULL, "is the first layer, expected a layer before it");
    return 0;
}

static int read_softmax(const reader *r, amc_layer *layer) {
    int groups;
    read_previous(r, layer);
    same_shape(layer);
    if (amc_cfg_text_get(r->cfg, r->section, "tree"))
        return fail(r, "tree", "has a tree of classes, which is not supported");
    if (read_int(r, "groups", 1, 1, MAX_SIDE, &groups) < 0) return -1;
    if ((int64_t)layer->c * layer->h * layer->w % groups)
        return fail(r, "groups", "has groups= that do not divide its inputs");
    return 0;
}

static int read_cost(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    same_shape(layer);
    return 0;
}

// "-1" or "7" -> the index of an earlier layer. Darknet reads past its arrays for others.
static int resolve(const reader *r, const char *key, const char *text, int *index) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (number < 0) number += r->index;
    if (end == text || (*end && *end != ',') || errno || number < 0 || number >= r->index)
        return amc_error_set(r->err,
                             "%s:%d: %s=%s names no earlier layer, expected 0 to %d or -%d "
                             "to -1",
                             r->cfg->path, amc_cfg_text_line(r->cfg, r->section, key), key,
                             amc_cfg_text_get(r->cfg, r->section, key), r->index - 1, r->index);
    amc_layer_type type = r->graph->layers[number].type;
    if (type == AMC_SOFTMAX || type == AMC_COST) return fail(r, key, "reads a layer without image");
    *index = (int)number;
    return 0;
}

static int read_shortcut(const reader *r, amc_layer *layer) {
    const char *from = amc_cfg_text_get(r->cfg, r->section, "from");
    read_previous(r, layer);
    same_shape(layer);
    layer->inputs = amc_memory_resize(layer->inputs, 2, sizeof *layer->inputs);
    layer->n_inputs = 2;
    layer->inputs[1] = layer->inputs[0];
    if (!from) return fail(r, NULL, "has no from=, expected the layer it adds");
    if (check_activation(r) < 0 || resolve(r, "from", from, &layer->inputs[1]) < 0) return -1;
    const amc_layer *other = &r->graph->layers[layer->inputs[1]];
    // Darknet takes every so manieth pixel, the same in both directions: it asserts that.
    if (layer->w / other->out_w != layer->h / other->out_h ||
        other->out_w / layer->w != other->out_h / layer->h)
        return amc_error_set(r->err,
                             "%s:%d: [shortcut] adds %dx%d to %dx%d, expected the same ratio "
                             "of widths as of heights",
                             r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "from"),
                             other->out_w, other->out_h, layer->w, layer->h);
    return 0;
}

static int read_route(const reader *r, amc_layer *layer) {
    const char *list = amc_cfg_text_get(r->cfg, r->section, "layers");
    layer->groups = 1;
    if (!list) return fail(r, NULL, "has no layers=, expected the layers it joins");
    for (const char *item = list; item; item = strchr(item, ',')) {
        if (*item == ',') item++;
        layer->inputs = amc_memory_resize(layer->inputs, (size_t)layer->n_inputs + 1, sizeof(int));
        if (resolve(r, "layers", item, &layer->inputs[layer->n_inputs]) < 0) return -1;
        const amc_layer *from = &r->graph->layers[layer->inputs[layer->n_inputs++]];
        if (layer->n_inputs == 1) {
            layer->c = from->out_c;
            layer->h = from->out_h;
            layer->w = from->out_w;
            same_shape(layer);
        } else if (from->out_h != layer->h || from->out_w != layer->w) {
            return fail(r, "layers", "joins layers of different height or width");
        } else if (from->out_c > MAX_FLOATS - layer->out_c) {
            return fail(r, "layers", "is larger than Darknet can address");
        } else {
            layer->out_c += from->out_c;
        }
    }
    return 0;
}

static const layer_kind kinds[AMC_LAYER_TYPES] = {
    [AMC_CONVOLUTIONAL] = {"convolutional", "conv", read_convolutional},
    [AMC_CONNECTED] = {"connected", "conn", read_connected},
    [AMC_MAXPOOL] = {"maxpool", "max", read_maxpool},
    [AMC_AVGPOOL] = {"avgpool", "avg", read_avgpool},
    [AMC_DROPOUT] = {"dropout", NULL, read_dropout},
    [AMC_SOFTMAX] = {"softmax", "soft", read_softmax},
    [AMC_COST] = {"cost", NULL, read_cost},
    [AMC_SHORTCUT] = {"shortcut", NULL, read_shortcut},
    [AMC_ROUTE] = {"route", NULL, read_route},
};

static int find_kind(const reader *r) {
    const char *type = r->cfg->sections[r->section].type;
    for (int i = 0; i < AMC_LAYER_TYPES; i++)
        if (strcmp(type, kinds[i].name) == 0 || (kinds[i].alias && !strcmp(type, kinds[i].alias)))
            return i;
    return fail(r, NULL,
                "is not a layer that can be pruned around, expected convolutional, "
                "connected, maxpool, avgpool, dropout, softmax, cost, shortcut or route");
}

// Sizes that overflow Darknet's ints further on; in double, since they overflow int64_t too.
static int check_size(const reader *r, const amc_layer *layer) {
    double outputs = (double)layer->out_c * layer->out_h * layer->out_w, filter = 0; // its inputs
    if (layer->type == AMC_CONNECTED) filter = (double)layer->c * layer->h * layer->w;
    if (layer->type == AMC_CONVOLUTIONAL) filter = (double)layer->c * layer->size * layer->size;
    if (outputs > MAX_FLOATS || filter * layer->out_h * layer->out_w > MAX_FLOATS ||
        filter * layer->out_c / layer->groups > MAX_FLOATS)
        return fail(r, NULL, "is larger than Darknet can address");
    return 0;
}

static int read_layer(amc_layer_graph *graph, const amc_cfg_text *cfg, int index, amc_error *err) {
    reader r = {.cfg = cfg, .section = index + 1, .index = index, .graph = graph, .err = err};
    amc_layer *layer = &graph->layers[index];
    layer->line = amc_cfg_text_line(cfg, r.section, NULL);
    int kind = find_kind(&r);
    if (kind < 0) return -1;
    layer->type = (amc_layer_type)kind;
    amc_layer_type before = index ? graph->layers[index - 1].type : AMC_CONVOLUTIONAL;
    if (before == AMC_COST) return fail(&r, NULL, "follows a [cost] layer, which must be the last");
    if (before == AMC_SOFTMAX && kind != AMC_COST)
        return fail(&r, NULL, "follows a [softmax] layer, expected [cost] or nothing after it");
    return kinds[kind].read(&r, layer) < 0 || check_size(&r, layer) < 0 ? -1 : 0;
}

static int count_items(const char *list) {
    int n = 1;
    for (; *list; list++) n += *list == ',';
    return n;
}

// The learning-rate policy: Darknet silently takes "constant" for one it doesn't know, and reads
// past the end of scales=.
static int check_policy(const amc_cfg_text *cfg, amc_error *err) {
    static const char *known[] = {"random", "poly", "constant", "step", "exp", "sigmoid", "steps"};
    const char *policy = amc_cfg_text_get(cfg, 0, "policy");
    if (!policy) return 0;
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        found = found || strcmp(policy, known[i]) == 0;
    int line = amc_cfg_text_line(cfg, 0, "policy");
    if (!found)
        return amc_error_set(err,
                             "%s:%d: policy=%s, expected constant, poly, step, steps, exp, "
                             "sigmoid or random",
                             cfg->path, line, policy);
    if (strcmp(policy, "steps") != 0) return 0;
    const char *steps = amc_cfg_text_get(cfg, 0, "steps");
    const char *scales = amc_cfg_text_get(cfg, 0, "scales");
    if (!steps || !scales || count_items(steps) != count_items(scales))
        return amc_error_set(
            err, "%s:%d: policy=steps, expected as many steps= as scales=", cfg->path, line);
    return 0;
}

// Darknet's first connected layer would read inputs= floats, whatever the image is.
static int check_inputs(const amc_layer_graph *graph, const amc_cfg_text *cfg, amc_error *err) {
    int image = graph->c * graph->h * graph->w, inputs;
    if (amc_cfg_text_int(cfg, 0, "inputs", image, 1, INT_MAX, &inputs, err) < 0) return -1;
    if (inputs == image) return 0;
    return amc_error_set(err, "%s:%d: inputs=%d, expected height*width*channels, which is %d",
                         cfg->path, amc_cfg_text_line(cfg, 0, "inputs"), inputs, image);
}

static int read_net(amc_layer_graph *graph, const amc_cfg_text *cfg, amc_error *err) {
    int batch, subdivisions, steps;
    if (amc_cfg_text_int(cfg, 0, "height", 0, 1, MAX_SIDE, &graph->h, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "width", 0, 1, MAX_SIDE, &graph->w, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "channels", 0, 1, MAX_SIDE, &graph->c, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "batch", 1, 1, MAX_SIDE, &batch, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "subdivisions", 1, 1, MAX_SIDE, &subdivisions, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "time_steps", 1, 1, 1, &steps, err) < 0)
        return -1;
    if (!graph->h || !graph->w || !graph->c)
        return amc_error_set(err, "%s:%d: [net] has no height, width and channels", cfg->path,
                             amc_cfg_text_line(cfg, 0, NULL));
    if (batch % subdivisions)
        return amc_error_set(err, "%s:%d: batch=%d, expected a multiple of subdivisions=%d",
                             cfg->path, amc_cfg_text_line(cfg, 0, "batch"), batch, subdivisions);
    if ((int64_t)graph->c * graph->h * graph->w > MAX_FLOATS)
        return amc_error_set(err, "%s:%d: the input is larger than Darknet can address", cfg->path,
                             amc_cfg_text_line(cfg, 0, "width"));
    return check_inputs(graph, cfg, err) < 0 ? -1 : check_policy(cfg, err);
}

// First of all, since their [net] is of another kind too: no image, but time steps.
static int refuse_recurrent(const amc_cfg_text *cfg, amc_error *err) {
    static const char *recurrent[] = {"rnn", "gru", "lstm", "crnn"};
    reader r = {.cfg = cfg, .err = err};
    for (r.section = 0; r.section < cfg->n_sections; r.section++)
        for (size_t i = 0; i < sizeof recurrent / sizeof *recurrent; i++)
            if (strcmp(cfg->sections[r.section].type, recurrent[i]) == 0)
                return fail(&r, NULL,
                            "is a recurrent layer, expected a network without recurrence");
    return 0;
}

static int read_graph(amc_layer_graph *graph, const amc_cfg_text *cfg, amc_error *err) {
    if (refuse_recurrent(cfg, err) < 0 || read_net(graph, cfg, err) < 0) return -1;
    int n = cfg->n_sections - 1;
    if (n < 1 || n > MAX_LAYERS)
        return amc_error_set(err, "%s: has %d layers, expected 1 to %d", cfg->path, n, MAX_LAYERS);
    graph->layers = amc_memory_alloc((size_t)n, sizeof *graph->layers);
    for (graph->n = 0; graph->n < n; graph->n++)
        if (read_layer(graph, cfg, graph->n, err) < 0) {
            graph->n++; // so that freeing reaches what this layer holds
            return -1;
        }
    if (amc_layer_graph_output(graph) < 0)
        return amc_error_set(err, "%s: has only a [cost] layer, expected a network", cfg->path);
    return 0;
}

amc_layer_graph *amc_layer_graph_new(const amc_cfg_text *cfg, amc_error *err) {
    amc_layer_graph *graph = amc_memory_alloc(1, sizeof *graph);
    graph->path = amc_memory_text("%s", cfg->path);
    if (read_graph(graph, cfg, err) == 0) return graph;
    amc_layer_graph_free(graph);
    return NULL;
}

amc_layer_graph *amc_layer_graph_copy(const amc_layer_graph *graph) {
    amc_layer_graph *copy = amc_memory_copy(graph, 1, sizeof *graph);
    copy->path = amc_memory_text("%s", graph->path);
    copy->layers = amc_memory_copy(graph->layers, (size_t)graph->n, sizeof *graph->layers);
    for (int i = 0; i < graph->n; i++)
        copy->layers[i].inputs = amc_memory_copy(graph->layers[i].inputs,
                                                 (size_t)graph->layers[i].n_inputs, sizeof(int));
    return copy;
}

void amc_layer_graph_free(amc_layer_graph *graph) {
    if (!graph) return;
    for (int i = 0; i < graph->n; i++) free(graph->layers[i].inputs);
    free(graph->layers);
    free(graph->path);
    free(graph);
}

const char *amc_layer_type_name(amc_layer_type type) {
    return kinds[type].name;
}

bool amc_layer_has_weights(const amc_layer *layer) {
    return layer->type == AMC_CONVOLUTIONAL || layer->type == AMC_CONNECTED;
}

int amc_layer_graph_output(const amc_layer_graph *graph) {
    int i = graph->n - 1;
    while (i >= 0 && graph->layers[i].type == AMC_COST) i--;
    return i;
}

int64_t amc_layer_weight_count(const amc_layer *layer) {
    if (layer->type == AMC_CONVOLUTIONAL)
        return (int64_t)layer->out_c * (layer->c / layer->groups) * layer->size * layer->size;
    if (layer->type == AMC_CONNECTED) return (int64_t)layer->out_c * layer->c * layer->h * layer->w;
    return 0;
}
