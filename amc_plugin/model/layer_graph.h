// The layers of a network with their shapes and edges, checked. Everything that Darknet would crash
// on, misread or silently replace by a default is refused here with the line it stands on, so that
// later code may trust a graph. It holds no weights and no Darknet structures.

#ifndef AMC_MODEL_LAYER_GRAPH_H
#define AMC_MODEL_LAYER_GRAPH_H

#include "model/cfg_text.h"

#include <stdint.h>

typedef enum amc_layer_type {
    AMC_CONVOLUTIONAL, // groups > 1 and depthwise (groups == c) too
    AMC_DECONVOLUTIONAL,
    AMC_LOCAL,
    AMC_CONNECTED,
    AMC_MAXPOOL,
    AMC_AVGPOOL,
    AMC_UPSAMPLE,
    AMC_REORG,
    AMC_CROP,
    AMC_SHORTCUT,
    AMC_ROUTE,
    AMC_ACTIVATION,
    AMC_DROPOUT,
    AMC_BATCHNORM,
    AMC_NORMALIZATION, // local response normalization
    AMC_L2NORM,
    AMC_SOFTMAX,
    AMC_LOGISTIC,
    AMC_COST,
    AMC_DETECTION,
    AMC_REGION,
    AMC_YOLO,
    AMC_LAYER_TYPES, // how many there are
} amc_layer_type;

// What a layer does with the channels that it reads.
typedef enum amc_channel_flow {
    AMC_FLOW_MAKES,   // new channels, one a filter: convolutional, connected
    AMC_FLOW_PASSES,  // hands them on one by one: maxpool, upsample, dropout, ...
    AMC_FLOW_ADDS,    // shortcut: two layers' channels, those of the same number
    AMC_FLOW_JOINS,   // route: several layers' channels, one layer after the other
    AMC_FLOW_SPREADS, // reorg to smaller images: aligned blocks of stride^2 channels
    AMC_FLOW_GATHERS, // reorg to larger images: channels that are c / stride^2 apart
    AMC_FLOW_NEEDS,   // a boundary: mixes them or wants a certain number, so none may go
} amc_channel_flow;

#define AMC_NETWORK_INPUT (-1) // as a layer's input: the image

typedef struct amc_layer {
    amc_layer_type type;
    amc_channel_flow flow;
    int line;                // 1-based line of its section in the .cfg
    int n_inputs;            // 1; 2 for shortcut; any number for route
    int *inputs;             // (n_inputs) layers it reads; AMC_NETWORK_INPUT for the image
    int c, h, w;             // shape of inputs[0]
    int out_c, out_h, out_w; // shape of the output
    bool flat;               // the output is numbers without height and width: (out_c, 1, 1)
    int size, stride, pad;   // of windows, as Darknet resolves them; 0 without
    int groups;              // convolutional; 1 elsewhere
    bool batch_normalize;    // convolutional, deconvolutional, connected; batchnorm itself
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

// The layer whose output is the network's: the last one that is not a cost layer.
int amc_layer_graph_output(const amc_layer_graph *graph);

// Numbers that a layer computes for an image, and the most that any does.
static inline int amc_layer_outputs(const amc_layer *layer) {
    return layer->out_c * layer->out_h * layer->out_w;
}
int amc_layer_graph_widest(const amc_layer_graph *graph);

// "convolutional", "maxpool", ...
const char *amc_layer_type_name(amc_layer_type type);

// Whether it is the last layer of a network that finds objects: detection, region or yolo.
bool amc_layer_detects(amc_layer_type type);

// Number of floats in a layer's weight array; 0 for layers without. A local layer has filters of
// its own for every position of its output.
int64_t amc_layer_weight_count(const amc_layer *layer);

#endif
