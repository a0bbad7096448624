// policy.json of fine-grained pruning, the share of weights that each layer keeps:
//     {"granularity": "weight", "groups": [{"layers": [3], "ratio": 0.5}, ...]}
// Layers that are not named stay whole.

#ifndef AMC_MODEL_WEIGHT_POLICY_H
#define AMC_MODEL_WEIGHT_POLICY_H

#include "model/prune_space.h"

// Fills counts (groups of a space of weights). -1 with err set for a file that is missing, no such
// JSON, or names what isn't there.
int amc_weight_policy_load(const amc_prune_space *space, const char *path, int *counts,
                           amc_error *err);

int amc_weight_policy_save(const amc_prune_space *space, const int *counts, const char *path,
                           amc_error *err);

#endif
