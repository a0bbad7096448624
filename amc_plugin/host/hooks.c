#include "host/hooks.h"

#include "base/memory.h"
#include "host/fused_activation.h"
#include "host/gpu_layers.h"
#include "host/update.h"
#include "kernels/batchnorm.h"
#include "kernels/connected.h"
#include "kernels/conv.h"
#include "kernels/gemm.h"
#include "kernels/maxpool.h"
#include "kernels/vector.h"
#include "kernels/workspace.h"

#include "darknet.h"

#include <shortcut_layer.h>
#include <stdlib.h>
#include <string.h>

static bool enabled;

void amc_hooks_enable(bool on) {
    if (on) amc_gemm_init();
    enabled = on;
}

bool amc_hooks_enabled(void) {
    return enabled;
}

void amc_hooks_install(void) {
    const char *stock = getenv("AMC_STOCK");
    amc_hooks_enable(!stock || strcmp(stock, "1") != 0);
}

const char *amc_hooks_kernels(void) {
    return enabled ? AMC_KERNELS : "Darknet's own";
}

// ---- what is shared by the layers ---------------------------------------------------------------

void __real_activate_array(float *x, const int n, const ACTIVATION a);
void __real_gradient_array(const float *x, const int n, const ACTIVATION a, float *delta);

static amc_batchnorm batchnorm_of(const layer *l) {
    return (amc_batchnorm){l->scales,       l->biases,           l->mean,          l->variance,
                           l->rolling_mean, l->rolling_variance, l->scale_updates, l->bias_updates};
}

// The affine step after a layer's sums outside training: batch normalisation by the rolling
// averages, or the biases.
static amc_finish finish_of(const layer *l, amc_activation act) {
    if (!l->batch_normalize) return (amc_finish){NULL, NULL, l->biases, act};
    float *scale = amc_workspace_get(AMC_WORKSPACE_HOST, l->out_c);
    amc_batchnorm bn = batchnorm_of(l);
    amc_batchnorm_scale(&bn, l->out_c, scale);
    return (amc_finish){l->rolling_mean, scale, l->biases, act};
}

// delta, the gradient by the layer's output, becomes the gradient by its sums; gradients of biases
// and scales are added.
static void backward_output(const layer *l, const network *net) {
    amc_activation act;
    int pixels = l->out_h * l->out_w;
    if (!amc_fused_activation(l->activation, &act))
        __real_gradient_array(l->output, l->outputs * l->batch, l->activation, l->delta);
    amc_batchnorm bn = batchnorm_of(l);
    if (l->batch_normalize && net->train) {
        amc_batchnorm_backward(&bn, l->batch, l->out_c, pixels, l->x, act, l->delta);
        return;
    }
    amc_finish finish = finish_of(l, act);
    amc_bias_backward(l->batch, l->out_c, pixels, l->output, finish.scale, act, l->delta,
                      l->bias_updates);
}

// ---- convolutional ------------------------------------------------------------------------------

static amc_conv_shape shape_of(const layer *l) {
    return amc_conv_shape_make(l->c, l->h, l->w, l->n, l->size, l->stride, l->pad, l->groups);
}

static void forward_convolutional(layer l, network net) {
    amc_conv_shape shape = shape_of(&l);
    amc_activation act;
    bool fused = amc_fused_activation(l.activation, &act);
    if (l.batch_normalize && net.train) {
        amc_batchnorm bn = batchnorm_of(&l);
        amc_conv_forward(&shape, l.batch, net.input, l.weights, NULL, l.x);
        amc_batchnorm_forward(&bn, l.batch, l.out_c, l.out_h * l.out_w, l.x, act, l.output);
    } else {
        amc_finish finish = finish_of(&l, act);
        if (l.binary_weights && !net.train)
            amc_conv_forward_prepared(&shape, l.batch, net.input, l.binary_weights, &finish,
                                      l.output);
        else
            amc_conv_forward(&shape, l.batch, net.input, l.weights, &finish, l.output);
    }
    if (!fused) __real_activate_array(l.output, l.outputs * l.batch, l.activation);
}

static void backward_convolutional(layer l, network net) {
    amc_conv_shape shape = shape_of(&l);
    backward_output(&l, &net);
    amc_conv_backward_weights(&shape, l.batch, net.input, l.delta, l.weight_updates);
    if (net.delta) amc_conv_backward_input(&shape, l.batch, l.weights, l.delta, net.delta);
}

size_t amc_hooks_prepared_size(const layer *l) {
    if (l->forward != forward_convolutional) return 0;
    amc_conv_shape shape = shape_of(l);
    return amc_conv_prepared_size(&shape);
}

