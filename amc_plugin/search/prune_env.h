// The network as the agent walks it: one step a prunable group, in network order. It describes the
// group at hand (the paper's state), bounds and rounds the action so that the budgets are kept
// exactly, and prices what was decided. It never scores a plan.

#ifndef AMC_SEARCH_PRUNE_ENV_H
#define AMC_SEARCH_PRUNE_ENV_H

#include "model/prune_space.h"

// t, n, c, h, w, stride, k, FLOPs[t], reduced, rest, a[t-1]: equation 1 of the AMC paper; and one
// more.
#define AMC_PRUNE_ENV_STATE 12
#define AMC_PRUNE_ENV_FAIR 11 // the fair share

typedef struct amc_prune_env amc_prune_env;

typedef struct amc_prune_env_options {
    double budget[AMC_RESOURCES]; // as shares of what the whole network takes; 0 or 1: no limit
    double min_keep;              // least share of a group's units that is kept, in [0, 1]
    int round;                    // keep a multiple of this many channels where a group allows it
} amc_prune_env_options;

// NULL with err set if nothing can be pruned or a budget can't be met even where every group is
// cut as far as allowed (with the smallest share that can). Borrows space.
amc_prune_env *amc_prune_env_new(const amc_prune_space *space, amc_prune_env_options options,
                                 amc_error *err);
void amc_prune_env_free(amc_prune_env *env);

const amc_prune_space *amc_prune_env_space(const amc_prune_env *env);

// What states tell of: parameters where single weights are decided about or they are all that is
// limited, latency where that is, else multiply-accumulates; until another is set.
amc_resource amc_prune_env_resource(const amc_prune_env *env);
void amc_prune_env_set_resource(amc_prune_env *env, amc_resource resource);

int amc_prune_env_steps(const amc_prune_env *env);

// The least share that an action can ask for.
double amc_prune_env_min_keep(const amc_prune_env *env);

// The group that step t decides.
int amc_prune_env_group(const amc_prune_env *env, int t);

// Starts an episode: nothing is cut.
void amc_prune_env_reset(amc_prune_env *env);

// The state of the current step, each feature scaled to [0, 1] over the network; 0 where a feature
// is the same at every step. FLOPs, reduced and rest are of amc_prune_env_resource.
void amc_prune_env_state(const amc_prune_env *env, float state[AMC_PRUNE_ENV_STATE]);

// The share that the current group may keep where it and all later ones are kept alike, that is in
// proportion to the plan of amc_prune_env_set_prior, and within the budgets; 1 where that is
// everything.
double amc_prune_env_fair_share(const amc_prune_env *env);

// What to be fair by: a plan (groups) that is a good guess. Until one is set, all groups are alike.
// Starts an episode.
void amc_prune_env_set_prior(amc_prune_env *env, const int *counts);

// Decides the current group: `action` is the share of its units to keep. It is rounded, raised to
// the least and lowered to the most that lets the budgets be met when every later group is cut
// as far as allowed (algorithm 1 of the paper, over whole groups and after rounding). Returns the
// share that was carried out, which is what an agent has to remember.
double amc_prune_env_step(amc_prune_env *env, double action);

// Units kept of each group (groups), decided or not. Valid until the next step or reset.
const int *amc_prune_env_counts(const amc_prune_env *env);

// Fills counts (groups) with the units of the whole network.
void amc_prune_env_whole(const amc_prune_env *env, int *counts);

// The count of group g for a wished share, rounded and at least what the options allow: what every
// policy shares.
int amc_prune_env_round(const amc_prune_env *env, int g, double ratio);

// The largest count of group g that is at most that share of it: the whole group, a multiple of the
// rounding step, or where there is none the least that the options allow.
int amc_prune_env_floor(const amc_prune_env *env, int g, double ratio);

// The share of group g that `count` units are.
double amc_prune_env_share(const amc_prune_env *env, int g, int count);

// -1 with err set: some group can't be cut to the share `keep`, named with what it can be cut to.
int amc_prune_env_refuse_share(const amc_prune_env *env, double keep, amc_error *err);

// How much a plan takes of a resource, and when every group is cut as far as allowed.
int64_t amc_prune_env_cost(const amc_prune_env *env, amc_resource resource, const int *counts);
int64_t amc_prune_env_smallest(const amc_prune_env *env, amc_resource resource);

// How much it may take; the whole network's where there is no limit.
int64_t amc_prune_env_budget(const amc_prune_env *env, amc_resource resource);

// Whether there is a budget at all.
bool amc_prune_env_is_limited(const amc_prune_env *env);

// Whether a plan meets every budget.
bool amc_prune_env_meets(const amc_prune_env *env, const int *counts);

// What a plan takes of the resource that it exceeds most, as a share of that budget: at most 1
// where it meets them all, 0 where there is none.
double amc_prune_env_load(const amc_prune_env *env, const int *counts);

// The load, and on top what memory is exceeded by at every layer: what a cut has to bring down. The
// most memory alone often stays the same until several groups are cut.
double amc_prune_env_pressure(const amc_prune_env *env, const int *counts);

#endif
