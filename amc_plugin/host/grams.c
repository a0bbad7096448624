#include "host/grams.h"

#include "base/memory.h"
#include "host/host_model.h"
#include "host/patch_rows.h"
#include "kernels/gemm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_ROWS = 1 << 14, // places at which a layer's inputs are looked at, and
    ROWS_EACH = 16,       // for each number that a filter reads
};

// ---- what a filter reads ------------------------------------------------------------------------

// Whether a plan may remove some of what the layer's filters read, but not all.
static bool may_lose_inputs(const amc_layer_graph *graph, const amc_channel_groups *groups, int l) {
    const amc_layer *layer = &graph->layers[l];
    if (layer->flow != AMC_FLOW_MAKES || layer->groups > 1) return false;
    long d = (long)layer->c * amc_patch_rows_each(layer);
    if (!groups) return d <= AMC_GRAMS_MOST_SINGLE;
    if (d > AMC_GRAMS_MOST) return false;
    const int *in = amc_channel_groups_input(groups, graph, l, 0);
    for (int i = 0; i < layer->c; i++) {
        int g = groups->group_of[in[i]];
        if (g >= 0 && groups->groups[g].prunable) return true;
    }
    return false;
}

// ---- moments ------------------------------------------------------------------------------------

// Places of each image that are looked at.
static int count_places(const amc_layer *layer, int d, int images) {
    int wanted = ROWS_EACH * d > LEAST_ROWS ? ROWS_EACH * d : LEAST_ROWS;
    return amc_patch_rows_places(layer, images, wanted);
}

// Sums of squares of numbers that differ little would be lost in rounding: rows are taken relative
// to the means of the first ones.
static void find_centre(const amc_gram *g, const float *rows, int n, float *centre) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < g->d; j++) centre[j] += rows[(size_t)i * g->d + j] / (float)n;
}

static void add_rows(amc_gram *g, const float *centre, float *rows, int n) {
    for (int i = 0; i < n; i++)
        for (int j = 0; j < g->d; j++) g->means[j] += rows[(size_t)i * g->d + j] -= centre[j];
    amc_gemm_parallel(true, false, g->d, g->d, n, 1, rows, g->d, rows, g->d, 1, g->moments, g->d);
}

// What the layer's filters read of images first .. first + n, which the model has just computed
// from `input`.
static void add_images(amc_gram *g, float *centre, const amc_layer *layer,
                       const amc_host_model *model, const float *input, int first, int n,
                       int images) {
    bool image = layer->inputs[0] == AMC_NETWORK_INPUT;
    const float *x = image ? input : amc_host_model_output(model, 0, layer->inputs[0]);
    size_t inputs = (size_t)layer->c * layer->h * layer->w;
    int places = count_places(layer, g->d, images);
    float *rows = amc_memory_alloc((size_t)n * places * g->d, sizeof *rows);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < n; i++)
        amc_patch_rows_read(layer, x + i * inputs, places, (uint64_t)(first + i),
                            rows + (size_t)i * places * g->d);
    if (first == 0) find_centre(g, rows, n * places, centre);
    add_rows(g, centre, rows, n * places);
    free(rows);
}

// From sums over `rows` places of what they read relative to `centre`.
static void finish(amc_gram *g, const float *centre, double rows) {
    for (int j = 0; j < g->d; j++) g->means[j] /= rows;
    for (int i = 0; i < g->d; i++)
        for (int j = 0; j < g->d; j++) {
            float *m = &g->moments[(size_t)i * g->d + j];
            *m = (float)(*m / rows - g->means[i] * g->means[j]);
        }
    for (int j = 0; j < g->d; j++) g->means[j] += centre[j];
}

// (layers) what rows are relative to, (d) each.
static float **centres_new(const amc_grams *grams) {
    float **centres = amc_memory_alloc((size_t)grams->graph->n, sizeof *centres);
    for (int l = 0; l < grams->graph->n; l++)
        centres[l] = amc_memory_alloc((size_t)grams->layers[l].d, sizeof(float));
    return centres;
}

