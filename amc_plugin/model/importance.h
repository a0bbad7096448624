// Scores of channels from weights alone: which units of a group a plan should keep.

#ifndef AMC_MODEL_IMPORTANCE_H
#define AMC_MODEL_IMPORTANCE_H

#include "model/channel_groups.h"
#include "model/weights_file.h"

// A new array (n_units) of scores, larger is more important; comparable within a group.
double *amc_importance_new(const amc_layer_graph *graph, const amc_channel_groups *groups,
                           const amc_weights *weights);

#endif
