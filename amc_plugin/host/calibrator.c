#include "host/calibrator.h"

#include "base/memory.h"
#include "host/host_network.h"

#define MOST_BYTES (1LL << 30)

struct amc_calibrator {
    network *net; // its batch is all the images
    float *input; // (batch, 3, h, w)
    float *x;     // (batch, widest layer) shared by all layers as the input of their normalization
};

// Images whose activations fit in memory together.
static int count_images(const amc_layer_graph *graph, int wanted) {
    long long bytes = 0;
    for (int i = 0; i < graph->n; i++) {
        const amc_layer *layer = &graph->layers[i];
        bytes += (long long)layer->out_c * layer->out_h * layer->out_w * (long long)sizeof(float);
    }
    long long most = MOST_BYTES / (bytes + 1);
    if (most < 2) most = 2; // a variance needs two
    return wanted < most ? wanted : (int)most;
}

static void pass_on(layer l, network net) {
    (void)l, (void)net;
}

// Training mode, without what it would do besides: dropout drops nothing here.
static void prepare(amc_calibrator *calibrator) {
    network *net = calibrator->net;
    calibrator->x =
        amc_memory_alloc((size_t)net->batch * amc_host_network_widest(net), sizeof(float));
    for (int i = 0; i < net->n; i++) {
        layer *l = &net->layers[i];
        if (l->type == DROPOUT) l->forward = pass_on;
        if (!l->batch_normalize) continue;
        l->x = calibrator->x;
        l->mean = amc_memory_alloc((size_t)l->out_c, sizeof *l->mean);
        l->variance = amc_memory_alloc((size_t)l->out_c, sizeof *l->variance);
    }
    net->train = 1;
    net->input = calibrator->input;
}

amc_calibrator *amc_calibrator_new(const char *path, const amc_layer_graph *graph,
                                   const amc_dataset *dataset, amc_error *err) {
    int n = count_images(graph, dataset->n);
    size_t inputs = (size_t)graph->c * graph->h * graph->w;
    if (graph->c != 3) {
        amc_error_set(err, "%s: channels=%d, expected 3 as images have", path, graph->c);
        return NULL;
    }
    network *net = amc_host_network_new(path, graph, n, err);
    if (!net) return NULL;
    amc_calibrator *calibrator = amc_memory_alloc(1, sizeof *calibrator);
    calibrator->net = net;
    calibrator->input = amc_memory_alloc((size_t)n * inputs, sizeof(float));
    for (int i = 0; i < n; i++)
        amc_dataset_input(dataset, i, graph->h, graph->w, calibrator->input + (size_t)i * inputs);
    prepare(calibrator);
    return calibrator;
}

void amc_calibrator_free(amc_calibrator *calibrator) {
    if (!calibrator) return;
    calibrator->net->input = NULL; // ours, as the layers' x is
    amc_host_network_free(calibrator->net);
    free(calibrator->input);
    free(calibrator->x);
    free(calibrator);
}

int amc_calibrator_images(const amc_calibrator *calibrator) {
    return calibrator->net->batch;
}

void amc_calibrator_run(amc_calibrator *calibrator, const amc_layer_graph *graph,
                        amc_weights *weights) {
    network *net = calibrator->net;
    amc_host_network_apply(net, graph, weights);
    forward_network(net);
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        if (!l->batch_normalize) continue;
        // The pass nudged the rolling averages, which are those of `weights`, towards these.
        memcpy(weights->layers[i].means, l->mean, (size_t)l->out_c * sizeof(float));
        memcpy(weights->layers[i].variances, l->variance, (size_t)l->out_c * sizeof(float));
    }
}
