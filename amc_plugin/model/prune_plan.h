// What is kept: one flag a unit of the channel groups. The noun that everything else shares: the
// search decides it, slice carries it out, cost_model prices it, policy.json stores it.

#ifndef AMC_MODEL_PRUNE_PLAN_H
#define AMC_MODEL_PRUNE_PLAN_H

#include "model/channel_groups.h"

typedef struct amc_prune_plan {
    int n_units;
    unsigned char *kept; // (n_units) 1 if the unit stays
} amc_prune_plan;

// A plan that keeps everything.
amc_prune_plan *amc_prune_plan_new(const amc_channel_groups *groups);
amc_prune_plan *amc_prune_plan_copy(const amc_prune_plan *plan);
void amc_prune_plan_free(amc_prune_plan *plan);

// How many units of group `g` the plan keeps.
int amc_prune_plan_count(const amc_prune_plan *plan, const amc_channel_groups *groups, int g);

// Keeps the `count` units of group `g` with the largest score (the earlier one on a tie) and
// removes its others. score: (n_units).
void amc_prune_plan_keep_best(amc_prune_plan *plan, const amc_channel_groups *groups, int g,
                              int count, const double *score);

// The same for every group. counts: (groups).
void amc_prune_plan_keep_counts(amc_prune_plan *plan, const amc_channel_groups *groups,
                                const int *counts, const double *score);

// How many channels the plan leaves of layer `layer`'s output.
int amc_prune_plan_channels(const amc_prune_plan *plan, const amc_channel_groups *groups,
                            const amc_layer_graph *graph, int layer);

// policy.json: {"groups": [{"layers": [3], "ratio": 0.5}, {"layers": [5, 8], "channels": [0, 2]}]}.
// `layers` names a group by its layers, or by as many of them as no other group has; `channels` are
// indices into the group's units (for a plain convolution: its filters). Groups that are not named
// stay whole. A ratio keeps max(1, round(ratio * units)) units, rounded to `round` channels, those
// of largest score. NULL with err set for a file that is missing, no such JSON, or names what isn't
// there.
amc_prune_plan *amc_prune_plan_load(const char *path, const amc_layer_graph *graph,
                                    const amc_channel_groups *groups, const double *score,
                                    int round, amc_error *err);

// Writes every prunable group with its layers, ratio and kept channels.
int amc_prune_plan_save(const amc_prune_plan *plan, const amc_layer_graph *graph,
                        const amc_channel_groups *groups, const char *path, amc_error *err);

#endif
