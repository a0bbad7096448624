#include "model/activation_memory.h"

#include "base/memory.h"

#include <stdlib.h>

struct amc_activation_memory {
    const amc_layer_graph *graph;
    int *owner; // (layers) the layer whose memory holds the output; AMC_NETWORK_INPUT: image's
    int *last;  // (layers) the last layer that reads what is held there; `n` if none does
    int last_of_image;
};

static int *last_of(amc_activation_memory *memory, int owner) {
    return owner == AMC_NETWORK_INPUT ? &memory->last_of_image : &memory->last[owner];
}

static int owner_of(const amc_activation_memory *memory, int output) {
    return output == AMC_NETWORK_INPUT ? AMC_NETWORK_INPUT : memory->owner[output];
}

amc_activation_memory *amc_activation_memory_new(const amc_layer_graph *graph) {
    amc_activation_memory *memory = amc_memory_alloc(1, sizeof *memory);
    memory->graph = graph;
    memory->owner = amc_memory_alloc((size_t)graph->n, sizeof *memory->owner);
    memory->last = amc_memory_alloc((size_t)graph->n, sizeof *memory->last);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        bool in_place = layer->type == AMC_DROPOUT;
        for (int i = 0; i < layer->n_inputs; i++)
            *last_of(memory, owner_of(memory, layer->inputs[i])) = l;
        memory->owner[l] = in_place ? owner_of(memory, layer->inputs[0]) : l;
        *last_of(memory, memory->owner[l]) = graph->n; // until somebody reads it
    }
    return memory;
}

void amc_activation_memory_free(amc_activation_memory *memory) {
    if (!memory) return;
    free(memory->owner);
    free(memory->last);
    free(memory);
}

int amc_activation_memory_owner(const amc_activation_memory *memory, int l) {
    return memory->owner[l];
}

int amc_activation_memory_last(const amc_activation_memory *memory, int l) {
    return memory->owner[l] == l ? memory->last[l] : -1;
}

static int64_t bytes_of(const amc_activation_memory *memory, const int *channels, int owner) {
    const amc_layer_graph *graph = memory->graph;
    if (owner == AMC_NETWORK_INPUT) return (int64_t)sizeof(float) * graph->c * graph->h * graph->w;
    const amc_layer *layer = &graph->layers[owner];
    int n = channels ? channels[owner] : layer->out_c;
    return (int64_t)sizeof(float) * n * layer->out_h * layer->out_w;
}

// What layer l is the last to read. A route may list a layer twice, which counts once.
static int64_t given_back(const amc_activation_memory *memory, const int *channels, int l) {
    const amc_layer *layer = &memory->graph->layers[l];
    int64_t sum = 0;
    for (int i = 0; i < layer->n_inputs; i++) {
        int owner = owner_of(memory, layer->inputs[i]);
        bool again = false;
        for (int k = 0; k < i; k++) again = again || owner_of(memory, layer->inputs[k]) == owner;
        int last = owner == AMC_NETWORK_INPUT ? memory->last_of_image : memory->last[owner];
        if (last == l && !again) sum += bytes_of(memory, channels, owner);
    }
    return sum;
}

int64_t amc_activation_memory_live(const amc_activation_memory *memory, const int *channels,
                                   int64_t *live) {
    int64_t now = bytes_of(memory, channels, AMC_NETWORK_INPUT), most = 0;
    for (int l = 0; l < memory->graph->n; l++) {
        if (memory->owner[l] == l) now += bytes_of(memory, channels, l);
        if (live) live[l] = now;
        if (now > most) most = now;
        now -= given_back(memory, channels, l);
    }
    return most;
}

int64_t amc_activation_memory_peak(const amc_layer_graph *graph) {
    amc_activation_memory *memory = amc_activation_memory_new(graph);
    int64_t peak = amc_activation_memory_live(memory, NULL, NULL);
    amc_activation_memory_free(memory);
    return peak;
}
