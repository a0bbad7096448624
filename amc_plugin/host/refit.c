#include "host/refit.h"

#include "base/memory.h"
#include "host/addend.h"
#include "host/calibrator.h"
#include "host/gpu.h"
#include "host/grams.h"
#include "host/patch_rows.h"
#include "kernels/gemm.h"
#include "kernels/regression.h"
#include "model/importance.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    MOST_ROWS = 1 << 15,
    LEAST_EACH = 6,   // rows for each number that a filter reads, at least
    MOST_READ = 4608, // numbers: moments grow with their square, a solve with their cube
};

// Of the images and what a network makes of them: half a dozen networks are refitted in a search.
#define MOST_BYTES (2LL << 30)

// Of what is noted of all layers.
#define MOST_NOTED (3LL << 30)

// A filter is left alone where its sums times less than this are what normalization makes of them.
#define LEAST_FACTOR 1e-6f

// Towards the filters as they are.
#define RIDGE 1e-2

// What a layer of the original network computes, normalized, with what a shortcut adds to it.
typedef struct target {
    int places;   // of each image; 0: the layer is left alone
    int shortcut; // that alone reads the layer, see addend.h; -1: nothing is added
    float *y;     // (images * places, out_c)
} target;

struct amc_refit {
    amc_calibrator *calibrator; // its own
    const amc_layer_graph *graph;
    const amc_channel_groups *groups;
    const amc_weights *weights;
    target *targets; // (layers)
    int rows;        // places at which a layer's outputs are noted
    // While a plan's network is refitted:
    const amc_prune_plan *plan; // NULL: single weights are gone
    const amc_layer_graph *small_graph;
    amc_weights *small;
};

static int reads(const amc_layer *layer) {
    return layer->c * amc_patch_rows_each(layer);
}

static bool can_be_fitted(const amc_layer *layer) {
    return layer->flow == AMC_FLOW_MAKES && layer->groups == 1 &&
           layer->inputs[0] != AMC_NETWORK_INPUT && reads(layer) <= MOST_READ;
}

static int count_rows(const amc_layer_graph *graph) {
    long long outputs = 1;
    for (int l = 0; l < graph->n; l++)
        if (can_be_fitted(&graph->layers[l])) outputs += graph->layers[l].out_c;
    long long rows = MOST_NOTED / (long long)sizeof(float) / outputs;
    return rows < MOST_ROWS ? (int)rows : MOST_ROWS;
}

// Of each image, at which there is something to fit the layer to; 0 where it is left alone.
static int count_places(const amc_refit *refit, int l) {
    const amc_layer *layer = &refit->graph->layers[l];
    int images = amc_calibrator_images(refit->calibrator);
    if (!can_be_fitted(layer)) return 0;
    int places = amc_patch_rows_places(layer, images, refit->rows);
    return (long)places * images >= (long)LEAST_EACH * reads(layer) ? places : 0;
}

// (images * places, what a filter reads), new memory.
static float *read_rows(const amc_layer *layer, const float *x, int images, int places) {
    size_t inputs = (size_t)layer->c * layer->h * layer->w, d = (size_t)reads(layer);
    float *rows = amc_memory_alloc((size_t)images * places * d, sizeof *rows);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < images; i++)
        amc_patch_rows_read(layer, x + i * inputs, places, (uint64_t)i,
                            rows + (size_t)i * places * d);
    return rows;
}

// ---- the original network -----------------------------------------------------------------------

// What makes a sum of one of the original's filters what its activation gets: factor * sum + shift.
typedef struct unit_scale {
    float factor, shift;
} unit_scale;

static unit_scale scale_of(const amc_layer_weights *w, int o) {
    if (!w->scales) return (unit_scale){1, w->biases[o]};
    float factor = (float)amc_importance_factor(w, o);
    return (unit_scale){factor, w->biases[o] - factor * w->means[o]};
}

static void scale_sums(const amc_layer_weights *w, int n, float *y) {
    for (int o = 0; o < w->n; o++) {
        unit_scale scale = scale_of(w, o);
        for (int i = 0; i < n; i++) {
            float *sum = &y[(size_t)i * w->n + o];
            *sum = *sum * scale.factor + scale.shift;
        }
    }
}

