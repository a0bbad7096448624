#include "host/accuracy.h"

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/parallel.h"

#include <assert.h>
#include <darknet.h>

static bool contains(const int *items, int n, int item) {
    for (int i = 0; i < n; i++)
        if (items[i] == item) return true;
    return false;
}

// A list of images of a dataset, or with NULL the first n.
typedef struct image_list {
    const amc_dataset *dataset;
    const int *images;
    int n;
} image_list;

static int image_at(const image_list *list, int i) {
    return list->images ? list->images[i] : i;
}

// best (n, k): the classes of the k largest outputs for images first .. first + n of the list, by
// Darknet's top_k, whose order of equal outputs is its own.
static void predict(amc_host_model *model, int thread, const image_list *list, int first, int n,
                    float *input, int k, int *best) {
    int c, h, w, classes = amc_host_model_classes(model);
    amc_host_model_input(model, &c, &h, &w);
    for (int i = 0; i < n; i++)
        amc_dataset_input(list->dataset, image_at(list, first + i), h, w,
                          input + (size_t)i * c * h * w);
    const float *output = amc_host_model_predict(model, thread, n, input);
    for (int i = 0; i < n; i++)
        top_k((float *)output + (size_t)i * classes, classes, k, best + i * k);
}

// best (list->n, k) of all images, a batch at a time, small enough for every thread to get one.
static void predict_list(amc_host_model *model, const image_list *list, int k, int *best) {
    int c, h, w, batch = amc_host_model_batch(model),
                 share = list->n / amc_host_model_threads(model);
    if (share < batch) batch = share < 1 ? 1 : share;
    amc_host_model_input(model, &c, &h, &w);
    assert(c == 3 && k > 0);
#pragma omp parallel num_threads(amc_host_model_threads(model))
    {
        float *input = amc_memory_alloc((size_t)batch * c * h * w, sizeof *input);
#pragma omp for schedule(dynamic)
        for (int first = 0; first < list->n; first += batch) {
            int n = list->n - first < batch ? list->n - first : batch;
            predict(model, amc_parallel_thread(), list, first, n, input, k,
                    best + (size_t)first * k);
        }
        free(input);
    }
}

amc_accuracy amc_accuracy_measure(amc_host_model *model, const amc_dataset *dataset, int k) {
    double start = amc_clock_seconds();
    amc_accuracy accuracy = {.images = dataset->n};
    int *best = amc_memory_alloc((size_t)dataset->n * (size_t)k, sizeof *best);
    predict_list(model, &(image_list){dataset, NULL, dataset->n}, k, best);
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
    predict_list(model, &(image_list){dataset, images, n}, 1, best);
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
