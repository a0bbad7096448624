#include "host/accuracy.h"

#include "base/clock.h"
#include "base/memory.h"
#include "host/predictions.h"

#include <assert.h>
#include <darknet.h>
#include <math.h>

static bool contains(const int *items, int n, int item) {
    for (int i = 0; i < n; i++)
        if (items[i] == item) return true;
    return false;
}

// Where what is said of images goes.
typedef struct ranking {
    int classes, k;
    int *best;               // (images, k) classes of the k largest outputs
    const amc_image *images; // that are ranked; NULL where nobody asks for
    float *certain;          // (images) the probability of the image's class
} ranking;

// The probability that outputs (classes) give to a class; none where they aren't numbers.
static float probability(const float *outputs, int classes, int class, int largest) {
    float sum = 0, least = 0;
    for (int i = 0; i < classes; i++) {
        sum += outputs[i];
        least = fminf(least, outputs[i]);
    }
    if (!isfinite(sum)) return 0;
    bool are_probabilities = least >= 0 && fabsf(sum - 1) < 0.01f;
    return are_probabilities ? fminf(outputs[class], 1) : class == largest;
}

// By Darknet's top_k, whose order of equal outputs is its own.
static void rank(void *context, int first, int n, const float *outputs) {
    const ranking *r = context;
    for (int i = 0; i < n; i++, outputs += r->classes) {
        int *best = r->best + (size_t)(first + i) * r->k;
        top_k((float *)outputs, r->classes, r->k, best);
        if (!r->images) continue;
        int label = r->images[first + i].label;
        r->certain[first + i] = probability(outputs, r->classes, label, best[0]);
    }
}

static int *range(int first, int n) {
    int *indices = amc_memory_alloc((size_t)n, sizeof *indices);
    for (int i = 0; i < n; i++) indices[i] = first + i;
    return indices;
}

void amc_accuracy_add(amc_accuracy *accuracy, amc_host_model *model, const amc_dataset *dataset,
                      int first, int n, int k) {
    double start = amc_clock_seconds();
    assert(k > 0 && first >= 0 && first + n <= dataset->n);
    int *best = amc_memory_alloc((size_t)n * (size_t)k, sizeof *best);
    float *certain = amc_memory_alloc((size_t)n, sizeof *certain);
    ranking r = {amc_host_model_classes(model), k, best, dataset->images + first, certain};
    int *indices = range(first, n);
    amc_predictions_make(model, dataset, indices, n, rank, &r);
    for (int i = 0; i < n; i++) {
        int label = r.images[i].label;
        accuracy->top1 += best[i * k] == label;
        accuracy->topk += contains(best + (size_t)i * k, k, label);
        accuracy->certain += certain[i];
    }
    free(indices);
    free(certain);
    free(best);
    accuracy->images += n;
    accuracy->seconds += amc_clock_seconds() - start;
}

amc_accuracy amc_accuracy_measure(amc_host_model *model, const amc_dataset *dataset, int k) {
    amc_accuracy accuracy = {0};
    amc_accuracy_add(&accuracy, model, dataset, 0, dataset->n, k);
    return accuracy;
}

void amc_accuracy_images(amc_host_model *model, const amc_dataset *dataset, const int *images,
                         int n, bool *right) {
    int *best = amc_memory_alloc((size_t)n, sizeof *best);
    ranking r = {amc_host_model_classes(model), 1, best, NULL, NULL};
    amc_predictions_make(model, dataset, images, n, rank, &r);
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
