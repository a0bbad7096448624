#include "host/divergence.h"

#include "base/memory.h"
#include "host/predictions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 1e-6

struct amc_divergence {
    amc_host_model *model;
    const amc_dataset *dataset;
    int n, classes;
    int *images;   // (n) of the dataset
    float *before; // (n, classes)
};

// Where outputs go.
typedef struct table {
    float *outputs; // (images, classes)
    int classes;
} table;

static void store(void *context, int first, int n, const float *outputs) {
    const table *t = context;
    memcpy(t->outputs + (size_t)first * t->classes, outputs,
           (size_t)n * t->classes * sizeof *outputs);
}

// (n, classes), new memory.
static float *outputs_of(const amc_divergence *d) {
    table t = {amc_memory_alloc((size_t)d->n * d->classes, sizeof(float)), d->classes};
    amc_predictions_make(d->model, d->dataset, d->images, d->n, store, &t);
    return t.outputs;
}

amc_divergence *amc_divergence_new(amc_host_model *model, const amc_dataset *dataset, int most) {
    amc_divergence *d = amc_memory_alloc(1, sizeof *d);
    int n = dataset->n < most ? dataset->n : most;
    *d = (amc_divergence){model, dataset, n, amc_host_model_classes(model), NULL, NULL};
    d->images = amc_memory_alloc((size_t)n, sizeof *d->images);
    for (int i = 0; i < n; i++) d->images[i] = (int)((long)dataset->n * i / n);
    d->before = outputs_of(d);
    return d;
}

void amc_divergence_free(amc_divergence *divergence) {
    if (!divergence) return;
    free(divergence->images);
    free(divergence->before);
    free(divergence);
}

double amc_divergence_measure(const amc_divergence *d) {
    float *now = outputs_of(d);
    double sum = 0;
    for (size_t i = 0; i < (size_t)d->n * d->classes; i++) {
        double p = fmax(d->before[i], LEAST), q = fmax(now[i], LEAST);
        sum += p * log(p / q) - p + q;
    }
    free(now);
    return isfinite(sum) ? fmin(fmax(sum / d->n, 0), AMC_DIVERGENCE_MOST) : AMC_DIVERGENCE_MOST;
}
