// Scratch memory of each thread, kept between calls and grown when needed, so that kernels don't
// allocate in their loops. Freed when the thread ends.

#ifndef AMC_KERNELS_WORKSPACE_H
#define AMC_KERNELS_WORKSPACE_H

#include <stddef.h>

// A thread has one buffer a slot; asking again for a slot invalidates what was handed out for it
// before.
typedef enum amc_workspace_slot {
    AMC_WORKSPACE_CALL,    // for the whole of one kernel's call, shared with the threads it starts
    AMC_WORKSPACE_WEIGHTS, // the same, for weights in another form
    AMC_WORKSPACE_TASK,    // for one thread's piece of that call
    AMC_WORKSPACE_TABLES,  // of whole numbers, for that piece
    AMC_WORKSPACE_HOST,    // for the caller of kernels
    AMC_WORKSPACE_SLOTS,
} amc_workspace_slot;

// At least `count` floats, 64-byte aligned, contents undefined.
float *amc_workspace_get(amc_workspace_slot slot, size_t count);

// At least `size` bytes of the same.
void *amc_workspace_bytes(amc_workspace_slot slot, size_t size);

#endif