// y (n, filters) and what the shortcut adds at those places, as the network of `graph` runs.
static void add_shortcut(const amc_refit *refit, const amc_layer_graph *graph, int l, float *y) {
    const target *t = &refit->targets[l];
    size_t n = (size_t)amc_calibrator_images(refit->calibrator) * t->places;
    if (t->shortcut < 0) return;
    float *added = amc_addend_read(refit->calibrator, graph, l, t->places);
    for (size_t i = 0; i < n * graph->layers[l].out_c; i++) y[i] += added[i];
    free(added);
}

static void note(void *context, int l, const float *input) {
    amc_refit *refit = context;
    const amc_layer *layer = &refit->graph->layers[l];
    const amc_layer_weights *w = &refit->weights->layers[l];
    target *t = &refit->targets[l];
    t->places = count_places(refit, l);
    if (!t->places) return;
    t->shortcut = amc_addend_shortcut(refit->calibrator, refit->graph, l);
    int images = amc_calibrator_images(refit->calibrator), n = images * t->places, d = reads(layer);
    float *rows = read_rows(layer, input, images, t->places);
    t->y = amc_memory_alloc((size_t)n * layer->out_c, sizeof *t->y);
    amc_gemm_parallel(false, true, n, layer->out_c, d, 1, rows, d, w->weights, d, 0, t->y,
                      layer->out_c);
    free(rows);
    scale_sums(w, n, t->y);
    add_shortcut(refit, refit->graph, l, t->y);
}

amc_refit *amc_refit_new(const char *path, const amc_layer_graph *graph,
                         const amc_channel_groups *groups, const amc_weights *weights,
                         const amc_dataset *dataset, amc_error *err) {
    if (amc_gpu_start(err) < 0) return NULL;
    if (amc_gpu_started()) {
        amc_error_set(err, "-refit computes on the CPU, expected -nogpu or -refit 0");
        return NULL;
    }
    amc_calibrator *calibrator = amc_calibrator_new(path, graph, dataset, MOST_BYTES, err);
    if (!calibrator) return NULL;
    amc_refit *refit = amc_memory_alloc(1, sizeof *refit);
    *refit = (amc_refit){.calibrator = calibrator,
                         .graph = graph,
                         .groups = groups,
                         .weights = weights,
                         .rows = count_rows(graph)};
    refit->targets = amc_memory_alloc((size_t)graph->n, sizeof *refit->targets);
    amc_calibrator_look(calibrator, graph, weights, note, refit);
    return refit;
}

void amc_refit_free(amc_refit *refit) {
    if (!refit) return;
    for (int l = 0; l < refit->graph->n; l++) free(refit->targets[l].y);
    free(refit->targets);
    amc_calibrator_free(refit->calibrator);
    free(refit);
}

int amc_refit_images(const amc_refit *refit) {
    return amc_calibrator_images(refit->calibrator);
}

// ---- a plan's network ---------------------------------------------------------------------------

static bool stays(const amc_refit *refit, int l, int o) {
    return !refit->plan || refit->plan->kept[refit->groups->unit[l][o]];
}

// Of what was noted, the outputs that stay: (n, kept), new memory.
static float *kept_targets(const amc_refit *refit, int l, int n, int kept) {
    int all = refit->graph->layers[l].out_c;
    float *y = amc_memory_alloc((size_t)n * kept, sizeof *y), *to = y;
    for (int i = 0; i < n; i++)
        for (int o = 0; o < all; o++)
            if (stays(refit, l, o)) *to++ = refit->targets[l].y[(size_t)i * all + o];
    return y;
}

// Those of the filters that stay; new memory.
static unit_scale *kept_scales(const amc_refit *refit, int l) {
    const amc_layer_weights *whole = &refit->weights->layers[l];
    unit_scale *scales = amc_memory_alloc((size_t)whole->n, sizeof *scales), *to = scales;
    for (int o = 0; o < whole->n; o++)
        if (stays(refit, l, o)) *to++ = scale_of(whole, o);
    return scales;
}

