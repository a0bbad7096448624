// The layers of a network with their shapes and edges, checked. Everything that Darknet would crash
// on, misread or silently replace by a default is refused here with the line it stands on, so that
// later code may trust a graph. It holds no weights and no Darknet structures.

#ifndef AMC_MODEL_LAYER_GRAPH_H
#define AMC_MODEL_LAYER_GRAPH_H

#include "model/cfg_text.h"

#include <stdint.h>

typedef enum amc_layer_type {
    AMC_CONVOLUTIONAL, // groups > 1 and depthwise (groups == c) too
    AMC_CONNECTED,
    AMC_MAXPOOL,
    AMC_AVGPOOL,
    AMC_DROPOUT,
    AMC_SOFTMAX,
    AMC_COST,
    AMC_SHORTCUT,
    AMC_ROUTE,
    AMC_LAYER_TYPES, // how many there are
} amc_layer_type;

#define AMC_NETWORK_INPUT (-1) // as a layer's input: the image

typedef struct amc_layer {
    amc_layer_type type;
    int line;                // 1-based line of its section in the .cfg
    int n_inputs;            // 1; 2 for shortcut; any number for route
    int *inputs;             // (n_inputs) layers it reads; AMC_NETWORK_INPUT for the image
    int c, h, w;             // shape of inputs[0]
    int out_c, out_h, out_w; // shape of the output
    int size, stride, pad;   // convolutional, maxpool; pad as Darknet resolves it
    int groups;              // convolutional; 1 elsewhere
    bool batch_normalize;    // convolutional, connected
} amc_layer;

typedef struct amc_layer_graph {
    char *path;        // of the .cfg, for messages
    int c, h, w;       // the network's input image
    int n;             // layers
    amc_layer *layers; // (n)
} amc_layer_graph;

// Builds and checks the graph of a .cfg; NULL with err set ("file:line: what, expected ...").
amc_layer_graph *amc_layer_graph_new(const amc_cfg_text *cfg, amc_error *err);
amc_layer_graph *amc_layer_graph_copy(const amc_layer_graph *graph);
void amc_layer_graph_free(amc_layer_graph *graph);

// "convolutional", "maxpool", ...
const char *amc_layer_type_name(amc_layer_type type);

// Whether the layer makes new channels from its inputs (convolutional or connected).
bool amc_layer_has_weights(const amc_layer *layer);

// The layer whose output is the network's: the last one that is not a cost layer.
int amc_layer_graph_output(const amc_layer_graph *graph);

// Number of floats in a layer's weight array: n*(c/groups)*size*size, or outputs*inputs.
int64_t amc_layer_weight_count(const amc_layer *layer);

#endif
