#include "host/accuracy.h"

#include "base/clock.h"
#include "base/memory.h"
#include "host/predictions.h"

#include <assert.h>
#include <darknet.h>

static bool contains(const int *items, int n, int item) {
    for (int i = 0; i < n; i++)
        if (items[i] == item) return true;
    return false;
}

// The classes of the k largest outputs of each image.
typedef struct ranking {
    int classes, k;
    int *best; // (images, k)
} ranking;

// By Darknet's top_k, whose order of equal outputs is its own.
static void rank(void *context, int first, int n, const float *outputs) {
    const ranking *r = context;
    for (int i = 0; i < n; i++)
        top_k((float *)outputs + (size_t)i * r->classes, r->classes, r->k,
              r->best + (size_t)(first + i) * r->k);
}

// best: (n, k).
static void predict(amc_host_model *model, const amc_dataset *dataset, const int *images, int n,
                    int k, int *best) {
    assert(k > 0);
    ranking r = {amc_host_model_classes(model), k, best};
    amc_predictions_make(model, dataset, images, n, rank, &r);
}

amc_accuracy amc_accuracy_measure(amc_host_model *model, const amc_dataset *dataset, int k) {
    double start = amc_clock_seconds();
    amc_accuracy accuracy = {.images = dataset->n};
    int *best = amc_memory_alloc((size_t)dataset->n * (size_t)k, sizeof *best);
    predict(model, dataset, NULL, dataset->n, k, best);
    for (int i = 0; i < dataset->n; i++) {
        int label = dataset->images[i].label;
        accuracy.top1 += best[i * k] == label;
        accuracy.topk += contains(best + (size_t)i * k, k, label);
    }
    free(best);
    accuracy.seconds = amc_clock_seconds() - start;
    return accuracy;
}

void amc_accuracy_images(amc_host_model *model, const amc_dataset *dataset, const int *images,
                         int n, bool *right) {
    int *best = amc_memory_alloc((size_t)n, sizeof *best);
    predict(model, dataset, images, n, 1, best);
    for (int i = 0; i < n; i++) right[i] = best[i] == dataset->images[images[i]].label;
    free(best);
}

int amc_accuracy_check(const amc_host_model *model, const amc_data_file *data, const char *cfg_path,
                       amc_error *err) {
    int c, h, w, outputs = amc_host_model_classes(model);
    amc_host_model_input(model, &c, &h, &w);
    if (amc_dataset_check_input(cfg_path, c, h, err) < 0) return -1;
    if (outputs != data->classes)
        return amc_error_set(err, "%s: has %d outputs, expected %d (classes= in %s)", cfg_path,
                             outputs, data->classes, data->path);
    return 0;
}
