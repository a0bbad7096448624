#include "host/gpu_layers.h"

#include "host/fused_activation.h"
#include "host/gpu.h"
#include "host/gpu_engine.h"
#include "kernels/gpu_batchnorm.h"
#include "kernels/gpu_depthwise.h"

#include "activations.h"
#include "batchnorm_layer.h"
#include "blas.h"
#include "convolutional_layer.h"
#include "crop_layer.h"
#include "cuda.h"

#include <stdbool.h>

void smooth_layer(layer l, int size, float rate); // convolutional_kernels.cu; in no header

// ---- convolution --------------------------------------------------------------------------------

static amc_depthwise_shape depthwise_of(const layer *l) {
    return (amc_depthwise_shape){l->batch, l->c,    l->h,      l->w,  l->out_h,
                                 l->out_w, l->size, l->stride, l->pad};
}

static bool is_depthwise(const layer *l) {
    return l->groups > 1 && l->groups == l->c && l->groups == l->n;
}

static void convolve(const layer *l, const network *net, float *y) {
    if (is_depthwise(l))
        amc_gpu_depthwise_forward(depthwise_of(l), net->input_gpu, l->weights_gpu, y);
    else
        amc_gpu_engine_convolve(l, net, y);
    check_error(cudaPeekAtLastError());
}

static void add_gradients(const layer *l, const network *net) {
    float *dy = l->delta_gpu;
    if (!is_depthwise(l)) {
        amc_gpu_engine_add_gradients(l, net, dy);
        return;
    }
    amc_gpu_depthwise_weights(depthwise_of(l), net->input_gpu, dy, l->weight_updates_gpu);
    if (net->delta_gpu)
        amc_gpu_depthwise_input(depthwise_of(l), l->weights_gpu, dy, net->delta_gpu);
    check_error(cudaPeekAtLastError());
}

// Whether the activation is x above 0 and slope times x below.
static bool is_fused(ACTIVATION a, float *slope) {
    amc_activation act;
    bool fused = amc_fused_activation(a, &act);
    *slope = amc_activation_slope(act);
    return fused;
}

static amc_gpu_batch batch_of(const layer *l, float slope) {
    return (amc_gpu_batch){l->batch, l->n, l->out_h * l->out_w, slope};
}

static amc_gpu_batchnorm batchnorm_of(const layer *l) {
    return (amc_gpu_batchnorm){
        l->scales_gpu,        l->biases_gpu,       l->mean_gpu,
        l->variance_gpu,      l->rolling_mean_gpu, l->rolling_variance_gpu,
        l->scale_updates_gpu, l->bias_updates_gpu, l->x_norm_gpu}; // which nothing else uses
}

// A network that only calibrates has no gradients, and shares x_gpu among its layers.
static bool is_normalized_here(const layer *l, const network *net, float *slope) {
    return is_fused(l->activation, slope) && l->batch_normalize && net->train && l->delta_gpu;
}

static void forward(layer l, network net) {
    float slope;
    if (is_normalized_here(&l, &net, &slope)) {
        convolve(&l, &net, l.x_gpu);
        amc_gpu_batchnorm bn = batchnorm_of(&l);
        amc_gpu_batchnorm_forward(&bn, batch_of(&l, slope), l.x_gpu, l.output_gpu);
        check_error(cudaPeekAtLastError());
        return;
    }
    convolve(&l, &net, l.output_gpu);
    if (l.batch_normalize)
        forward_batchnorm_layer_gpu(l, net);
    else
        add_bias_gpu(l.output_gpu, l.biases_gpu, l.batch, l.n, l.out_h * l.out_w);
    activate_array_gpu(l.output_gpu, l.outputs * l.batch, l.activation);
}

static void backward(layer l, network net) {
    float slope;
    if (l.smooth) smooth_layer(l, 5, l.smooth); // 5, as Darknet
    if (is_normalized_here(&l, &net, &slope)) {
        amc_gpu_batchnorm bn = batchnorm_of(&l);
        amc_gpu_batchnorm_backward(&bn, batch_of(&l, slope), l.x_gpu, l.output_gpu, l.delta_gpu);
    } else {
        gradient_array_gpu(l.output_gpu, l.outputs * l.batch, l.activation, l.delta_gpu);
        if (l.batch_normalize)
            backward_batchnorm_layer_gpu(l, net);
        else
            backward_bias_gpu(l.bias_updates_gpu, l.delta_gpu, l.batch, l.n, l.out_h * l.out_w);
    }
    add_gradients(&l, &net);
}

static void make_room(layer *l) {
    l->workspace_size = is_depthwise(l) ? 0 : amc_gpu_engine_workspace(l);
}

void amc_gpu_layers_convolve(layer *l) {
    if (!amc_gpu_started()) return;
    l->forward_gpu = forward;
    l->backward_gpu = backward;
    make_room(l);
}

void __real_resize_convolutional_layer(layer *l, int w, int h);

void __wrap_resize_convolutional_layer(layer *l, int w, int h) {
    __real_resize_convolutional_layer(l, w, h);
    if (l->forward_gpu == forward) make_room(l);
}

// ---- crop ---------------------------------------------------------------------------------------

static void forward_crop(layer l, network net) {
    if (net.train && l.c == 3) {
        forward_crop_layer_gpu(l, net);
        return;
    }
    if (net.index > 0) // else the input is there
        cuda_pull_array(net.input_gpu, net.input, (size_t)l.inputs * l.batch);
    forward_crop_layer(l, net);
    cuda_push_array(l.output_gpu, l.output, (size_t)l.outputs * l.batch);
}

layer __real_make_crop_layer(int batch, int h, int w, int c, int crop_height, int crop_width,
                             int flip, float angle, float saturation, float exposure);

layer __wrap_make_crop_layer(int batch, int h, int w, int c, int crop_height, int crop_width,
                             int flip, float angle, float saturation, float exposure) {
    layer l = __real_make_crop_layer(batch, h, w, c, crop_height, crop_width, flip, angle,
                                     saturation, exposure);
    l.forward_gpu = forward_crop;
    return l;
}
