#include "kernels/gpu_descend.h"

enum { THREADS = 256 };

static __global__ void descend(size_t n, float rate, float decay, float momentum, bool hold_zeros,
                               float *w, float *updates) {
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= n) return;
    float step = hold_zeros && w[i] == 0 ? 0 : updates[i] - decay * w[i];
    w[i] += rate * step;
    updates[i] = momentum * step;
}

void amc_gpu_descend(size_t n, float rate, float decay, float momentum, bool hold_zeros, float *w,
                     float *updates) {
    descend<<<(unsigned)((n + THREADS - 1) / THREADS), THREADS>>>(n, rate, decay, momentum,
                                                                  hold_zeros, w, updates);
}
