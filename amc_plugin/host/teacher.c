#include "host/teacher.h"

#include "kernels/parallel.h"

#include <darknet.h>

#include <assert.h>
#include <blas.h>
#include <math.h>

static amc_host_model *teacher;
static float share; // of the truth that is the teacher's

void amc_teacher_install(amc_host_model *model, float of_truth) {
    teacher = model;
    share = of_truth;
}

// y <- share * teacher(x) + (1 - share) * y, of n images on one thread.
static void blend(int thread, int n, const float *x, float *y) {
    const float *said = amc_host_model_predict(teacher, thread, n, x);
    int outputs = n * amc_host_model_classes(teacher);
    for (int i = 0; i < outputs; i++) y[i] += share * (said[i] - y[i]);
}

// x (n, inputs), y (n, classes)
static void blend_batch(int inputs, int n, const float *x, float *y) {
    int c, h, w, most = amc_host_model_batch(teacher), threads = amc_host_model_threads(teacher);
    amc_host_model_input(teacher, &c, &h, &w);
    assert(inputs == c * h * w);
    int part = (n + threads - 1) / threads;
    if (part > most) part = most;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int first = 0; first < n; first += part)
        blend(amc_parallel_thread(), n - first < part ? n - first : part,
              x + (size_t)first * inputs, y + (size_t)first * amc_host_model_classes(teacher));
}

void __real_get_next_batch(data d, int n, int offset, float *X, float *y);

void __wrap_get_next_batch(data d, int n, int offset, float *X, float *y) {
    __real_get_next_batch(d, n, offset, X, y);
    if (teacher && y) blend_batch(d.X.cols, n, X, y);
}

void __real_softmax_x_ent_cpu(int n, float *pred, float *truth, float *delta, float *error);

// Darknet's error is -log(pred) of every class whose truth isn't 0, whatever that truth is.
void __wrap_softmax_x_ent_cpu(int n, float *pred, float *truth, float *delta, float *error) {
    __real_softmax_x_ent_cpu(n, pred, truth, delta, error);
    if (!teacher) return;
    for (int i = 0; i < n; i++) error[i] *= truth[i];
}

#ifdef GPU

void __real_softmax_x_ent_gpu(int n, float *pred, float *truth, float *delta, float *error);

void __wrap_softmax_x_ent_gpu(int n, float *pred, float *truth, float *delta, float *error) {
    __real_softmax_x_ent_gpu(n, pred, truth, delta, error);
    if (teacher) mul_gpu(n, truth, 1, error, 1);
}

#endif