static void centres_free(float **centres, int layers) {
    for (int l = 0; l < layers; l++) free(centres[l]);
    free(centres);
}

static void collect(amc_grams *grams, amc_host_model *model, const amc_dataset *dataset) {
    const amc_layer_graph *graph = grams->graph;
    size_t inputs = (size_t)graph->c * graph->h * graph->w;
    int batch = amc_host_model_batch(model);
    float *input = amc_memory_alloc(batch * inputs, sizeof *input), **centres = centres_new(grams);
    for (int first = 0; first < dataset->n; first += batch) {
        int n = dataset->n - first < batch ? dataset->n - first : batch;
#pragma omp parallel for schedule(static)
        for (int i = 0; i < n; i++)
            amc_dataset_input(dataset, first + i, graph->h, graph->w, input + i * inputs);
        amc_host_model_predict(model, 0, n, input);
        for (int l = 0; l < graph->n; l++)
            if (grams->layers[l].d)
                add_images(&grams->layers[l], centres[l], &graph->layers[l], model, input, first, n,
                           dataset->n);
    }
    free(input);
    for (int l = 0; l < graph->n; l++) {
        amc_gram *g = &grams->layers[l];
        if (g->d)
            finish(g, centres[l],
                   (double)dataset->n * count_places(&graph->layers[l], g->d, dataset->n));
    }
    centres_free(centres, graph->n);
}

static bool is_finite(const amc_gram *g, int j) {
    return isfinite(g->means[j]) && isfinite(g->moments[(size_t)j * g->d + j]);
}

// One image of which a layer computes no numbers, or too large ones, would spoil every plan.
static int check_finite(const amc_grams *grams, const char *path, amc_error *err) {
    for (int l = 0; l < grams->graph->n; l++)
        for (int j = 0; j < grams->layers[l].d; j++)
            if (!is_finite(&grams->layers[l], j))
                return amc_error_set(err,
                                     "%s:%d: layer %d reads what is no number, or too large, of "
                                     "one of the training images, expected a network that computes "
                                     "numbers",
                                     path, grams->graph->layers[l].line, l);
    return 0;
}

// -------------------------------------------------------------------------------------------------

static amc_grams *grams_alloc(const amc_layer_graph *graph, const amc_channel_groups *groups,
                              const amc_weights *weights) {
    amc_grams *grams = amc_memory_alloc(1, sizeof *grams);
    *grams = (amc_grams){graph, groups, weights, NULL};
    grams->layers = amc_memory_alloc((size_t)graph->n, sizeof *grams->layers);
    for (int l = 0; l < graph->n; l++) {
        if (!may_lose_inputs(graph, groups, l)) continue;
        int each = amc_patch_rows_each(&graph->layers[l]), d = graph->layers[l].c * each;
        grams->layers[l] = (amc_gram){d, each, amc_memory_alloc((size_t)d * d, sizeof(float)),
                                      amc_memory_alloc((size_t)d, sizeof(double))};
    }
    return grams;
}

amc_grams *amc_grams_new(const char *path, const amc_layer_graph *graph,
                         const amc_channel_groups *groups, const amc_weights *weights,
                         const amc_dataset *dataset, amc_error *err) {
    if (amc_dataset_check_input(path, graph->c, graph->h, err) < 0) return NULL;
    amc_host_model *model = amc_host_model_new(path, graph, 1, err);
    if (!model) return NULL;
    amc_grams *grams = grams_alloc(graph, groups, weights);
    amc_host_model_apply(model, graph, weights);
    collect(grams, model, dataset);
    amc_host_model_free(model);
    if (check_finite(grams, path, err) == 0) return grams;
    amc_grams_free(grams);
    return NULL;
}

void amc_grams_free(amc_grams *grams) {
    if (!grams) return;
    for (int l = 0; l < grams->graph->n; l++) {
        free(grams->layers[l].moments);
        free(grams->layers[l].means);
    }
    free(grams->layers);
    free(grams);
}