static void scale_filters(const unit_scale *scales, int filters, int d, const float *from,
                          float *to) {
    for (int f = 0; f < filters; f++)
        for (int j = 0; j < d; j++) *to++ = *from++ * scales[f].factor;
}

// Normalization takes away mean and deviation of what filter f computes, and has to bring them back
// as they are in the fitted (n, filters).
static void set_normalization(const float *fitted, int n, int filters, int f, bool negative,
                              amc_layer_weights *w) {
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++) mean += fitted[(size_t)i * filters + f];
    mean /= n;
    for (int i = 0; i < n; i++) squares += pow(fitted[(size_t)i * filters + f] - mean, 2);
    float deviation = (float)sqrt(squares / n);
    w->scales[f] = negative ? -deviation : deviation;
    w->biases[f] = (float)mean;
}

// The filters in the sizes that they had before; those that normalization takes nothing of stay.
static void store(const unit_scale *scales, const float *filters, const float *intercepts,
                  const float *fitted, int n, int d, amc_layer_weights *w) {
    for (int f = 0; f < w->n; f++) {
        float factor = scales[f].factor;
        if (fabsf(factor) < LEAST_FACTOR) continue;
        for (int j = 0; j < d; j++)
            w->weights[(size_t)f * d + j] = filters[(size_t)f * d + j] / factor;
        if (w->scales)
            set_normalization(fitted, n, w->n, f, factor < 0, w);
        else
            w->biases[f] = intercepts[f];
    }
}

// What has to come out right is the sum where a shortcut adds to what the layer computes.
static void fit_sums(const amc_refit *refit, int l, const amc_regression *regression, int n,
                     float *y, float *filters, float *intercepts) {
    const target *t = &refit->targets[l];
    int count = refit->small->layers[l].n, last = t->shortcut < 0 ? l : t->shortcut;
    float slope = amc_calibrator_slope(refit->calibrator, last), *added = NULL;
    if (t->shortcut >= 0)
        added = amc_addend_read(refit->calibrator, refit->small_graph, l, t->places);
    if (slope < 1) {
        amc_regression_fit_activated(regression, y, count, slope, added, filters, intercepts);
    } else {
        for (size_t i = 0; i < (size_t)n * count && added; i++) y[i] -= added[i];
        amc_regression_fit(regression, y, count, filters, intercepts);
    }
    free(added);
}

// To rows x (n, what filters read) and what the original has there, y (n, filters), of which it
// makes what is fitted.
static void fit(const amc_refit *refit, int l, float *x, float *y, int n) {
    amc_layer_weights *w = &refit->small->layers[l];
    int d = reads(&refit->small_graph->layers[l]);
    float *filters = amc_memory_alloc((size_t)w->n * d, sizeof *filters);
    float *intercepts = amc_memory_alloc((size_t)w->n, sizeof *intercepts);
    unit_scale *scales = kept_scales(refit, l);
    scale_filters(scales, w->n, d, w->weights, filters);
    amc_regression *regression = amc_regression_new(x, n, d, RIDGE, !refit->plan);
    fit_sums(refit, l, regression, n, y, filters, intercepts);
    store(scales, filters, intercepts, y, n, d, w);
    amc_regression_free(regression);
    free(scales);
    free(intercepts);
    free(filters);
}

static void refit_layer(void *context, int l, const float *input) {
    amc_refit *refit = context;
    const amc_layer *layer = &refit->small_graph->layers[l];
    const target *t = &refit->targets[l];
    if (!t->places || (!refit->plan && reads(layer) > AMC_GRAMS_MOST_SINGLE)) return;
    int images = amc_calibrator_images(refit->calibrator), n = images * t->places;
    float *x = read_rows(layer, input, images, t->places);
    float *y = kept_targets(refit, l, n, layer->out_c);
    fit(refit, l, x, y, n);
    free(y);
    free(x);
}

void amc_refit_run(amc_refit *refit, const amc_prune_plan *plan, const amc_layer_graph *graph,
                   amc_weights *small) {
    refit->plan = plan;
    refit->small_graph = graph;
    refit->small = small;
    amc_calibrator_run(refit->calibrator, graph, small, refit_layer, refit);
}
