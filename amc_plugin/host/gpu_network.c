#include "host/gpu_network.h"

#include "host/host_network.h"

static void release(float **array) {
    if (*array) cuda_free(*array);
    *array = NULL;
}

static void release_unused(layer *l) {
    if (l->type == DROPOUT) l->delta_gpu = NULL; // not its own: the layer's before
    float **arrays[] = {&l->delta_gpu,
                        &l->weight_updates_gpu,
                        &l->bias_updates_gpu,
                        &l->scale_updates_gpu,
                        &l->mean_delta_gpu,
                        &l->variance_delta_gpu,
                        &l->x_gpu,
                        &l->x_norm_gpu,
                        &l->loss_gpu,
                        &l->m_gpu,
                        &l->v_gpu,
                        &l->bias_m_gpu,
                        &l->bias_v_gpu,
                        &l->scale_m_gpu,
                        &l->scale_v_gpu};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) release(arrays[i]);
}

static bool normalizes(const network *net) {
    for (int i = 0; i < net->n; i++)
        if (amc_host_network_normalizes(&net->layers[i])) return true;
    return false;
}

// Darknet's kernels copy to x and x_norm in inference too.
static void share_x(network *net, float *x) {
    for (int i = 0; i < net->n; i++)
        if (amc_host_network_normalizes(&net->layers[i]))
            net->layers[i].x_gpu = net->layers[i].x_norm_gpu = x;
}

static float *shared_x(const network *net) {
    for (int i = 0; i < net->n; i++)
        if (net->layers[i].x_gpu) return net->layers[i].x_gpu;
    return NULL;
}

void amc_gpu_network_strip(network *net) {
    if (!amc_gpu_network_is(net)) return;
    for (int i = 0; i < net->n; i++) release_unused(&net->layers[i]);
    release(&net->truth_gpu);
    if (!normalizes(net)) return;
    share_x(net, cuda_make_array(NULL, amc_host_network_widest(net) * (size_t)net->batch));
}

void amc_gpu_network_clear(network *net) {
    if (!amc_gpu_network_is(net)) return;
    float *x = shared_x(net);
    share_x(net, NULL);
    release(&x);
    release(&net->workspace); // is on the GPU
}

static void push(float *array, const float *from, size_t n) {
    if (array && from) cuda_push_array(array, (float *)from, n); // which only reads it
}

void amc_gpu_network_push(network *net, const amc_weights *weights) {
    if (!amc_gpu_network_is(net)) return;
    cuda_set_device(net->gpu_index);
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        const amc_layer_weights *from = &weights->layers[i];
        size_t n = (size_t)from->n;
        if (n == 0) continue;
        push(l->biases_gpu, from->biases, n);
        push(l->scales_gpu, from->scales, n);
        push(l->rolling_mean_gpu, from->means, n);
        push(l->rolling_variance_gpu, from->variances, n);
        push(l->weights_gpu, from->weights, (size_t)from->n_weights);
    }
}

void amc_gpu_network_pull_output(const network *net, int layer) {
    if (!amc_gpu_network_is(net)) return;
    const struct layer *l = &net->layers[layer];
    if (l->output_gpu) cuda_pull_array(l->output_gpu, l->output, (size_t)l->outputs * l->batch);
}

void amc_gpu_network_normalize(const network *net, const float *input) {
    network pass = *net;
    pass.input = (float *)input; // which is only read
    cuda_set_device(net->gpu_index);
    cuda_push_array(pass.input_gpu, pass.input, (size_t)net->inputs * net->batch);
    for (pass.index = 0; pass.index < pass.n; pass.index++) {
        layer l = pass.layers[pass.index];
        pass.train = amc_host_network_normalizes(&l);
        l.forward_gpu(l, pass);
        pass.input_gpu = l.output_gpu;
        pass.input = l.output;
    }
}

void amc_gpu_network_pull_statistics(const layer *l, amc_layer_weights *weights) {
    cuda_pull_array(l->mean_gpu, weights->means, (size_t)l->out_c);
    cuda_pull_array(l->variance_gpu, weights->variances, (size_t)l->out_c);
}
