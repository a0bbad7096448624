// Scores of channels from weights alone: which units of a group a plan should keep.

#ifndef AMC_MODEL_IMPORTANCE_H
#define AMC_MODEL_IMPORTANCE_H

#include "model/channel_groups.h"
#include "model/weights_file.h"

// A new array (n_units) of scores, larger is more important; comparable within a group. A unit's
// score is the variance that it brings to the sums of the layers that read it: the variance of its
// channels (gamma squared, after batch normalization) times the squared norm of the weights that
// read them, each filter scaled as its own batch normalization does. Weights alone can't say: a
// filter's size means nothing once its output is normalized.
double *amc_importance_new(const amc_layer_graph *graph, const amc_channel_groups *groups,
                           const amc_weights *weights);

#endif
