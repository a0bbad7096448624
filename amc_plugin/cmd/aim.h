// What search and prune have in common of what they aim at: units of which kind are decided about,
// and within which budgets.

#ifndef AMC_CMD_AIM_H
#define AMC_CMD_AIM_H

#include "search/prune_env.h"

// As given on the command line; what is NULL or not given is left to the command.
typedef struct amc_aim {
    const char *granularity;      // "channel" or "weight"
    const char *criterion;        // see cmd/repair
    double budget[AMC_RESOURCES]; // shares that may be left,
    bool given[AMC_RESOURCES];    // where there is such a budget
    bool remeasure;               // latencies, whatever is kept of them
    double min_keep;
    int round;
} amc_aim;

// Channels, no budget: what there is before options are read.
amc_aim amc_aim_unlimited(double min_keep);

// Which kind of units the command is about. -1 with err set where options contradict each other, or
// for an unknown criterion.
int amc_aim_check(const amc_aim *aim, const char *command, amc_granularity *granularity,
                  amc_error *err);

// Whether there is a budget.
bool amc_aim_is_limited(const amc_aim *aim);

// "50.00% of the FLOPs and 60.00% of the latency", new text; "" without a budget.
char *amc_aim_text(const amc_aim *aim);

// The environment's limits; 1 for budgets that are not given.
amc_prune_env_options amc_aim_limits(const amc_aim *aim);

#endif
