// Policies that first measure how accuracy falls as each group alone is cut (search/sensitivity),
// on the scorer's images, and show how far they are on stderr.

#ifndef AMC_CMD_MEASURED_POLICY_H
#define AMC_CMD_MEASURED_POLICY_H

#include "cmd/chooser.h"
#include "cmd/scorer.h"
#include "search/prune_env.h"

// "fp": every group is cut to where it alone costs the same accuracy. "greedy": channels are given
// up one by one, those that cost least for what they save first.
bool amc_measured_policy_is(const char *name);

// The policy's plan for the environment's budgets, as counts (groups).
void amc_measured_policy_meet_budget(const char *name, amc_scorer *scorer,
                                     const amc_chooser *chooser, const amc_prune_env *env,
                                     int *counts);

#endif
