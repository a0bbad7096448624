#include "kernels/gpu_room.h"

static void *room;
static size_t held;

void *amc_gpu_room(size_t bytes) {
    if (bytes <= held) return room;
    cudaFree(room);
    bool done = cudaMalloc(&room, bytes) == cudaSuccess;
    if (!done) room = NULL;
    held = done ? bytes : 0;
    return room;
}
