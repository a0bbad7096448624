// Where a search starts: greedy's plan, or plans, as measured on the scorer's images.

#ifndef AMC_CMD_SEARCH_START_H
#define AMC_CMD_SEARCH_START_H

#include "cmd/chooser.h"
#include "cmd/scorer.h"
#include "search/checkpoint.h"
#include "search/prune_env.h"

// Within budgets: sets what the environment is fair by to greedy's plan, or where there are few
// images to surgeon's, if that is to be had. What is measured is recorded in the checkpoint. -1
// with err set where that can't be.
int amc_search_start_prior(amc_scorer *scorer, const amc_chooser *chooser, amc_prune_env *env,
                           amc_checkpoint *checkpoint, bool quiet, amc_error *err);

// Without a budget, limits as the environment's: greedy's plans of at most so many sizes from
// everything to the least that can be, to be freed: *plans (*n, groups); NULL with *n = 0 where
// there are few images. As above.
int amc_search_start_sizes(amc_scorer *scorer, const amc_chooser *chooser, const amc_prune_env *env,
                           amc_prune_env_options limits, int most, amc_checkpoint *checkpoint,
                           bool quiet, int **plans, int *n, amc_error *err);

#endif
