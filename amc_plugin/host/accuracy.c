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

// The classes with the k largest outputs for image i, by Darknet's top_k, whose order of equal
// outputs is its own.
static void predict(amc_host_model *model, int thread, const amc_dataset *dataset, int i,
                    float *input, int k, int *best) {
    int c, h, w;
    amc_host_model_input(model, &c, &h, &w);
    amc_dataset_input(dataset, i, h, w, input);
    const float *output = amc_host_model_predict(model, thread, input);
    top_k((float *)output, amc_host_model_classes(model), k, best);
}

amc_accuracy amc_accuracy_measure(amc_host_model *model, const amc_dataset *dataset, int k) {
    int c, h, w, top1 = 0, topk = 0;
    double start = amc_clock_seconds();
    amc_host_model_input(model, &c, &h, &w);
    assert(c == 3 && k > 0);
#pragma omp parallel num_threads(amc_host_model_threads(model)) reduction(+ : top1, topk)
    {
        float *input = amc_memory_alloc((size_t)c * h * w, sizeof *input);
        int *best = amc_memory_alloc((size_t)k, sizeof *best);
#pragma omp for schedule(dynamic, 8)
        for (int i = 0; i < dataset->n; i++) {
            predict(model, thread_number(), dataset, i, input, k, best);
            top1 += best[0] == dataset->images[i].label;
            topk += contains(best, k, dataset->images[i].label);
        }
        free(best);
        free(input);
    }
    return (amc_accuracy){dataset->n, top1, topk, amc_clock_seconds() - start};
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
