// What it costs to cut each group alone, and the plans that follow from that without any
// learning: what a person would do by hand.

#ifndef AMC_SEARCH_SENSITIVITY_H
#define AMC_SEARCH_SENSITIVITY_H

#include "search/prune_env.h"

#include <stdbool.h>

enum { AMC_SENSITIVITY_LEVELS = 10 }; // shares that are tried: tenths, the whole included

typedef struct amc_sensitivity amc_sensitivity;

// How much worse a plan, counts (groups), is than others: errors, or divergence. The first one is
// the whole network; done: plans so far, of `all` at most.
typedef double amc_sensitivity_harm(void *context, const int *counts, int done, int all);

// Measures plans that cut one group each, to every level that the environment's rounding and least
// share allow, as soon as somebody asks what lies there. Borrows env and context.
amc_sensitivity *amc_sensitivity_measure(const amc_prune_env *env, amc_sensitivity_harm *harm,
                                         void *context);

// The same without measuring, from what the removal of units costs those that read them: losses
// (groups), of each group what its units add in the order in which they go, (units of the group),
// or NULL where that isn't known, which is taken for the mean of the others. Sums of losses are
// raised to the power of 1.5: a network bears two small errors better than one of twice the size.
amc_sensitivity *amc_sensitivity_of_losses(const amc_prune_env *env, double *const *losses);
void amc_sensitivity_free(amc_sensitivity *sensitivity);

// What it costs where step t's group alone keeps `share`, by that measure, between levels in
// proportion. Never less for a smaller share.
double amc_sensitivity_drop(amc_sensitivity *sensitivity, int t, double share);

// Every group is cut until it alone would cost the same, the least that meets the budgets
// (Li et al., Pruning Filters for Efficient ConvNets, 2017). counts: (groups).
void amc_sensitivity_level(amc_sensitivity *sensitivity, int *counts);

// Units are given up one by one, always those that cost least for what goes of the
// resource whose budget is exceeded most, until all are met: those of env, which may differ from
// the sensitivity's in its budgets.
void amc_sensitivity_exchange(amc_sensitivity *sensitivity, const amc_prune_env *env, int *counts);

#endif
