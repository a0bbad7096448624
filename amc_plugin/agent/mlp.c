#include "agent/mlp.h"

#include "base/memory.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Where layer l's W (out, in) and b (out) begin within weights, grads, mean and square.
static size_t matrix_at(const amc_mlp *net, int l) {
    size_t at = 0;
    for (int i = 0; i < l; i++) at += (size_t)(net->sizes[i] + 1) * net->sizes[i + 1];
    return at;
}

static size_t bias_at(const amc_mlp *net, int l) {
    return matrix_at(net, l) + (size_t)net->sizes[l] * net->sizes[l + 1];
}

static void fill_uniform(float *x, size_t count, double bound, amc_rng *rng) {
    for (size_t i = 0; i < count; i++) x[i] = (float)(bound * (2 * amc_rng_uniform(rng) - 1));
}

amc_mlp *amc_mlp_new(int layers, const int *sizes, bool sigmoid, float last_bound, int max_batch,
                     amc_rng *rng) {
    assert(layers >= 1 && layers <= AMC_MLP_LAYERS && max_batch >= 1);
    amc_mlp *net = amc_memory_alloc(1, sizeof *net);
    net->layers = layers, net->sigmoid = sigmoid, net->max_batch = max_batch;
    memcpy(net->sizes, sizes, (layers + 1) * sizeof *sizes);
    net->count = matrix_at(net, layers);
    net->weights = amc_memory_alloc(net->count, sizeof(float));
    net->grads = amc_memory_alloc(net->count, sizeof(float));
    net->mean = amc_memory_alloc(net->count, sizeof(float));
    net->square = amc_memory_alloc(net->count, sizeof(float));
    float *const late[] = {net->grads, net->mean, net->square}; // first needed after the warm-up
    for (int i = 0; i < 3; i++) amc_memory_touch(late[i], net->count * sizeof(float));
    for (int l = 0; l <= layers; l++) {
        net->values[l] = amc_memory_alloc((size_t)max_batch * sizes[l], sizeof(float));
        net->deltas[l] = amc_memory_alloc((size_t)max_batch * sizes[l], sizeof(float));
    }
    for (int l = 0; l < layers; l++) {
        size_t from = matrix_at(net, l), to = matrix_at(net, l + 1);
        double bound = l == layers - 1 ? last_bound : 1 / sqrt(sizes[l]);
        fill_uniform(net->weights + from, to - from, bound, rng);
    }
    return net;
}

void amc_mlp_free(amc_mlp *net) {
    if (!net) return;
    for (int l = 0; l <= net->layers; l++) {
        free(net->values[l]);
        free(net->deltas[l]);
    }
    free(net->weights);
    free(net->grads);
    free(net->mean);
    free(net->square);
    free(net);
}

static void rectify(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = x[i] > 0 ? x[i] : 0;
}

static void squash(float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = 1 / (1 + expf(-x[i]));
}

// Y <- X W^T + b
static void forward_layer(amc_mlp *net, int l, int batch) {
    int in = net->sizes[l], out = net->sizes[l + 1];
    const float *w = net->weights + matrix_at(net, l), *b = net->weights + bias_at(net, l);
    float *y = net->values[l + 1];
    for (int i = 0; i < batch; i++) memcpy(y + (size_t)i * out, b, out * sizeof *b);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, batch, out, in, 1, net->values[l], in, w,
                in, 1, y, out);
}

const float *amc_mlp_forward(amc_mlp *net, const float *x, int batch) {
    assert(batch >= 1 && batch <= net->max_batch);
    memcpy(net->values[0], x, (size_t)batch * net->sizes[0] * sizeof *x);
    for (int l = 0; l < net->layers; l++) {
        size_t outputs = (size_t)batch * net->sizes[l + 1];
        forward_layer(net, l, batch);
        if (l < net->layers - 1)
            rectify(net->values[l + 1], outputs);
        else if (net->sigmoid)
            squash(net->values[l + 1], outputs);
    }
    return net->values[net->layers];
}

// The output's deltas: d loss / d y, through the sigmoid where there is one.
static void start_backward(amc_mlp *net, const float *output_grads, int batch) {
    size_t outputs = (size_t)batch * net->sizes[net->layers];
    float *delta = net->deltas[net->layers];
    const float *y = net->values[net->layers];
    for (size_t i = 0; i < outputs; i++)
        delta[i] = net->sigmoid ? output_grads[i] * y[i] * (1 - y[i]) : output_grads[i];
}

// G_W <- D^T X, G_b <- column sums of D
static void weight_grads(amc_mlp *net, int l, int batch) {
    int in = net->sizes[l], out = net->sizes[l + 1];
    const float *delta = net->deltas[l + 1];
    float *b = net->grads + bias_at(net, l);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, batch, 1, delta, out,
                net->values[l], in, 0, net->grads + matrix_at(net, l), in);
    memset(b, 0, out * sizeof *b);
    for (int i = 0; i < batch; i++)
        for (int j = 0; j < out; j++) b[j] += delta[(size_t)i * out + j];
}

// G_X <- D W, and through the ReLU that made X; the network's input had none.
static void value_grads(amc_mlp *net, int l, int batch) {
    int in = net->sizes[l], out = net->sizes[l + 1];
    float *delta = net->deltas[l];
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, batch, in, out, 1, net->deltas[l + 1],
                out, net->weights + matrix_at(net, l), in, 0, delta, in);
    if (l == 0) return;
    for (size_t i = 0; i < (size_t)batch * in; i++) delta[i] = net->values[l][i] > 0 ? delta[i] : 0;
}

void amc_mlp_backward(amc_mlp *net, const float *output_grads, int batch) {
    assert(batch >= 1 && batch <= net->max_batch);
    start_backward(net, output_grads, batch);
    for (int l = net->layers - 1; l >= 0; l--) {
        weight_grads(net, l, batch);
        if (l > 0) value_grads(net, l, batch);
    }
}

const float *amc_mlp_input_grads(amc_mlp *net, const float *output_grads, int batch) {
    assert(batch >= 1 && batch <= net->max_batch);
    start_backward(net, output_grads, batch);
    for (int l = net->layers - 1; l >= 0; l--) value_grads(net, l, batch);
    return net->deltas[0];
}

// Most of an update's time is spent here.
void amc_mlp_adam(amc_mlp *net, double rate) {
    const float b1 = 0.9f, b2 = 0.999f, epsilon = 1e-8f;
    net->steps++;
    float rate_hat = (float)(rate / (1 - pow(b1, net->steps)));
    float root_hat = (float)(1 / sqrt(1 - pow(b2, net->steps)));
    float *restrict w = net->weights, *restrict m = net->mean, *restrict v = net->square;
    const float *restrict g = net->grads;
    for (size_t i = 0; i < net->count; i++) {
        float mean = b1 * m[i] + (1 - b1) * g[i];
        m[i] = fabsf(mean) > 1e-30f ? mean : 0; // a dead unit's would fade into slow denormals
        v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
        w[i] -= rate_hat * m[i] / (sqrtf(v[i]) * root_hat + epsilon);
    }
}

void amc_mlp_soft_update(amc_mlp *target, const amc_mlp *online, double tau) {
    assert(target->count == online->count);
    float share = (float)tau;
    for (size_t i = 0; i < target->count; i++)
        target->weights[i] = share * online->weights[i] + (1 - share) * target->weights[i];
}
