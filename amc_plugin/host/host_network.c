#include "host/host_network.h"

#include "base/files.h"
#include "base/memory.h"
#include "host/gpu.h"
#include "host/gpu_network.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

// ---- parsing ----

// Darknet prints a table of the layers. Returns what restore_stderr needs.
static int silence_stderr(void) {
    int kept = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (kept >= 0 && null >= 0) dup2(null, STDERR_FILENO);
    if (null >= 0) close(null);
    return kept;
}

static void restore_stderr(int kept) {
    if (kept < 0) return;
    dup2(kept, STDERR_FILENO);
    close(kept);
}

// Darknet would read the files that they name, and trust every number there.
static int refuse_trees(const amc_cfg_text *cfg, amc_error *err) {
    static const char *const keys[] = {"tree", "map"};
    for (int section = 1; section < cfg->n_sections; section++)
        for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
            if (amc_cfg_text_get(cfg, section, keys[i]))
                return amc_error_set(err,
                                     "%s:%d: [%s] has a %s of classes, with which networks can be "
                                     "pruned but not run here",
                                     cfg->path, amc_cfg_text_line(cfg, section, keys[i]),
                                     cfg->sections[section].type, keys[i]);
    return 0;
}

// Darknet allocates activations for the whole training batch. The .cfg with another batch, in a
// file in memory; -1 with err set.
static int cfg_of_batch(const char *path, int batch, amc_error *err) {
    amc_cfg_text *cfg = amc_cfg_text_load(path, err);
    if (!cfg || refuse_trees(cfg, err) < 0) {
        amc_cfg_text_free(cfg);
        return -1;
    }
    amc_cfg_text_set_int(cfg, 0, "batch", batch);
    amc_cfg_text_set_int(cfg, 0, "subdivisions", 1);
    char *text = amc_cfg_text_print(cfg);
    int file = memfd_create("cfg", MFD_CLOEXEC);
    size_t length = strlen(text);
    if (file < 0) amc_error_set(err, "%s: can't be copied for Darknet: %s", path, strerror(errno));
    if (file >= 0 && amc_files_put(file, path, text, length, err) < 0) {
        close(file);
        file = -1;
    }
    free(text);
    amc_cfg_text_free(cfg);
    return file;
}

static network *parse(const char *path, int batch, amc_error *err) {
    if (amc_gpu_start(err) < 0) return NULL;
    int file = cfg_of_batch(path, batch, err);
    if (file < 0) return NULL;
    char *name = amc_memory_text("/proc/self/fd/%d", file);
    if (access(name, R_OK) < 0) { // Darknet would end the process, and nobody would hear why
        amc_error_set(err, "%s: can't be opened, expected /proc to be mounted", name);
        free(name);
        close(file);
        return NULL;
    }
    int kept = silence_stderr();
    network *net = parse_network_cfg(name);
    restore_stderr(kept);
    free(name);
    close(file);
    return net;
}

static int compare_with_graph(const network *net, const amc_layer_graph *graph, amc_error *err) {
    if (net->n != graph->n)
        return amc_error_set(err, "%s: Darknet finds %d layers, expected %d", graph->path, net->n,
                             graph->n);
    for (int i = 0; i < net->n; i++) {
        const amc_layer *layer = &graph->layers[i];
        if (net->layers[i].outputs != amc_layer_outputs(layer))
            return amc_error_set(err, "%s:%d: Darknet gives the layer %d outputs, expected %d",
                                 graph->path, layer->line, net->layers[i].outputs,
                                 amc_layer_outputs(layer));
    }
    return 0;
}

// ---- one for inference ----

static void release(float **array) {
    free(*array);
    *array = NULL;
}

// Frees what only training needs, and the random weights that apply replaces by borrowed ones.
static void release_unused(layer *l) {
    if (l->type == DROPOUT) l->delta = NULL;                      // not its own: the layer's before
    if (l->type != YOLO && l->type != REGION) release(&l->delta); // which those clear all the same
    if (l->type != L2NORM) release(&l->scales);                   // where that notes its gradient
    float **arrays[] = {&l->weights,
                        &l->biases,
                        &l->rolling_mean,
                        &l->weight_updates,
                        &l->bias_updates,
                        &l->scale_updates,
                        &l->mean,
                        &l->variance,
                        &l->mean_delta,
                        &l->variance_delta,
                        &l->x,
                        &l->x_norm,
                        &l->loss,
                        &l->rand,
                        &l->m,
                        &l->v,
                        &l->bias_m,
                        &l->bias_v,
                        &l->scale_m,
                        &l->scale_v,
                        &l->rolling_variance};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) release(arrays[i]);
}

// Turns a parsed network into one for inference. Darknet skips the clearing of a NULL delta and,
// without truth, all losses.
static void strip_network(network *net) {
    for (int i = 0; i < net->n; i++) {
        release_unused(&net->layers[i]);
        net->layers[i].truth = 0; // its output would become the truth of layers after it
    }
    release(&net->input);
    release(&net->truth);
    release(&net->scales);
    free(net->steps);
    net->steps = NULL;
    if (!amc_gpu_started()) net->gpu_index = -1;
    amc_gpu_network_strip(net);
}

static size_t workspace_size(const network *net) {
    size_t most = 0;
    for (int i = 0; i < net->n; i++)
        if (net->layers[i].workspace_size > most) most = net->layers[i].workspace_size;
    return most;
}

static void renew(float **array, size_t n) {
    if (*array) *array = amc_memory_alloc(n, sizeof **array);
}

