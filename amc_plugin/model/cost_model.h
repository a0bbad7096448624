// What a network or a plan costs: multiply-accumulates (the paper's "FLOPs") and parameters of its
// layers.

#ifndef AMC_MODEL_COST_MODEL_H
#define AMC_MODEL_COST_MODEL_H

#include "model/channel_groups.h"

// Multiply-accumulates of one layer for one image; 0 for layers without weights.
int64_t amc_cost_layer_macs(const amc_layer *layer);

// Floats of one layer in the .weights file: weights, biases and batch normalization.
int64_t amc_cost_layer_params(const amc_layer *layer);

int64_t amc_cost_macs(const amc_layer_graph *graph);
int64_t amc_cost_params(const amc_layer_graph *graph);

// Prices keep counts without building a plan: units of a group are interchangeable in cost.
typedef struct amc_cost_model amc_cost_model;

// Borrows graph and groups, which must outlive it.
amc_cost_model *amc_cost_model_new(const amc_layer_graph *graph, const amc_channel_groups *groups);
void amc_cost_model_free(amc_cost_model *model);

// counts: (groups) units kept of each group.
int64_t amc_cost_model_macs(const amc_cost_model *model, const int *counts);
int64_t amc_cost_model_params(const amc_cost_model *model, const int *counts);

// The same of one layer.
int64_t amc_cost_model_layer_macs(const amc_cost_model *model, const int *counts, int layer);
int64_t amc_cost_model_layer_params(const amc_cost_model *model, const int *counts, int layer);

// The channels that a layer reads from its first input, and those that it makes or hands on.
int amc_cost_model_layer_in(const amc_cost_model *model, const int *counts, int layer);
int amc_cost_model_layer_out(const amc_cost_model *model, const int *counts, int layer);

// The channels that rounding works on: the smallest number of units s of group g such that keeping
// s more keeps every layer of it at a multiple of `round` channels. At most the group's size.
int amc_cost_model_step(const amc_cost_model *model, int g, int round);

// What is nearest to ratio * units: a multiple of that step, or the whole group (which is always
// allowed, even where it is no multiple). At least one step.
int amc_cost_model_round(const amc_cost_model *model, int g, double ratio, int round);

#endif
