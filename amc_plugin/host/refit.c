#include "host/refit.h"

#include "base/memory.h"
#include "host/patch_rows.h"
#include "kernels/gemm.h"
#include "kernels/least_squares.h"

#include <stdlib.h>

enum {
    ROWS = 1 << 13,   // places at which a layer's outputs are noted, about
    LEAST_EACH = 6,   // rows for each number that a filter reads, at least
    MOST_READ = 1300, // numbers: a solve grows with their cube
};

// Towards the filters as they are.
#define RIDGE 1e-2

// What a layer of the original network computes, before normalization.
typedef struct target {
    int places; // of each image; 0: the layer is left alone
    float *y;   // (images * places, out_c)
} target;

struct amc_refit {
    amc_calibrator *calibrator;
    const amc_layer_graph *graph;
    const amc_channel_groups *groups;
    const amc_weights *weights;
    target *targets; // (layers)
    // While a plan's network is refitted:
    const amc_prune_plan *plan;
    const amc_layer_graph *small_graph;
    amc_weights *small;
};

static int reads(const amc_layer *layer) {
    return layer->c * amc_patch_rows_each(layer);
}

// Rows that there are to fit the layer to, 0 where it is left alone.
static int count_places(const amc_refit *refit, int l) {
    const amc_layer *layer = &refit->graph->layers[l];
    int images = amc_calibrator_images(refit->calibrator);
    if (layer->flow != AMC_FLOW_MAKES || layer->groups > 1) return 0;
    if (layer->inputs[0] == AMC_NETWORK_INPUT || reads(layer) > MOST_READ) return 0;
    int places = amc_patch_rows_places(layer, images, ROWS);
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

static void note(void *context, int l, const float *input) {
    amc_refit *refit = context;
    const amc_layer *layer = &refit->graph->layers[l];
    target *t = &refit->targets[l];
    t->places = count_places(refit, l);
    if (!t->places) return;
    int images = amc_calibrator_images(refit->calibrator), n = images * t->places, d = reads(layer);
    float *rows = read_rows(layer, input, images, t->places);
    t->y = amc_memory_alloc((size_t)n * layer->out_c, sizeof *t->y);
    amc_gemm_parallel(false, true, n, layer->out_c, d, 1, rows, d,
                      refit->weights->layers[l].weights, d, 0, t->y, layer->out_c);
    free(rows);
}

amc_refit *amc_refit_new(amc_calibrator *calibrator, const amc_layer_graph *graph,
                         const amc_channel_groups *groups, const amc_weights *weights) {
    if (!amc_calibrator_visits(calibrator)) return NULL;
    amc_refit *refit = amc_memory_alloc(1, sizeof *refit);
    *refit = (amc_refit){calibrator, graph, groups, weights, NULL, NULL, NULL, NULL};
    refit->targets = amc_memory_alloc((size_t)graph->n, sizeof *refit->targets);
    amc_calibrator_look(calibrator, graph, weights, note, refit);
    return refit;
}

void amc_refit_free(amc_refit *refit) {
    if (!refit) return;
    for (int l = 0; l < refit->graph->n; l++) free(refit->targets[l].y);
    free(refit->targets);
    free(refit);
}

// ---- a plan's network ---------------------------------------------------------------------------

// Of what was noted, the outputs that stay: (n, kept), new memory.
static float *kept_targets(const amc_refit *refit, int l, int n, int kept) {
    int all = refit->graph->layers[l].out_c;
    const int *units = refit->groups->unit[l];
    float *y = amc_memory_alloc((size_t)n * kept, sizeof *y), *to = y;
    for (int i = 0; i < n; i++)
        for (int o = 0; o < all; o++)
            if (refit->plan->kept[units[o]]) *to++ = refit->targets[l].y[(size_t)i * all + o];
    return y;
}

// Without normalization, whose means are re-estimated anyway, biases take up what is missing in the
// mean.
static void set_biases(const amc_refit *refit, int l, const float *intercepts) {
    const amc_layer_weights *whole = &refit->weights->layers[l];
    amc_layer_weights *small = &refit->small->layers[l];
    if (small->means) return;
    const int *units = refit->groups->unit[l];
    for (int o = 0, f = 0; o < whole->n; o++)
        if (refit->plan->kept[units[o]]) {
            small->biases[f] = whole->biases[o] + intercepts[f];
            f++;
        }
}

static void refit_layer(void *context, int l, const float *input) {
    amc_refit *refit = context;
    const amc_layer *layer = &refit->small_graph->layers[l];
    const target *t = &refit->targets[l];
    if (!t->places) return;
    int images = amc_calibrator_images(refit->calibrator), n = images * t->places;
    float *x = read_rows(layer, input, images, t->places);
    float *y = kept_targets(refit, l, n, layer->out_c);
    float *intercepts = amc_memory_alloc((size_t)layer->out_c, sizeof *intercepts);
    amc_least_squares_fit(x, y, n, reads(layer), layer->out_c, RIDGE,
                          refit->small->layers[l].weights, intercepts);
    set_biases(refit, l, intercepts);
    free(intercepts);
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
