#include "cmd/search_start.h"

#include "base/memory.h"
#include "cmd/measured_policy.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum {
    LEAST_MEASURED = 32, // images: fewer say too little of a plan to measure by
    MOST_SIZES = 10,
};

int amc_search_start_prior(amc_scorer *scorer, const amc_chooser *chooser, amc_prune_env *env,
                           amc_checkpoint *checkpoint, bool quiet, amc_error *err) {
    int *counts = amc_memory_alloc((size_t)amc_prune_env_space(env)->n, sizeof *counts);
    const amc_prune_env *envs[] = {env};
    int status = 0;
    bool known = scorer->dataset->n >= LEAST_MEASURED;
    if (known)
        status =
            amc_measured_policy_greedy(scorer, chooser, envs, 1, checkpoint, quiet, counts, err);
    else
        known = amc_chooser_guess(chooser, env, counts);
    if (known && status == 0) amc_prune_env_set_prior(env, counts);
    free(counts);
    return status;
}

// An environment whose budget lies between everything and the least that can be, the i-th of n in
// even ratios.
static amc_prune_env *sized_env(const amc_prune_env *env, amc_prune_env_options limits, int i,
                                int n) {
    amc_resource resource = amc_prune_env_resource(env);
    double least =
        (double)amc_prune_env_smallest(env, resource) / (double)amc_prune_env_budget(env, resource);
    limits.budget[resource] = pow(least, (double)(i + 1) / (n + 1));
    amc_error err;
    amc_prune_env *sized = amc_prune_env_new(amc_prune_env_space(env), limits, &err);
    assert(sized); // no less than the least
    return sized;
}

int amc_search_start_sizes(amc_scorer *scorer, const amc_chooser *chooser, const amc_prune_env *env,
                           amc_prune_env_options limits, int most, amc_checkpoint *checkpoint,
                           bool quiet, int **plans, int *n, amc_error *err) {
    *plans = NULL;
    *n = most < MOST_SIZES ? most : MOST_SIZES;
    if (scorer->dataset->n < LEAST_MEASURED) *n = 0;
    if (*n == 0) return 0;
    amc_prune_env **envs = amc_memory_alloc((size_t)*n, sizeof *envs);
    for (int i = 0; i < *n; i++) envs[i] = sized_env(env, limits, i, *n);
    *plans = amc_memory_alloc((size_t)*n * (size_t)amc_prune_env_space(env)->n, sizeof **plans);
    int status = amc_measured_policy_greedy(scorer, chooser, (const amc_prune_env *const *)envs, *n,
                                            checkpoint, quiet, *plans, err);
    for (int i = 0; i < *n; i++) amc_prune_env_free(envs[i]);
    free(envs);
    return status;
}
