#include "host/update.h"

#include "base/memory.h"
#include "kernels/vector.h"

#ifdef GPU
#include "kernels/gpu_descend.h"

#include "connected_layer.h"
#include "convolutional_layer.h"
#include "cuda.h"
#endif

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static char *notice; // what the next step on a pruned layer is to say; NULL once it was said

static size_t weights_of(const layer *l) {
    return l->type == CONNECTED ? (size_t)l->inputs * l->outputs : (size_t)l->nweights;
}

// ---- steps --------------------------------------------------------------------------------------

typedef void descent(size_t n, float rate, float decay, float momentum, float *w, float *updates);

// Darknet's gradients are sums over a batch, and so is what decays.
static void step(const layer *l, const update_args *args, descent *descend_weights) {
    float rate = args->learning_rate * l->learning_rate_scale / args->batch;
    size_t n = (size_t)l->out_c;
    amc_vector_descend(n, rate, 0, args->momentum, l->biases, l->bias_updates);
    if (l->scales) amc_vector_descend(n, rate, 0, args->momentum, l->scales, l->scale_updates);
    descend_weights(weights_of(l), rate, args->decay * args->batch, args->momentum, l->weights,
                    l->weight_updates);
}

static void update(layer l, update_args args) {
    step(&l, &args, amc_vector_descend);
}

static void say_notice(void) {
    if (notice) fprintf(stderr, "%s\n", notice);
    free(notice);
    notice = NULL;
}

static void update_pruned(layer l, update_args args) {
    say_notice();
    step(&l, &args, amc_vector_descend_nonzero);
}

#ifdef GPU

static bool is_pruned(const layer *l) {
    return l->update == update_pruned;
}

static void update_gpu(layer l, update_args args) {
    if (is_pruned(&l)) say_notice();
    if (args.adam || l.clip != 0) {
        // Without gradient and momentum Darknet's steps leave zeros alone, too.
        if (is_pruned(&l))
            amc_gpu_descend(weights_of(&l), 0, 0, 1, true, l.weights_gpu, l.weight_updates_gpu);
        (l.type == CONNECTED ? update_connected_layer_gpu : update_convolutional_layer_gpu)(l,
                                                                                            args);
        return;
    }
    float rate = args.learning_rate * l.learning_rate_scale / args.batch;
    size_t n = (size_t)l.out_c;
    amc_gpu_descend(n, rate, 0, args.momentum, false, l.biases_gpu, l.bias_updates_gpu);
    if (l.scales_gpu)
        amc_gpu_descend(n, rate, 0, args.momentum, false, l.scales_gpu, l.scale_updates_gpu);
    amc_gpu_descend(weights_of(&l), rate, args.decay * args.batch, args.momentum, is_pruned(&l),
                    l.weights_gpu, l.weight_updates_gpu);
    check_error(cudaPeekAtLastError());
}

#endif

void amc_update_install(layer *l) {
    l->update = update;
#ifdef GPU
    l->update_gpu = update_gpu;
#endif
}

// ---- loading ------------------------------------------------------------------------------------

static size_t zeros_of(const layer *l) {
    size_t n = weights_of(l), zeros = 0;
    for (size_t i = 0; i < n; i++) zeros += l->weights[i] == 0;
    return zeros;
}

// Whether the network will be trained is not known before its first step.
static void announce(const char *path, size_t held, size_t all) {
    free(notice);
    notice = NULL;
    if (!held) return;
    notice =
        amc_memory_text("%s: %zu of %zu weights are zero and stay so in training", path, held, all);
}

void __real_load_weights(network *net, char *path);

static bool is_ours(const layer *l) {
    return l->update == update || l->update == update_pruned;
}

// Returns how many zeros of the layer are held from now on.
static size_t hold_zeros(layer *l) {
    size_t zeros = zeros_of(l);
    bool pruned = zeros > 0 && 100 * zeros >= weights_of(l);
    l->update = pruned ? update_pruned : update;
    return pruned ? zeros : 0;
}

void __wrap_load_weights(network *net, char *path) {
    __real_load_weights(net, path);
    size_t held = 0, all = 0;
    for (int i = 0; i < net->n; i++) {
        if (!is_ours(&net->layers[i])) continue;
        held += hold_zeros(&net->layers[i]);
        all += weights_of(&net->layers[i]);
    }
    announce(path, held, all);
}
