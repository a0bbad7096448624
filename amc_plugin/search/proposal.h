// Where an episode's plan comes from: given or drawn in the warm-up, then the agent's, or the best
// plan so far with some changes. A proposal is a walk through the environment; what its actions
// were worth is told afterwards.

#ifndef AMC_SEARCH_PROPOSAL_H
#define AMC_SEARCH_PROPOSAL_H

#include "agent/ddpg.h"
#include "search/prune_env.h"
#include "search/score_cache.h"

// How the agent searches. The defaults are what finds good plans soonest; amc_proposal_paper() has
// what He et al. 2018 did, to compare with. Without a budget there are no fair shares: actions are
// shares then, and warm-up plans of all sizes are drawn.
typedef struct amc_proposal_manner {
    amc_ddpg_options agent; // its `low` and `warmup_episodes` are set by the search
    bool relative;          // an action says how much more or less than its fair share a group gets
    double spread;          // deviation of warm-up actions from fair ones; 0: drawn uniformly
    double elite;           // share of episodes after the warm-up that vary the best plan so far:
    double elite_steps;     // that share of its actions,
    double elite_sigma;     // with that deviation
    int tries;              // walks for a plan that was not scored yet, at most
} amc_proposal_manner;

amc_proposal_manner amc_proposal_defaults(void);
amc_proposal_manner amc_proposal_paper(int steps);

typedef struct amc_proposal_options {
    int warmup;       // first episodes, which are drawn
    const int *given; // (n_given, groups) plans to try before; borrowed
    int n_given;
    bool random; // all episodes are drawn: the baseline that a learning agent has to beat
    uint64_t seed;
    amc_proposal_manner manner;
} amc_proposal_options;

typedef struct amc_proposal amc_proposal;

// Borrows env, which it walks.
amc_proposal *amc_proposal_new(amc_prune_env *env, amc_proposal_options options);
void amc_proposal_free(amc_proposal *proposal);

// Walks to the plan of the next episode, which are then the environment's counts: one that `scored`
// doesn't know, if that can be found, since an episode on a known one is lost.
void amc_proposal_next(amc_proposal *proposal, const amc_score_cache *scored);

// Tells what the last walk was worth, and whether it was better than all before.
void amc_proposal_learn(amc_proposal *proposal, double reward, bool best);

#endif
