#include "host/predictions.h"

#include "base/memory.h"
#include "kernels/parallel.h"

#include <assert.h>
#include <stdlib.h>

// A batch is small enough for every thread to get one.
void amc_predictions_make(amc_host_model *model, const amc_dataset *dataset, const int *images,
                          int n, amc_predictions_take *take, void *context) {
    int c, h, w, batch = amc_host_model_batch(model), share = n / amc_host_model_threads(model);
    if (share < batch) batch = share < 1 ? 1 : share;
    amc_host_model_input(model, &c, &h, &w);
    assert(c == 3);
    size_t inputs = (size_t)c * h * w;
#pragma omp parallel num_threads(amc_host_model_threads(model))
    {
        float *input = amc_memory_alloc((size_t)batch * inputs, sizeof *input);
#pragma omp for schedule(dynamic)
        for (int first = 0; first < n; first += batch) {
            int count = n - first < batch ? n - first : batch;
            for (int i = 0; i < count; i++)
                amc_dataset_input(dataset, images[first + i], h, w, input + i * inputs);
            take(context, first, count,
                 amc_host_model_predict(model, amc_parallel_thread(), count, input));
        }
        free(input);
    }
}
