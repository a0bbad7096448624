#include "host/host_model.h"

#include "base/memory.h"
#include "host/host_network.h"

#include <assert.h>

struct amc_host_model {
    int n_replicas;
    network **replicas; // (n_replicas)
    float **scratch;    // (n_replicas) what all of a replica's layers have as `x`
    int *capacity;      // (layers) floats that each layer's output has room for
    bool applied;       // there are weights to predict with
};

// Even in inference Darknet copies the output of a convolution to `x` before normalizing it. Nobody
// reads it, so one array serves all layers.
static float *share_x(network *net) {
    float *x = amc_memory_alloc(amc_host_network_widest(net), sizeof *x);
    for (int i = 0; i < net->n; i++)
        if (amc_host_network_normalizes(&net->layers[i])) net->layers[i].x = x;
    return x;
}

amc_host_model *amc_host_model_new(const char *path, const amc_layer_graph *graph, int threads,
                                   amc_error *err) {
    assert(threads > 0);
    network *net = amc_host_network_new(path, graph, 1, err);
    if (!net) return NULL;
    amc_host_model *model = amc_memory_alloc(1, sizeof *model);
    model->n_replicas = threads;
    model->replicas = amc_memory_alloc((size_t)threads, sizeof *model->replicas);
    model->scratch = amc_memory_alloc((size_t)threads, sizeof *model->scratch);
    model->capacity = amc_memory_alloc((size_t)net->n, sizeof *model->capacity);
    for (int i = 0; i < net->n; i++) model->capacity[i] = net->layers[i].outputs;
    for (int t = 0; t < threads; t++) {
        model->replicas[t] = t ? amc_host_network_copy(net) : net;
        model->scratch[t] = share_x(model->replicas[t]);
    }
    return model;
}

void amc_host_model_free(amc_host_model *model) {
    if (!model) return;
    for (int t = 0; t < model->n_replicas; t++) {
        amc_host_network_free(model->replicas[t]);
        free(model->scratch[t]);
    }
    free(model->capacity);
    free(model->scratch);
    free(model->replicas);
    free(model);
}

void amc_host_model_apply(amc_host_model *model, const amc_layer_graph *graph,
                          const amc_weights *weights) {
    for (int t = 0; t < model->n_replicas; t++) {
        network *net = model->replicas[t];
        amc_host_network_apply(net, graph, weights);
        for (int i = 0; i < net->n; i++) assert(net->layers[i].outputs <= model->capacity[i]);
    }
    model->applied = true;
}

// ---- running ----

int amc_host_model_threads(const amc_host_model *model) {
    return model->n_replicas;
}

int amc_host_model_classes(const amc_host_model *model) {
    return model->replicas[0]->outputs;
}

void amc_host_model_input(const amc_host_model *model, int *c, int *h, int *w) {
    *c = model->replicas[0]->c;
    *h = model->replicas[0]->h;
    *w = model->replicas[0]->w;
}

const float *amc_host_model_predict(amc_host_model *model, int thread, const float *input) {
    assert(model->applied && thread >= 0 && thread < model->n_replicas);
    return network_predict(model->replicas[thread], (float *)input); // which only reads it
}

const float *amc_host_model_output(const amc_host_model *model, int thread, int layer) {
    return model->replicas[thread]->layers[layer].output;
}
