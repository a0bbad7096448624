// Policies that first measure what it costs to cut each group alone (search/sensitivity), and show
// how far they are on stderr.

#ifndef AMC_CMD_MEASURED_POLICY_H
#define AMC_CMD_MEASURED_POLICY_H

#include "cmd/chooser.h"
#include "cmd/scorer.h"
#include "search/checkpoint.h"
#include "search/prune_env.h"

// "fp": every group is cut to where it alone costs the same accuracy. "greedy": channels are given
// up one by one, those first that cost least for what they save, by how far the outputs diverge
// from the whole network's (host/divergence).
bool amc_measured_policy_is(const char *name);

// The policy's plan for the environment's budgets, as counts (groups), measured on the scorer's
// images.
void amc_measured_policy_meet_budget(const char *name, amc_scorer *scorer,
                                     const amc_chooser *chooser, const amc_prune_env *env,
                                     bool quiet, int *counts);

// Greedy's plans for the budgets of several environments, which differ in nothing else, from one
// measurement: counts (n, groups). What is measured is recorded in the checkpoint, and not measured
// where it was; NULL: neither. -1 with err set where that can't be, or was interrupted.
int amc_measured_policy_greedy(amc_scorer *scorer, const amc_chooser *chooser,
                               const amc_prune_env *const *envs, int n, amc_checkpoint *checkpoint,
                               bool quiet, int *counts, amc_error *err);

#endif
