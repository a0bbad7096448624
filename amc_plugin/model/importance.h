// Scores of channels from weights alone: which units of a group a plan should keep.

#ifndef AMC_MODEL_IMPORTANCE_H
#define AMC_MODEL_IMPORTANCE_H

#include "model/channel_groups.h"
#include "model/weights_file.h"

typedef enum amc_criterion {
    AMC_CRITERION_L1,     // sum of |w| over all weights that make or read a unit's channels
    AMC_CRITERION_L2,     // sum of w^2 over the same
    AMC_CRITERION_BN,     // variance that the unit brings to the sums of the layers that read it
    AMC_CRITERION_RANDOM, // by chance
    AMC_CRITERIA,         // how many there are
} amc_criterion;

// The criterion named "l1", "l2", "bn" or "random"; -1 for another name.
int amc_criterion_find(const char *name);

// A new array (n_units) of scores, larger is more important; comparable within a group. A unit is
// scored by everything that makes its channels and everything that reads them, over all layers of
// its group: shortcuts and depthwise convolutions tie producers and consumers together, and what is
// removed is removed from all of them.
//
// bn: the variance of the unit's channels (gamma squared, after batch normalization) times the
// squared norm of the weights that read them, each filter scaled as its own batch normalization
// does. A filter's size alone means nothing once its output is normalized.
//
// seed: of AMC_CRITERION_RANDOM.
double *amc_importance_new(const amc_layer_graph *graph, const amc_channel_groups *groups,
                           const amc_weights *weights, amc_criterion criterion, uint64_t seed);

// What filter o of a layer multiplies its sum by: gamma / sigma of its batch normalization, or 1.
double amc_importance_factor(const amc_layer_weights *w, int o);

#endif
