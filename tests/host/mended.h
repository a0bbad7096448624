// What tests of mending pruned networks share: images, how far two networks' outputs are apart, and
// networks of twins, half of which can go without loss.

#ifndef AMC_TESTS_HOST_MENDED_H
#define AMC_TESTS_HOST_MENDED_H

#include "host/host_model.h"
#include "model/prune_plan.h"

#include "support/networks.h"

enum { MENDED_IMAGES = 40 };

// Random images of the network's size.
static inline amc_dataset *mended_images(const amc_layer_graph *graph) {
    amc_dataset *images = amc_memory_alloc(1, sizeof *images);
    images->n = MENDED_IMAGES;
    images->images = amc_memory_alloc(MENDED_IMAGES, sizeof *images->images);
    images->list = amc_memory_alloc(1, sizeof *images->list);
    for (int i = 0; i < MENDED_IMAGES; i++)
        images->images[i] =
            (amc_image){graph->w, fixture_pixels(graph->w, graph->w, 3, (uint64_t)i), 0};
    return images;
}

static inline bool mended_takes_images(const networks_text *text) {
    return strstr(text->cfg, "channels=3\n") && networks_is_computed(text->cfg);
}

// ---- outputs ------------------------------------------------------------------------------------

// The network's outputs for all images: (MENDED_IMAGES, outputs).
static inline float *mended_outputs(const networks_net *net, const amc_dataset *images,
                                    const amc_layer_graph *graph, const amc_weights *weights) {
    amc_error err = {""};
    amc_host_model *model = amc_host_model_new(net->path, net->graph, 1, &err);
    if (!model) fail_msg("%s", err.text);
    amc_host_model_apply(model, graph, weights);
    size_t inputs = (size_t)graph->c * graph->h * graph->w;
    int classes = amc_host_model_classes(model);
    float *input = amc_memory_alloc(inputs, sizeof *input);
    float *outputs = amc_memory_alloc((size_t)MENDED_IMAGES * classes, sizeof *outputs);
    for (int i = 0; i < MENDED_IMAGES; i++) {
        amc_dataset_input(images, i, graph->h, graph->w, input);
        memcpy(outputs + (size_t)i * classes, amc_host_model_predict(model, 0, 1, input),
               (size_t)classes * sizeof *outputs);
    }
    free(input);
    amc_host_model_free(model);
    return outputs;
}

// How far the smaller network's outputs are from the original's, as a share of how far those are
// from their means.
static inline double mended_distance(const networks_net *net, const amc_dataset *images,
                                     const amc_layer_graph *graph, const amc_weights *small) {
    int classes = amc_layer_outputs(&graph->layers[amc_layer_graph_output(graph)]);
    float *a = mended_outputs(net, images, net->graph, net->weights);
    float *b = mended_outputs(net, images, graph, small);
    double apart = 0, spread = 0;
    for (int c = 0; c < classes; c++) {
        double mean = 0;
        for (int i = 0; i < MENDED_IMAGES; i++) mean += a[i * classes + c] / (double)MENDED_IMAGES;
        for (int i = 0; i < MENDED_IMAGES; i++) {
            double x = a[i * classes + c], y = b[i * classes + c];
            apart += (x - y) * (x - y);
            spread += (x - mean) * (x - mean);
        }
    }
    free(b);
    free(a);
    return sqrt(apart / spread);
}

// ---- twins --------------------------------------------------------------------------------------

// Filter `to` of a layer becomes filter `from`.
static inline void mended_copy_filter(const amc_layer_weights *w, int from, int to) {
    size_t per = (size_t)(w->n_weights / w->n);
    memcpy(w->weights + to * per, w->weights + from * per, per * sizeof(float));
    float *arrays[] = {w->biases, w->scales, w->means, w->variances};
    for (int k = 0; k < 4; k++)
        if (arrays[k]) arrays[k][to] = arrays[k][from];
}

// In all layers, the channels of unit `to` become those of unit `from`.
static inline void mended_copy_unit(const networks_net *net, const amc_channel_group *group,
                                    int from, int to) {
    for (int k = 0; k < group->n_layers; k++) {
        int l = group->layers[k], n = net->graph->layers[l].out_c, a = 0;
        const int *unit = net->groups->unit[l];
        for (int b = 0; b < n; b++) {
            if (unit[b] != to) continue;
            while (unit[a] != from) a++;
            mended_copy_filter(&net->weights->layers[l], a++, b);
        }
    }
}

// Makes each second unit the twin of the one before; the plan removes it.
static inline amc_prune_plan *mended_make_twins(const networks_net *net) {
    amc_prune_plan *plan = amc_prune_plan_new(net->groups);
    for (int g = 0; g < net->groups->n; g++) {
        const amc_channel_group *group = &net->groups->groups[g];
        for (int i = 1; group->prunable && i < group->n_units; i += 2) {
            mended_copy_unit(net, group, group->units[i - 1], group->units[i]);
            plan->kept[group->units[i]] = 0;
        }
    }
    return plan;
}

#endif
