#include "host/accuracy.h"

#include "base/clock.h"
#include "base/memory.h"

#include <assert.h>
#include <darknet.h>
#ifdef _OPENMP
#include <omp.h>
#endif

static int thread_number(void) {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static bool contains(const int *items, int n, int item) {
    for (int i = 0; i < n; i++)
        if (items[i] == item) return true;
    return false;
}

// What `n` images from `first` on give, in `outputs` of replica `thread`.
static const float *predict(amc_host_model *model, int thread, const amc_dataset *dataset,
                            int first, int n, float *input) {
    int c, h, w;
    amc_host_model_input(model, &c, &h, &w);
    for (int i = 0; i < n; i++)
        amc_dataset_input(dataset, first + i, h, w, input + (size_t)i * c * h * w);
    return amc_host_model_predict(model, thread, n, input);
}

amc_accuracy amc_accuracy_measure(amc_host_model *model, const amc_dataset *dataset, int k) {
    int c, h, w, top1 = 0, topk = 0, classes = amc_host_model_classes(model);
    int batch = amc_host_model_batch(model), share = dataset->n / amc_host_model_threads(model);
    if (share < batch) batch = share < 1 ? 1 : share;
    double start = amc_clock_seconds();
    amc_host_model_input(model, &c, &h, &w);
    assert(c == 3 && k > 0);
#pragma omp parallel num_threads(amc_host_model_threads(model)) reduction(+ : top1, topk)
    {
        float *input = amc_memory_alloc((size_t)batch * c * h * w, sizeof *input);
        int *best = amc_memory_alloc((size_t)k, sizeof *best);
#pragma omp for schedule(dynamic)
        for (int first = 0; first < dataset->n; first += batch) {
            int n = dataset->n - first < batch ? dataset->n - first : batch;
            const float *output = predict(model, thread_number(), dataset, first, n, input);
            for (int i = first; i < first + n; i++, output += classes) {
                top_k((float *)output, classes, k, best); // whose order of equal outputs is its own
                top1 += best[0] == dataset->images[i].label;
                topk += contains(best, k, dataset->images[i].label);
            }
        }
        free(best);
        free(input);
    }
    return (amc_accuracy){dataset->n, top1, topk, amc_clock_seconds() - start};
}

void amc_accuracy_images(amc_host_model *model, const amc_dataset *dataset, const int *images,
                         int n, bool *right) {
    int c, h, w, best;
    amc_host_model_input(model, &c, &h, &w);
    assert(c == 3);
#pragma omp parallel num_threads(amc_host_model_threads(model)) private(best)
    {
        float *input = amc_memory_alloc((size_t)c * h * w, sizeof *input);
#pragma omp for schedule(dynamic, 8)
        for (int i = 0; i < n; i++) {
            predict(model, thread_number(), dataset, images[i], input, 1, &best);
            right[i] = best == dataset->images[images[i]].label;
        }
        free(input);
    }
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
