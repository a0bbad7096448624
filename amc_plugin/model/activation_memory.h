// The most memory that a network's activations take at a time, for one image of floats: layers run
// in order, and a layer's output lives until the last layer that reads it has run, what nobody
// reads (the network's outputs) until the end. The image counts, weights don't; dropout works in
// place and takes none. That is what a program takes which gives memory back as soon as it can;
// Darknet itself keeps all outputs.

#ifndef AMC_MODEL_ACTIVATION_MEMORY_H
#define AMC_MODEL_ACTIVATION_MEMORY_H

#include "model/layer_graph.h"

typedef struct amc_activation_memory amc_activation_memory;

// Who reads what last. Borrows graph.
amc_activation_memory *amc_activation_memory_new(const amc_layer_graph *graph);
void amc_activation_memory_free(amc_activation_memory *memory);

// The layer whose memory holds what layer l computes (its own, but for dropout; AMC_NETWORK_INPUT:
// the image's), and the last layer that reads what layer l's own memory holds: the number of layers
// if none does, -1 if it has none.
int amc_activation_memory_owner(const amc_activation_memory *memory, int l);
int amc_activation_memory_last(const amc_activation_memory *memory, int l);

// Bytes that live while each layer runs: live (layers), where layer l makes channels[l] of its
// output (layers), or all of them with NULL. Returns the most.
int64_t amc_activation_memory_live(const amc_activation_memory *memory, const int *channels,
                                   int64_t *live);

// The most of a whole graph.
int64_t amc_activation_memory_peak(const amc_layer_graph *graph);

#endif
