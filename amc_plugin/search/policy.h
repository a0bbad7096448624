// Handcrafted and random policies: shapes over the groups, scaled to a budget or a keep ratio.

#ifndef AMC_SEARCH_POLICY_H
#define AMC_SEARCH_POLICY_H

#include "base/rng.h"
#include "search/prune_env.h"

typedef enum amc_policy {
    AMC_POLICY_UNIFORM, // every group keeps the same share
    AMC_POLICY_SHALLOW, // the first half of the groups is cut; the second once that is used up
    AMC_POLICY_DEEP,    // the second half is cut; the first once that is used up
    AMC_POLICY_RANDOM,  // each group's share is drawn, then all are scaled together
    AMC_POLICIES,       // how many there are
} amc_policy;

// The policy named "uniform", "shallow", "deep" or "random"; -1 for another name.
int amc_policy_find(const char *name);

// The policy's mildest plan that meets the environment's budgets, as counts (groups). rng is drawn
// from by AMC_POLICY_RANDOM only.
void amc_policy_meet_budget(amc_policy policy, const amc_prune_env *env, amc_rng *rng, int *counts);

// A random plan that is as good a guess as any: the mildest that meets the budgets, or where there
// are none one of any strength. counts: (groups).
void amc_policy_draw(const amc_prune_env *env, amc_rng *rng, int *counts);

// The policy's plan at a channel keep ratio: at most that share of every group that it cuts,
// rounded down to what the environment's rounding allows (random: at most that share in the mean
// over the groups). Not bound to the budget. -1 with err set if a group's least is more than the
// share.
int amc_policy_keep(amc_policy policy, const amc_prune_env *env, double keep, amc_rng *rng,
                    int *counts, amc_error *err);

#endif
