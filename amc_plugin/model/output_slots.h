// Layers' outputs that can share memory: an output lives until the last layer that reads it has
// run, then its place is free for those of layers to come.

#ifndef AMC_MODEL_OUTPUT_SLOTS_H
#define AMC_MODEL_OUTPUT_SLOTS_H

#include "model/layer_graph.h"

#include <stddef.h>

typedef struct amc_output_slots {
    int n;          // slots
    size_t *floats; // (n) of an image that each has to hold
    int layers;
    int *slot; // (layers) where each layer's output goes; a dropout's is its input's, -1: the image
} amc_output_slots;

amc_output_slots *amc_output_slots_new(const amc_layer_graph *graph);
void amc_output_slots_free(amc_output_slots *slots);

// Floats of an image in all slots together.
int64_t amc_output_slots_floats(const amc_output_slots *slots);

#endif
