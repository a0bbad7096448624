#include "host/calibrator.h"

#include "base/memory.h"
#include "base/rng.h"
#include "host/fused_activation.h"
#include "host/gpu.h"
#include "host/gpu_network.h"
#include "host/host_network.h"
#include "model/output_slots.h"

#include <assert.h>

struct amc_calibrator {
    network *net; // its batch is all the images
    float *input; // (batch, 3, h, w)
    float *x;     // (batch, widest layer) shared by all layers as the input of their normalization
    amc_output_slots *slots; // where outputs go, on the CPU
    float **outputs;         // (slots->n) (batch, floats)
};

// Floats of an image: itself, its share of `x` and the outputs, which Darknet keeps of all layers.
static long long floats_of_image(const amc_layer_graph *graph, const amc_output_slots *slots) {
    long long floats = (long long)graph->c * graph->h * graph->w + amc_layer_graph_widest(graph);
    if (slots) return floats + amc_output_slots_floats(slots);
    for (int i = 0; i < graph->n; i++) floats += amc_layer_outputs(&graph->layers[i]);
    return floats;
}

// Images that fit in memory together.
static int count_images(int64_t bytes, long long floats, int wanted) {
    long long most = bytes / (floats * (long long)sizeof(float));
    if (most < 2) most = 2; // a variance needs two
    return wanted < most ? wanted : (int)most;
}

// Decodes `n` images of the dataset. Fewer than all are drawn by chance: lists are often sorted by
// class.
static float *load_images(const amc_dataset *dataset, int n, const amc_layer_graph *graph) {
    size_t inputs = (size_t)graph->c * graph->h * graph->w;
    float *input = amc_memory_alloc((size_t)n * inputs, sizeof *input);
    int *order = amc_memory_alloc((size_t)dataset->n, sizeof *order);
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int i = 0; i < dataset->n; i++) order[i] = i;
    if (n < dataset->n) amc_rng_shuffle(&rng, order, (size_t)dataset->n);
    for (int i = 0; i < n; i++)
        amc_dataset_input(dataset, order[i], graph->h, graph->w, input + (size_t)i * inputs);
    free(order);
    return input;
}

static float *touched(const network *net, size_t floats) {
    float *memory = amc_memory_alloc((size_t)net->batch * floats, sizeof *memory);
    amc_memory_touch(memory, (size_t)net->batch * floats * sizeof *memory);
    return memory;
}

// Outputs that are read no more make room for others. What Darknet took for them was never touched.
static void share_outputs(amc_calibrator *calibrator) {
    const amc_output_slots *slots = calibrator->slots;
    network *net = calibrator->net;
    calibrator->outputs = amc_memory_alloc((size_t)slots->n, sizeof *calibrator->outputs);
    for (int k = 0; k < slots->n; k++) calibrator->outputs[k] = touched(net, slots->floats[k]);
    for (int i = 0; i < net->n; i++) {
        layer *l = &net->layers[i];
        if (l->type != DROPOUT) free(l->output);
        l->output = slots->slot[i] < 0 ? NULL : calibrator->outputs[slots->slot[i]];
    }
}

static void prepare(amc_calibrator *calibrator) {
    network *net = calibrator->net;
    calibrator->x = touched(net, amc_host_network_widest(net));
    if (calibrator->slots) share_outputs(calibrator);
    for (int i = 0; i < net->n; i++) {
        layer *l = &net->layers[i];
        if (!amc_host_network_normalizes(l)) continue;
        l->x = l->x_norm = calibrator->x; // x_norm: Darknet's own kernels copy there as well
        l->mean = amc_memory_alloc((size_t)l->out_c, sizeof *l->mean);
        l->variance = amc_memory_alloc((size_t)l->out_c, sizeof *l->variance);
    }
}

static int check(const char *path, const amc_layer_graph *graph, const amc_dataset *dataset,
                 amc_error *err) {
    if (amc_dataset_check_input(path, graph->c, graph->h, err) < 0) return -1;
    if (dataset->n < 2)
        return amc_error_set(err, "%s: %d image, expected at least 2 to calibrate on",
                             dataset->list->path, dataset->n);
    return 0;
}