void amc_hooks_prepare(layer *l, float *room) {
    amc_conv_shape shape = shape_of(l);
    amc_conv_prepare(&shape, l->weights, room);
    l->binary_weights = room;
}

layer __real_make_convolutional_layer(int batch, int h, int w, int c, int n, int groups, int size,
                                      int stride, int padding, ACTIVATION activation,
                                      int batch_normalize, int binary, int xnor, int adam);

layer __wrap_make_convolutional_layer(int batch, int h, int w, int c, int n, int groups, int size,
                                      int stride, int padding, ACTIVATION activation,
                                      int batch_normalize, int binary, int xnor, int adam) {
    layer l = __real_make_convolutional_layer(batch, h, w, c, n, groups, size, stride, padding,
                                              activation, batch_normalize, binary, xnor, adam);
    if (enabled && !binary && !xnor) {
        l.forward = forward_convolutional;
        l.backward = backward_convolutional;
        amc_update_install(&l);
        amc_gpu_layers_convolve(&l);
    }
    return l;
}

// ---- connected ----------------------------------------------------------------------------------

static void forward_connected(layer l, network net) {
    amc_activation act;
    bool fused = amc_fused_activation(l.activation, &act),
         normalise = l.batch_normalize && net.train;
    amc_finish finish = finish_of(&l, act);
    amc_connected_forward(l.batch, l.inputs, l.outputs, net.input, l.weights,
                          normalise ? NULL : &finish, normalise ? l.x : l.output);
    if (normalise) {
        amc_batchnorm bn = batchnorm_of(&l);
        amc_batchnorm_forward(&bn, l.batch, l.outputs, 1, l.x, act, l.output);
    }
    if (!fused) __real_activate_array(l.output, l.outputs * l.batch, l.activation);
}

static void backward_connected(layer l, network net) {
    backward_output(&l, &net);
    /* G_w += G_y^T X */
    amc_gemm_parallel(true, false, l.outputs, l.inputs, l.batch, 1, l.delta, l.outputs, net.input,
                      l.inputs, 1, l.weight_updates, l.inputs);
    /* G_x += G_y W */
    if (net.delta)
        amc_gemm_parallel(false, false, l.batch, l.inputs, l.outputs, 1, l.delta, l.outputs,
                          l.weights, l.inputs, 1, net.delta, l.inputs);
}

layer __real_make_connected_layer(int batch, int inputs, int outputs, ACTIVATION activation,
                                  int batch_normalize, int adam);

layer __wrap_make_connected_layer(int batch, int inputs, int outputs, ACTIVATION activation,
                                  int batch_normalize, int adam) {
    layer l =
        __real_make_connected_layer(batch, inputs, outputs, activation, batch_normalize, adam);
    if (enabled) {
        l.forward = forward_connected;
        l.backward = backward_connected;
        amc_update_install(&l);
    }
    return l;
}

// ---- batchnorm ----------------------------------------------------------------------------------

layer __real_make_batchnorm_layer(int batch, int w, int h, int c);

// Darknet allocates these for the GPU only, and crashes on the CPU.
layer __wrap_make_batchnorm_layer(int batch, int w, int h, int c) {
    layer l = __real_make_batchnorm_layer(batch, w, h, c);
    size_t outputs = (size_t)l.outputs * (size_t)batch;
    l.x = amc_memory_alloc(outputs, sizeof *l.x);
    l.x_norm = amc_memory_alloc(outputs, sizeof *l.x_norm);
    l.mean_delta = amc_memory_alloc((size_t)c, sizeof *l.mean_delta);
    l.variance_delta = amc_memory_alloc((size_t)c, sizeof *l.variance_delta);
    return l;
}

// ---- local --------------------------------------------------------------------------------------

layer __real_make_local_layer(int batch, int h, int w, int c, int n, int size, int stride, int pad,
                              ACTIVATION activation);

// Darknet gives its size in floats where bytes are wanted, and writes past the workspace.
layer __wrap_make_local_layer(int batch, int h, int w, int c, int n, int size, int stride, int pad,
                              ACTIVATION activation) {
    layer l = __real_make_local_layer(batch, h, w, c, n, size, stride, pad, activation);
    l.workspace_size *= sizeof(float);
    return l;
}

// ---- deconvolutional ----------------------------------------------------------------------------

layer __real_make_deconvolutional_layer(int batch, int h, int w, int c, int n, int size, int stride,
                                        int padding, ACTIVATION activation, int batch_normalize,
                                        int adam);

// Darknet leaves its number of groups at 0, and divides by it when it loads weights.
layer __wrap_make_deconvolutional_layer(int batch, int h, int w, int c, int n, int size, int stride,
                                        int padding, ACTIVATION activation, int batch_normalize,
                                        int adam) {
    layer l = __real_make_deconvolutional_layer(batch, h, w, c, n, size, stride, padding,
                                                activation, batch_normalize, adam);
    l.groups = 1;
    return l;
}

