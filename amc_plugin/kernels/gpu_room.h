// Memory on the GPU for what a call needs for its time.

#ifndef AMC_KERNELS_GPU_ROOM_H
#define AMC_KERNELS_GPU_ROOM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Bytes that anybody may use until this is called again: one array that grows, for the calls of one
// thread on the default stream, which come one after another. NULL where there is no memory; the
// CUDA runtime's last error says so, too.
void *amc_gpu_room(size_t bytes);

#ifdef __cplusplus
}
#endif

#endif