amc_calibrator *amc_calibrator_new(const char *path, const amc_layer_graph *graph,
                                   const amc_dataset *dataset, int64_t bytes, amc_error *err) {
    if (check(path, graph, dataset, err) < 0 || amc_gpu_start(err) < 0) return NULL;
    amc_output_slots *slots = amc_gpu_started() ? NULL : amc_output_slots_new(graph);
    int n = count_images(bytes, floats_of_image(graph, slots), dataset->n);
    amc_calibrator *calibrator = amc_memory_alloc(1, sizeof *calibrator);
    calibrator->slots = slots;
    calibrator->net = amc_host_network_new(path, graph, n, err);
    if (!calibrator->net) {
        amc_calibrator_free(calibrator);
        return NULL;
    }
    calibrator->input = load_images(dataset, n, graph);
    prepare(calibrator);
    return calibrator;
}

// Darknet frees what isn't shared.
static void take_back_outputs(amc_calibrator *calibrator) {
    network *net = calibrator->net;
    for (int i = 0; i < net->n; i++) net->layers[i].output = NULL;
    for (int k = 0; k < calibrator->slots->n; k++) free(calibrator->outputs[k]);
    free(calibrator->outputs);
}

void amc_calibrator_free(amc_calibrator *calibrator) {
    if (!calibrator) return;
    if (calibrator->outputs) take_back_outputs(calibrator);
    amc_host_network_free(calibrator->net);
    amc_output_slots_free(calibrator->slots);
    free(calibrator->input);
    free(calibrator->x);
    free(calibrator);
}

int amc_calibrator_images(const amc_calibrator *calibrator) {
    return calibrator->net->batch;
}

float amc_calibrator_slope(const amc_calibrator *calibrator, int layer) {
    amc_activation act;
    amc_fused_activation(calibrator->net->layers[layer].activation, &act);
    return amc_activation_slope(act);
}

bool amc_calibrator_is_linear(const amc_calibrator *calibrator, int layer) {
    return calibrator->net->layers[layer].activation == LINEAR;
}

float amc_calibrator_added_share(const amc_calibrator *calibrator, int shortcut) {
    const struct layer *l = &calibrator->net->layers[shortcut];
    return l->alpha > 0 ? l->beta / l->alpha : 0;
}

const float *amc_calibrator_output(const amc_calibrator *calibrator, int layer) {
    return calibrator->net->layers[layer].output;
}

// As Darknet's forward_network, but at most normalization is in training mode: dropout drops
// nothing, crop takes the middle, and yolo does without truth.
static void forward(const amc_calibrator *calibrator, bool normalize, amc_calibrator_visit *visit,
                    void *context) {
    if (amc_gpu_network_is(calibrator->net)) {
        assert(!visit);
        amc_gpu_network_normalize(calibrator->net, calibrator->input);
        return;
    }
    network net = *calibrator->net;
    net.input = calibrator->input;
    for (net.index = 0; net.index < net.n; net.index++) {
        layer l = net.layers[net.index];
        if (visit) visit(context, net.index, net.input);
        net.train = normalize && amc_host_network_normalizes(&l);
        l.forward(l, net);
        net.input = l.output;
    }
}

void amc_calibrator_look(amc_calibrator *calibrator, const amc_layer_graph *graph,
                         const amc_weights *weights, amc_calibrator_visit *visit, void *context) {
    assert(!amc_gpu_network_is(calibrator->net));
    amc_host_network_apply(calibrator->net, graph, weights);
    forward(calibrator, false, visit, context);
}

// The pass nudged the rolling averages, which are those of `weights`, towards these.
static void take_statistics(const layer *l, amc_layer_weights *weights) {
    memcpy(weights->means, l->mean, (size_t)l->out_c * sizeof(float));
    memcpy(weights->variances, l->variance, (size_t)l->out_c * sizeof(float));
}

void amc_calibrator_run(amc_calibrator *calibrator, const amc_layer_graph *graph,
                        amc_weights *weights, amc_calibrator_visit *visit, void *context) {
    network *net = calibrator->net;
    amc_host_network_apply(net, graph, weights);
    forward(calibrator, true, visit, context);
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        if (!amc_host_network_normalizes(l)) continue;
        if (amc_gpu_network_is(net))
            amc_gpu_network_pull_statistics(l, &weights->layers[i]);
        else
            take_statistics(l, &weights->layers[i]);
    }
}