// ---- maxpool ------------------------------------------------------------------------------------

static amc_maxpool_shape pool_of(const layer *l) {
    return (amc_maxpool_shape){l->h, l->w, l->out_h, l->out_w, l->size, l->stride, -l->pad / 2};
}

static void forward_maxpool(layer l, network net) {
    amc_maxpool_shape shape = pool_of(&l);
    amc_maxpool_forward(&shape, l.batch * l.c, net.input, l.output, l.indexes);
}

static void backward_maxpool(layer l, network net) {
    amc_maxpool_shape shape = pool_of(&l);
    if (net.delta) amc_maxpool_backward(&shape, l.batch * l.c, l.indexes, l.delta, net.delta);
}

layer __real_make_maxpool_layer(int batch, int h, int w, int c, int size, int stride, int padding);

layer __wrap_make_maxpool_layer(int batch, int h, int w, int c, int size, int stride, int padding) {
    layer l = __real_make_maxpool_layer(batch, h, w, c, size, stride, padding);
    if (enabled) {
        l.forward = forward_maxpool;
        l.backward = backward_maxpool;
    }
    return l;
}

// ---- shortcut -----------------------------------------------------------------------------------

// Whether it adds two inputs of the same shape in one pass; Darknet's own code does the others.
static bool is_plain_shortcut(const layer *l, amc_activation *act) {
    return amc_fused_activation(l->activation, act) && l->w == l->out_w && l->h == l->out_h &&
           l->c == l->out_c;
}

static void forward_shortcut(layer l, network net) {
    amc_activation act;
    if (is_plain_shortcut(&l, &act)) {
        amc_vector_blend(net.input, l.alpha, net.layers[l.index].output, l.beta,
                         (size_t)l.outputs * l.batch, act, l.output);
    } else {
        forward_shortcut_layer(l, net);
    }
}

static void backward_shortcut(layer l, network net) {
    amc_activation act;
    if (is_plain_shortcut(&l, &act)) {
        amc_vector_blend_backward(l.output, l.delta, (size_t)l.outputs * l.batch, act, l.alpha,
                                  net.delta, l.beta, net.layers[l.index].delta);
    } else {
        backward_shortcut_layer(l, net);
    }
}

layer __real_make_shortcut_layer(int batch, int index, int w, int h, int c, int w2, int h2, int c2);

layer __wrap_make_shortcut_layer(int batch, int index, int w, int h, int c, int w2, int h2,
                                 int c2) {
    layer l = __real_make_shortcut_layer(batch, index, w, h, c, w2, h2, c2);
    if (enabled) {
        l.forward = forward_shortcut;
        l.backward = backward_shortcut;
    }
    return l;
}

// ---- loops that other layers call ---------------------------------------------------------------

void __real_gemm_cpu(int ta, int tb, int m, int n, int k, float alpha, float *a, int lda, float *b,
                     int ldb, float beta, float *c, int ldc);

// [deconvolutional] calls it with a beta of 0 on a workspace that nobody has written to, and
// Darknet's multiplies what is there: a NaN would stay in every image from then on.
void __wrap_gemm_cpu(int ta, int tb, int m, int n, int k, float alpha, float *a, int lda, float *b,
                     int ldb, float beta, float *c, int ldc) {
    if (enabled) {
        amc_gemm_parallel(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    } else {
        __real_gemm_cpu(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    }
}

// Darknet's is no more than this either.
void __wrap_gemm(int ta, int tb, int m, int n, int k, float alpha, float *a, int lda, float *b,
                 int ldb, float beta, float *c, int ldc) {
    __wrap_gemm_cpu(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void __wrap_activate_array(float *x, const int n, const ACTIVATION a) {
    amc_activation act;
    if (enabled && amc_fused_activation(a, &act)) {
        amc_activation_forward(x, n, act);
    } else {
        __real_activate_array(x, n, a);
    }
}

void __wrap_gradient_array(const float *x, const int n, const ACTIVATION a, float *delta) {
    amc_activation act;
    if (enabled && amc_fused_activation(a, &act)) {
        amc_activation_backward(x, n, act, delta);
    } else {
        __real_gradient_array(x, n, a, delta);
    }
}

void __real_fill_cpu(int n, float value, float *x, int step);

// Every training step clears all gradients of all layers.
void __wrap_fill_cpu(int n, float value, float *x, int step) {
    if (enabled && step == 1 && n > 0) {
        amc_vector_fill(x, (size_t)n, value);
    } else {
        __real_fill_cpu(n, value, x, step);
    }
}
