// Fine-grained pruning: the weights of each layer in order of importance, so that any number of
// them can be kept and the others set to zero. Groups are those of a space of weights (see
// prune_space).

#ifndef AMC_MODEL_WEIGHT_RANKING_H
#define AMC_MODEL_WEIGHT_RANKING_H

#include "model/prune_space.h"
#include "model/weights_file.h"

typedef struct amc_weight_ranking amc_weight_ranking;

// Ranks once what every plan asks for, by the magnitude of scores, which stand where the weights do
// that they are of (so the weights themselves rank by magnitude). Borrows space and weights.
amc_weight_ranking *amc_weight_ranking_new(const amc_prune_space *space, const amc_weights *weights,
                                           const amc_weights *scores);
void amc_weight_ranking_free(amc_weight_ranking *ranking);

int amc_weight_ranking_groups(const amc_weight_ranking *ranking);

// A copy of the weights in which only the counts[g] first of each group g are left (the earlier
// one on a tie). Biases and batch normalization stay.
amc_weights *amc_weight_ranking_keep(const amc_weight_ranking *ranking, const int *counts);

// Weights that aren't zero of each group, as they are in a file. counts: (groups).
void amc_weight_ranking_count(const amc_prune_space *space, const amc_weights *weights,
                              int *counts);

#endif
