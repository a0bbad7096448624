// DDPG (Lillicrap et al. 2016) as AMC uses it: one continuous action in [low, 1] a step, short
// episodes, and one reward that is known only when the episode is over.
//
// Not here: what the states mean, the budget, and the warm-up's actions; the caller decides those.
// An agent's results depend on its options, its seed and what it is told, and on nothing else,
// as long as OpenBLAS runs with one thread.

#ifndef AMC_AGENT_DDPG_H
#define AMC_AGENT_DDPG_H

#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct amc_ddpg_options {
    double low;             // the least action; actions are in [low, 1]
    int hidden;             // units in each of the two hidden layers of actor and critic
    double actor_rate;      // Adam's learning rates
    double critic_rate;
    int batch;              // transitions in an update
    int replay;             // transitions remembered
    double tau;             // share of the online networks in a target update (paper mode)
    double gamma;           // discount (paper mode)
    int warmup_episodes;    // first episodes, in which nothing is learnt and sigma stays
    double sigma;           // exploration noise at the start
    double sigma_decay;     // factor an episode after the warm-up
    double sigma_floor;     // sigma never falls below
    int updates_per_step;   // of critic and actor, for each step of a finished episode
    double baseline_rate;   // b <- rate * b + (1 - rate) * reward
    bool paper;             // the paper's Q target, see amc_ddpg_end_episode
    int mode, norm, invgrad, nstate; double elite; // EXPERIMENT
} amc_ddpg_options;

typedef struct amc_ddpg amc_ddpg;
amc_ddpg_options amc_ddpg_defaults(void);
amc_ddpg *amc_ddpg_new(int state_size, amc_ddpg_options options, uint64_t seed);
void amc_ddpg_free(amc_ddpg *agent); // NULL is fine
double amc_ddpg_greedy(amc_ddpg *agent, const float *state);
double amc_ddpg_act(amc_ddpg *agent, const float *state);
void amc_ddpg_end_episode(amc_ddpg *agent, const float *states, const double *actions, int steps, double reward);
double amc_ddpg_sigma(const amc_ddpg *agent);

#endif
