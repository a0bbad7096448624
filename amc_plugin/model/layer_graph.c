#include "model/layer_graph.h"

#include "base/memory.h"
#include "model/dialect.h"
#include "model/layer_reader.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LAYERS (1 << 14) // in one network

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
    int steps = amc_cfg_text_count(cfg, 0, "steps");
    if (steps == 0 || steps != amc_cfg_text_count(cfg, 0, "scales"))
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
    if (amc_cfg_text_int(cfg, 0, "height", 0, 1, AMC_MOST_SIDE, &graph->h, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "width", 0, 1, AMC_MOST_SIDE, &graph->w, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "channels", 0, 1, AMC_MOST_SIDE, &graph->c, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "batch", 1, 1, AMC_MOST_SIDE, &batch, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "subdivisions", 1, 1, AMC_MOST_SIDE, &subdivisions, err) < 0 ||
        amc_cfg_text_int(cfg, 0, "time_steps", 1, 1, 1, &steps, err) < 0)
        return -1;
    if (!graph->h || !graph->w || !graph->c)
        return amc_error_set(err, "%s:%d: [net] has no height, width and channels", cfg->path,
                             amc_cfg_text_line(cfg, 0, NULL));
    if (batch % subdivisions)
        return amc_error_set(err, "%s:%d: batch=%d, expected a multiple of subdivisions=%d",
                             cfg->path, amc_cfg_text_line(cfg, 0, "batch"), batch, subdivisions);
    if ((int64_t)graph->c * graph->h * graph->w > AMC_MOST_FLOATS)
        return amc_error_set(err, "%s:%d: the input is larger than Darknet can address", cfg->path,
                             amc_cfg_text_line(cfg, 0, "width"));
    return check_inputs(graph, cfg, err) < 0 ? -1 : check_policy(cfg, err);
}

static int read_graph(amc_layer_graph *graph, const amc_cfg_text *cfg, amc_error *err) {
    // Recurrent ones first: their [net] is of another kind too, no image, but time steps.
    if (amc_layer_reader_refuse_recurrent(cfg, err) < 0 || amc_dialect_check(cfg, err) < 0 ||
        read_net(graph, cfg, err) < 0)
        return -1;
    int n = cfg->n_sections - 1;
    if (n < 1 || n > MAX_LAYERS)
        return amc_error_set(err, "%s: has %d layers, expected 1 to %d", cfg->path, n, MAX_LAYERS);
    graph->layers = amc_memory_alloc((size_t)n, sizeof *graph->layers);
    for (graph->n = 0; graph->n < n; graph->n++)
        if (amc_layer_reader_read(cfg, graph->n, graph, &graph->layers[graph->n], err) < 0) {
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

int amc_layer_graph_widest(const amc_layer_graph *graph) {
    int widest = 1;
    for (int i = 0; i < graph->n; i++) {
        int outputs = amc_layer_outputs(&graph->layers[i]);
        if (outputs > widest) widest = outputs;
    }
    return widest;
}

int amc_layer_graph_output(const amc_layer_graph *graph) {
    int i = graph->n - 1;
    while (i >= 0 && graph->layers[i].type == AMC_COST) i--;
    return i;
}

bool amc_layer_detects(amc_layer_type type) {
    return type == AMC_DETECTION || type == AMC_REGION || type == AMC_YOLO;
}

int64_t amc_layer_weight_count(const amc_layer *layer) {
    int64_t taps = (int64_t)layer->size * layer->size;
    switch (layer->type) {
    case AMC_CONVOLUTIONAL:
    case AMC_DECONVOLUTIONAL:
        return layer->out_c * (layer->c / layer->groups) * taps;
    case AMC_LOCAL:
        return (int64_t)layer->out_h * layer->out_w * layer->out_c * layer->c * taps;
    case AMC_CONNECTED:
        return (int64_t)layer->out_c * layer->c * layer->h * layer->w;
    default:
        return 0;
    }
}
