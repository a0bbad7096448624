#include "host/host_model.h"

#include "base/memory.h"
#include "host/gpu.h"
#include "host/gpu_network.h"
#include "host/hooks.h"
#include "host/host_network.h"

#include <assert.h>

enum {
    BATCH = 16, // images of a predict, at most,
    GPU_BATCH = 256,
    BATCH_FLOATS = 1 << 22, // and floats of their largest output
    GPU_BATCH_FLOATS = 1 << 26,
};

// Networks of more weights than that are scored without preparing the rest of them.
#define MOST_PREPARED ((size_t)1 << 28)

struct amc_host_model {
    int n_replicas;
    network **replicas; // (n_replicas)
    float **scratch;    // (n_replicas) what all of a replica's layers have as `x`
    int *capacity;      // (layers) floats that each layer's output has room for
    float **prepared;   // (layers) weights in the kernels' form; NULL where that isn't worth it
    bool applied;       // there are weights to predict with
};

// Small images are run together: their maps alone would leave vectors half empty, and each would
// read all weights again.
static int choose_batch(const amc_layer_graph *graph) {
    int widest = amc_layer_graph_widest(graph), most = amc_gpu_started() ? GPU_BATCH : BATCH;
    int batch = (amc_gpu_started() ? GPU_BATCH_FLOATS : BATCH_FLOATS) / widest;
    return batch < 1 ? 1 : batch < most ? batch : most;
}

static void make_room(amc_host_model *model) {
    const network *net = model->replicas[0];
    size_t total = 0;
    model->capacity = amc_memory_alloc((size_t)net->n, sizeof *model->capacity);
    model->prepared = amc_memory_alloc((size_t)net->n, sizeof *model->prepared);
    for (int i = 0; i < net->n; i++) {
        model->capacity[i] = net->layers[i].outputs;
        size_t size = amc_gpu_network_is(net) ? 0 : amc_hooks_prepared_size(&net->layers[i]);
        total += size;
        if (size && total <= MOST_PREPARED)
            model->prepared[i] = amc_memory_alloc(size, sizeof(float));
    }
}

amc_host_model *amc_host_model_new(const char *path, const amc_layer_graph *graph, int threads,
                                   amc_error *err) {
    assert(threads > 0);
    if (amc_gpu_start(err) < 0) return NULL;
    network *net = amc_host_network_new(path, graph, choose_batch(graph), err);
    if (!net) return NULL;
    if (amc_gpu_network_is(net)) threads = 1; // there is one GPU
    amc_host_model *model = amc_memory_alloc(1, sizeof *model);
    model->n_replicas = threads;
    model->replicas = amc_memory_alloc((size_t)threads, sizeof *model->replicas);
    model->scratch = amc_memory_alloc((size_t)threads, sizeof *model->scratch);
    for (int t = 0; t < threads; t++) {
        model->replicas[t] = t ? amc_host_network_copy(net) : net;
        model->scratch[t] = amc_host_network_share_x(model->replicas[t]);
    }
    make_room(model);
    return model;
}

void amc_host_model_free(amc_host_model *model) {
    if (!model) return;
    for (int i = 0; i < model->replicas[0]->n; i++) free(model->prepared[i]);
    for (int t = 0; t < model->n_replicas; t++) {
        amc_host_network_free(model->replicas[t]);
        free(model->scratch[t]);
    }
    free(model->prepared);
    free(model->capacity);
    free(model->scratch);
    free(model->replicas);
    free(model);
}

static void prepare(amc_host_model *model) {
    network **replicas = model->replicas;
    for (int i = 0; i < replicas[0]->n; i++) {
        layer *l = &replicas[0]->layers[i];
        if (!model->prepared[i]) continue;
        bool gains = amc_hooks_prepared_size(l) > 0;
        if (gains) amc_hooks_prepare(l, model->prepared[i]);
        for (int t = 0; t < model->n_replicas; t++)
            replicas[t]->layers[i].binary_weights = gains ? model->prepared[i] : NULL;
    }
}

void amc_host_model_apply(amc_host_model *model, const amc_layer_graph *graph,
                          const amc_weights *weights) {
    for (int t = 0; t < model->n_replicas; t++) {
        network *net = model->replicas[t];
        amc_host_network_apply(net, graph, weights);
        for (int i = 0; i < net->n; i++) assert(net->layers[i].outputs <= model->capacity[i]);
    }
    prepare(model);
    model->applied = true;
}

// ---- running ----

int amc_host_model_threads(const amc_host_model *model) {
    return model->n_replicas;
}

int amc_host_model_batch(const amc_host_model *model) {
    return model->replicas[0]->batch;
}

int amc_host_model_classes(const amc_host_model *model) {
    return model->replicas[0]->outputs;
}

void amc_host_model_input(const amc_host_model *model, int *c, int *h, int *w) {
    *c = model->replicas[0]->c;
    *h = model->replicas[0]->h;
    *w = model->replicas[0]->w;
}

const float *amc_host_model_predict(amc_host_model *model, int thread, int n, const float *input) {
    assert(model->applied && thread >= 0 && thread < model->n_replicas);
    assert(n > 0 && n <= amc_host_model_batch(model));
    network net = *model->replicas[thread];
    net.batch = n;
    for (int i = 0; i < net.n; i++) net.layers[i].batch = n;
    return network_predict(&net, (float *)input); // which only reads it
}

const float *amc_host_model_output(const amc_host_model *model, int thread, int layer) {
    amc_gpu_network_pull_output(model->replicas[thread], layer);
    return model->replicas[thread]->layers[layer].output;
}
