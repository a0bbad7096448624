#include "search/policy.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *names[AMC_POLICIES] = {"uniform", "shallow", "deep", "random"};

int amc_policy_find(const char *name) {
    for (int i = 0; i < AMC_POLICIES; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

// The share that step t of n keeps at strength s, which runs from 0 (all is kept) to 1 (nothing).
// It falls with s for every policy, so that a budget can be met by bisection. u: the step's draw.
static double share(amc_policy policy, int t, int n, double s, double u) {
    bool first_cut = policy == AMC_POLICY_SHALLOW ? t < n / 2 : t >= n / 2;
    switch (policy) {
    case AMC_POLICY_SHALLOW:
    case AMC_POLICY_DEEP: // strengths up to a half cut one half of the groups, then the other
        return first_cut ? fmax(0, 1 - 2 * s) : fmin(1, 2 - 2 * s);
    case AMC_POLICY_RANDOM: // uniform draws at s = 1/2, near 1 for small s, near 0 for large
        return s < 1 ? pow(u, s / (1 - s)) : 0;
    default:
        return 1 - s;
    }
}

static double *draw(const amc_prune_env *env, amc_policy policy, amc_rng *rng) {
    int n = amc_prune_env_steps(env);
    double *draws = amc_memory_alloc((size_t)n, sizeof *draws);
    for (int t = 0; policy == AMC_POLICY_RANDOM && t < n; t++) draws[t] = amc_rng_uniform(rng);
    return draws;
}

static void apply(amc_policy policy, const amc_prune_env *env, double s, const double *draws,
                  int *counts) {
    int n = amc_prune_env_steps(env);
    for (int t = 0; t < n; t++) {
        int g = amc_prune_env_group(env, t);
        counts[g] = amc_prune_env_round(env, g, share(policy, t, n, s, draws[t]));
    }
}

// Bisection for the smallest strength that meets the budget; 50 halvings are exact to the last
// count that rounding can tell apart.
void amc_policy_meet_budget(amc_policy policy, const amc_prune_env *env, amc_rng *rng,
                            int *counts) {
    double *draws = draw(env, policy, rng), low = 0, high = 1;
    amc_prune_env_whole(env, counts);
    for (int i = 0; i < 50; i++) {
        double s = (low + high) / 2;
        apply(policy, env, s, draws, counts);
        if (amc_prune_env_meets(env, counts))
            high = s;
        else
            low = s;
    }
    apply(policy, env, high, draws, counts); // at strength 1 all is at its least: feasible
    free(draws);
}

void amc_policy_draw(const amc_prune_env *env, amc_rng *rng, int *counts) {
    if (amc_prune_env_is_limited(env)) {
        amc_policy_meet_budget(AMC_POLICY_RANDOM, env, rng, counts);
        return;
    }
    double *draws = draw(env, AMC_POLICY_RANDOM, rng);
    amc_prune_env_whole(env, counts);
    apply(AMC_POLICY_RANDOM, env, amc_rng_uniform(rng), draws, counts);
    free(draws);
}

// Random shares, rounded down, at a strength; returns the mean share that is kept.
static double apply_below(const amc_prune_env *env, double s, const double *draws, int *counts) {
    int n = amc_prune_env_steps(env);
    double sum = 0;
    for (int t = 0; t < n; t++) {
        int g = amc_prune_env_group(env, t);
        counts[g] = amc_prune_env_floor(env, g, share(AMC_POLICY_RANDOM, t, n, s, draws[t]));
        sum += amc_prune_env_share(env, g, counts[g]);
    }
    return sum / n;
}

// The mildest random plan whose mean share is at most `keep`; false if there is none.
static bool keep_random(const amc_prune_env *env, double keep, const double *draws, int *counts) {
    double low = 0, high = 1;
    for (int i = 0; i < 50; i++) {
        double s = (low + high) / 2;
        if (apply_below(env, s, draws, counts) > keep)
            low = s;
        else
            high = s;
    }
    return apply_below(env, high, draws, counts) <= keep;
}

// `keep` of each group that the policy cuts; false if a group can't be cut so far.
static bool keep_each(amc_policy policy, const amc_prune_env *env, double keep, int *counts) {
    int n = amc_prune_env_steps(env);
    double s = policy == AMC_POLICY_UNIFORM ? 1 - keep : (1 - keep) / 2;
    bool kept = true;
    for (int t = 0; t < n; t++) {
        int g = amc_prune_env_group(env, t);
        double wish = share(policy, t, n, s, 0);
        counts[g] = amc_prune_env_floor(env, g, wish);
        kept = kept && amc_prune_env_share(env, g, counts[g]) <= wish + 1e-9;
    }
    return kept;
}

int amc_policy_keep(amc_policy policy, const amc_prune_env *env, double keep, amc_rng *rng,
                    int *counts, amc_error *err) {
    double *draws = draw(env, policy, rng);
    amc_prune_env_whole(env, counts);
    bool kept = policy == AMC_POLICY_RANDOM ? keep_random(env, keep, draws, counts)
                                            : keep_each(policy, env, keep, counts);
    free(draws);
    return kept ? 0 : amc_prune_env_refuse_share(env, keep, err);
}
