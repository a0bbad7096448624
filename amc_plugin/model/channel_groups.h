// Which channels must be kept or removed together, from the graph alone.
//
// Every output channel of every layer is mapped to a *unit*: the smallest set of channels that go
// together. A convolution makes one new unit a filter; pooling, upsampling and dropout hand units
// on; a route concatenates them; a shortcut merges those of its two sides below the smaller channel
// count; a reorg merges the stride^2 channels of each of its blocks; a convolution in g groups
// merges, for each of its blocks, the block's input and output channels, so that whole blocks go
// (depthwise: a block is one channel). Units that nothing may remove (the image's channels, the
// network's output, what a boundary such as softmax or yolo reads or makes) are fixed.
//
// A *group* is the set of units that are made by the same filters of the same layers, hence
// interchangeable in cost: the agent takes one decision for each group, in network order.

#ifndef AMC_MODEL_CHANNEL_GROUPS_H
#define AMC_MODEL_CHANNEL_GROUPS_H

#include "model/layer_graph.h"

// Lists of layers are in network order.
typedef struct amc_channel_group {
    int n_units;
    int *units;      // (n_units) ids, in channel order
    int n_layers;    // layers whose filters make the units
    int *layers;     // (n_layers)
    int n_followers; // layers that hand them on: maxpool, shortcut, route, ...
    int *followers;  // (n_followers)
    int n_consumers; // layers that read them to make other channels, boundaries included
    int *consumers;  // (n_consumers)
    bool prunable;   // false: all units are always kept
    char *why;       // why it isn't prunable; NULL if it is
} amc_channel_group;

typedef struct amc_channel_groups {
    int n_units;
    int *group_of;   // (n_units) group of a unit; -1 for what no filter makes: always kept
    int **unit;      // (layers)(out_c) unit of each output channel of each layer
    int *image_unit; // (c) unit of each channel of the image
    int n_layers;
    int n;                     // groups
    amc_channel_group *groups; // ordered by first layer
} amc_channel_groups;

amc_channel_groups *amc_channel_groups_new(const amc_layer_graph *graph);
void amc_channel_groups_free(amc_channel_groups *groups);

// The units that the channels of `layer`'s input number `which` carry: an array as long as that
// input has channels, owned by `groups`.
const int *amc_channel_groups_input(const amc_channel_groups *groups, const amc_layer_graph *graph,
                                    int layer, int which);

// How many channels of `layer`'s output each unit of the group is; 0 if it has none there.
int amc_channel_groups_each(const amc_channel_groups *groups, const amc_layer_graph *graph, int g,
                            int layer);

// Keeps the group that `layer` makes channels for whole. -1 with err set if it makes none.
int amc_channel_groups_skip(amc_channel_groups *groups, const amc_layer_graph *graph, int layer,
                            amc_error *err);

#endif
