// Turns counts into networks: which channels, or which weights, are kept where so many are.

#ifndef AMC_CMD_CHOOSER_H
#define AMC_CMD_CHOOSER_H

#include "cmd/pruned.h"
#include "search/prune_env.h"

typedef struct amc_chooser {
    const amc_network *network;   // borrowed, and the next
    const amc_repair *repair;     // of the networks that are made
    const amc_prune_space *space; // what counts are of; borrowed
    double *unit_score;           // (units) importance of channels; NULL for weights
    double *loss;                 // (units) what host/elimination says; 0 where it says nothing
    amc_weight_ranking *ranking;  // of weights; NULL for channels
} amc_chooser;

// criterion: see amc_repair_importance and amc_repair_weight_importance. -1 with err set.
int amc_chooser_open(amc_chooser *chooser, const amc_network *network, const amc_prune_space *space,
                     const amc_repair *repair, const char *criterion, uint64_t seed,
                     amc_error *err);
void amc_chooser_close(amc_chooser *chooser);

// A plan that is a good guess, counts (groups), without scoring any: channels go by what their
// removal costs those that read them. False where that isn't known.
bool amc_chooser_guess(const amc_chooser *chooser, const amc_prune_env *env, int *counts);

// The network that keeps counts (groups).
amc_pruned amc_chooser_make(const amc_chooser *chooser, const int *counts);

// The network of a policy.json, whose ratios are rounded to multiples of `round` channels. -1 with
// err set.
int amc_chooser_load(const amc_chooser *chooser, const char *path, int round, amc_pruned *pruned,
                     amc_error *err);

#endif
