// The processor on which Darknet's networks compute: one GPU in builds with GPU=1, else the CPU.
// Until a GPU is started, Darknet's networks stay off it, in such builds too.

#ifndef AMC_HOST_GPU_H
#define AMC_HOST_GPU_H

#include "base/error.h"

#include <stdbool.h>

#ifdef GPU

static inline bool amc_gpu_built(void) {
    return true;
}

// Which GPU amc_gpu_start is to start; -1, as from the start, for none.
void amc_gpu_choose(int index);
int amc_gpu_chosen(void);

// Makes sure that the chosen GPU works and has Darknet make networks for it from now on, or for the
// CPU where none is chosen; done before, it costs nothing. A network has to be freed where it was
// made. -1 with err set if the driver, or the GPU, isn't there.
int amc_gpu_start(amc_error *err);

// Whether networks that are made from now on compute on a GPU.
bool amc_gpu_started(void);

#else

static inline bool amc_gpu_built(void) {
    return false;
}

static inline void amc_gpu_choose(int index) {
    (void)index; // there is only the one processor
}

static inline int amc_gpu_chosen(void) {
    return -1;
}

static inline int amc_gpu_start(amc_error *err) {
    (void)err;
    return 0;
}

static inline bool amc_gpu_started(void) {
    return false;
}

#endif

#endif