// Gives a copied layer memory of its own for everything that free_network frees.
static void copy_layer_memory(layer *l, const layer *before) {
    size_t inputs = l->type == ROUTE ? (size_t)l->n : 0;
    size_t outputs = (size_t)l->outputs * (size_t)l->batch;
    if (l->type == DROPOUT)
        l->output = before->output; // as parse_network_cfg does
    else
        renew(&l->output, outputs);
    renew(&l->delta, outputs);
    renew(&l->squared, outputs);
    renew(&l->norms, outputs);
    if (l->type == L2NORM) renew(&l->scales, outputs);
    l->mask = NULL; // of yolo; only training reads it
    if (l->indexes) l->indexes = amc_memory_alloc(outputs, sizeof *l->indexes);
    l->input_layers = amc_memory_copy(l->input_layers, inputs, sizeof *l->input_layers);
    l->input_sizes = amc_memory_copy(l->input_sizes, inputs, sizeof *l->input_sizes);
    l->cost = amc_memory_copy(l->cost, 1, sizeof *l->cost);
}

network *amc_host_network_copy(const network *net) {
    assert(!amc_gpu_network_is(net));
    network *copy = amc_memory_copy(net, 1, sizeof *net);
    copy->layers = amc_memory_copy(net->layers, (size_t)net->n, sizeof *net->layers);
    for (int i = 0; i < net->n; i++)
        copy_layer_memory(&copy->layers[i], i ? &copy->layers[i - 1] : NULL);
    copy->seen = amc_memory_copy(net->seen, 1, sizeof *net->seen);
    copy->t = amc_memory_copy(net->t, 1, sizeof *net->t);
    copy->cost = amc_memory_copy(net->cost, 1, sizeof *net->cost);
    if (net->workspace) copy->workspace = amc_memory_alloc(workspace_size(net), 1);
    copy->output = get_network_output_layer(copy).output;
    return copy;
}

void amc_host_network_free(network *net) {
    if (!net) return;
    for (int i = 0; i < net->n; i++) {
        layer *l = &net->layers[i];
        l->weights = l->biases = l->rolling_mean = l->rolling_variance = NULL;
        if (l->type != L2NORM) l->scales = NULL;
        free(l->mask);
        l->x = l->x_norm = l->binary_weights = NULL;
    }
    amc_gpu_network_clear(net);
    free(net->workspace);
    free(net->seen);
    free(net->t);
    free(net->cost);
    free_network(net);
}

network *amc_host_network_new(const char *path, const amc_layer_graph *graph, int batch,
                              amc_error *err) {
    assert(batch > 0);
    network *net = parse(path, batch, err);
    if (!net) return NULL;
    strip_network(net);
    if (compare_with_graph(net, graph, err) == 0) return net;
    amc_host_network_free(net);
    return NULL;
}

size_t amc_host_network_widest(const network *net) {
    size_t most = 1;
    for (int i = 0; i < net->n; i++)
        if ((size_t)net->layers[i].outputs > most) most = (size_t)net->layers[i].outputs;
    return most;
}

float *amc_host_network_share_x(network *net) {
    float *x = amc_memory_alloc((size_t)net->batch * amc_host_network_widest(net), sizeof *x);
    for (int i = 0; i < net->n; i++)
        if (amc_host_network_normalizes(&net->layers[i])) net->layers[i].x = x;
    return x;
}

// ---- applying a graph ----

static void apply_weights(layer *l, const amc_layer_weights *weights) {
    l->biases = weights->biases;
    l->scales = weights->scales;
    l->rolling_mean = weights->means;
    l->rolling_variance = weights->variances;
    l->weights = weights->weights;
}

static void apply_convolutional(layer *l, const amc_layer *shape) {
    l->n = l->nbiases = shape->out_c;
    l->groups = shape->groups;
    l->nweights = (int)amc_layer_weight_count(shape);
}

// Darknet keeps the shape of `from` in h, w, c and counts its inputs as its outputs.
static void apply_shortcut(layer *l, const amc_layer_graph *graph, const amc_layer *shape) {
    l->c = graph->layers[shape->inputs[1]].out_c;
    l->inputs = l->outputs;
}

static void apply_route(layer *l, const amc_layer_graph *graph, const amc_layer *shape) {
    assert(l->n == shape->n_inputs);
    for (int k = 0; k < l->n; k++)
        l->input_sizes[k] = amc_layer_outputs(&graph->layers[shape->inputs[k]]);
    l->inputs = l->outputs;
}

static void apply_layer(layer *l, const amc_layer_graph *graph, int i, const amc_weights *weights) {
    const amc_layer *shape = &graph->layers[i];
    if (weights->layers[i].n) apply_weights(l, &weights->layers[i]);
    if (shape->flow == AMC_FLOW_NEEDS) return; // all of its channels are always there
    l->c = shape->c;
    l->out_c = shape->out_c;
    l->inputs = shape->c * shape->h * shape->w;
    l->outputs = amc_layer_outputs(shape);
    if (shape->type == AMC_CONVOLUTIONAL) apply_convolutional(l, shape);
    if (shape->type == AMC_CONNECTED) l->c = l->inputs;
    if (shape->type == AMC_SHORTCUT) apply_shortcut(l, graph, shape);
    if (shape->type == AMC_ROUTE) apply_route(l, graph, shape);
}

void amc_host_network_apply(network *net, const amc_layer_graph *graph,
                            const amc_weights *weights) {
    assert(graph->n == net->n && weights->n == net->n);
    for (int i = 0; i < net->n; i++) apply_layer(&net->layers[i], graph, i, weights);
    net->outputs = net->truths = get_network_output_layer(net).outputs;
    amc_gpu_network_push(net, weights);
}
