// The training step of one array on the GPU; its twins for the CPU are in kernels/vector.

#ifndef AMC_KERNELS_GPU_DESCEND_H
#define AMC_KERNELS_GPU_DESCEND_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// step = updates - decay w; w += rate step; updates = momentum step. All (n), in the GPU's memory.
// Where zeros are held, w that are exactly zero stay zero, and their updates become 0.
void amc_gpu_descend(size_t n, float rate, float decay, float momentum, bool hold_zeros, float *w,
                     float *updates);

#ifdef __cplusplus
}
#endif

#endif
