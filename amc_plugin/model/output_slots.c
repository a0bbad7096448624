#include "model/output_slots.h"

#include "base/memory.h"
#include "model/activation_memory.h"

#include <stdbool.h>
#include <stdlib.h>

// The slot that is free and wastes or lacks least; a new one where none is free.
static int choose_slot(amc_output_slots *slots, const bool *taken, size_t floats) {
    int best = -1;
    for (int k = 0; k < slots->n; k++) {
        if (taken[k]) continue;
        bool fits = slots->floats[k] >= floats;
        bool best_fits = best >= 0 && slots->floats[best] >= floats;
        bool smaller = best >= 0 && slots->floats[k] < slots->floats[best];
        if (best < 0 || (fits && !best_fits) || (fits == best_fits && smaller == fits)) best = k;
    }
    if (best < 0) best = slots->n++;
    if (slots->floats[best] < floats) slots->floats[best] = floats;
    return best;
}

amc_output_slots *amc_output_slots_new(const amc_layer_graph *graph) {
    amc_output_slots *slots = amc_memory_alloc(1, sizeof *slots);
    amc_activation_memory *memory = amc_activation_memory_new(graph);
    bool *taken = amc_memory_alloc((size_t)graph->n, sizeof *taken);
    slots->layers = graph->n;
    slots->slot = amc_memory_alloc((size_t)graph->n, sizeof *slots->slot);
    slots->floats = amc_memory_alloc((size_t)graph->n, sizeof *slots->floats);
    for (int l = 0; l < graph->n; l++) {
        int owner = amc_activation_memory_owner(memory, l);
        if (owner != l) {
            slots->slot[l] = owner == AMC_NETWORK_INPUT ? -1 : slots->slot[owner];
        } else {
            slots->slot[l] =
                choose_slot(slots, taken, (size_t)amc_layer_outputs(&graph->layers[l]));
            taken[slots->slot[l]] = true;
        }
        for (int k = 0; k <= l; k++)
            if (amc_activation_memory_last(memory, k) == l) taken[slots->slot[k]] = false;
    }
    free(taken);
    amc_activation_memory_free(memory);
    return slots;
}

void amc_output_slots_free(amc_output_slots *slots) {
    if (!slots) return;
    free(slots->slot);
    free(slots->floats);
    free(slots);
}

int64_t amc_output_slots_floats(const amc_output_slots *slots) {
    int64_t sum = 0;
    for (int k = 0; k < slots->n; k++) sum += (int64_t)slots->floats[k];
    return sum;
}
