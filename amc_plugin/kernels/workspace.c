#include "kernels/workspace.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct buffer {
    void *at;    // or NULL
    size_t size; // bytes that fit
} buffer;

static _Thread_local buffer buffers[AMC_WORKSPACE_SLOTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key; // set in every thread that has buffers: its destructor frees them

static void release(void *of_thread) {
    buffer *all = of_thread;
    for (int i = 0; i < AMC_WORKSPACE_SLOTS; i++) {
        free(all[i].at);
        all[i] = (buffer){0};
    }
}

static void make_key(void) {
    pthread_key_create(&key, release);
}

static void *allocate(size_t size) {
    void *memory = NULL;
    if (posix_memalign(&memory, 64, size) == 0) return memory;
    fprintf(stderr, "amc: out of memory (%zu bytes of workspace)\n", size);
    exit(1);
}

void *amc_workspace_bytes(amc_workspace_slot slot, size_t size) {
    buffer *mine = &buffers[slot];
    if (size > mine->size) {
        pthread_once(&once, make_key);
        pthread_setspecific(key, buffers);
        free(mine->at);
        mine->at = allocate(size);
        mine->size = size;
    }
    return mine->at;
}

float *amc_workspace_get(amc_workspace_slot slot, size_t count) {
    return amc_workspace_bytes(slot, count * sizeof(float));
}
