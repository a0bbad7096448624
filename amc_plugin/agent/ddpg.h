// DDPG (Lillicrap et al. 2016) as AMC uses it: one continuous action in [low, 1] a step, short
// episodes, and one reward that is known only when the episode is over.
//
// Not here: what the states mean, the budget, and the actions of the warm-up, which the caller
// draws.
//
// What an agent does depends on its options, its seed and what it is told, and on nothing else: it
// draws from a generator of its own and computes on one thread, however many OpenBLAS has.

#ifndef AMC_AGENT_DDPG_H
#define AMC_AGENT_DDPG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct amc_ddpg_options {
    double low;        // the least action, 0 <= low < 1
    int hidden;        // units in each of the two hidden layers, of the actor and of the critic
    double actor_rate; // Adam's learning rates
    double critic_rate;
    int batch;            // transitions in an update
    int replay_episodes;  // episodes remembered: older ones are no longer learnt from
    int warmup_episodes;  // first episodes, in which nothing is learnt and sigma stays
    double sigma;         // exploration noise at the start, on the scale of the actions
    double sigma_decay;   // factor on it for each episode after the warm-up
    double sigma_floor;   // it never falls below; at 0 the search ends in repeating itself
    int updates_per_step; // of critic and actor, for each step of a finished episode
    bool paper;           // what the critic learns: the paper's Q target, or the default's (below)
    double gamma;         // paper only: discount
    double tau;           // paper only: how fast the target networks follow
    double baseline_rate; // paper only: b <- rate * b + (1 - rate) * reward
} amc_ddpg_options;

// What the critic learns to say of a transition (s, a) of an episode with reward R:
//
// - paper: (R - b) + gamma * Q'(s', mu'(s')), where b is a moving average of the rewards and the
//   last step has no second term. As R stands at every step, at gamma 1 a Q counts R several times.
// - default: where R stands among the rewards of the remembered episodes, from -sqrt(3) for the
//   worst to sqrt(3) for the best (a uniform distribution of variance 1), at every step. R is all
//   that an episode returns, so nothing has to be estimated through target networks; and ranks
//   neither flatten the small differences between good policies when some collapse, nor shrink
//   with them as the search narrows.

// What learns fastest: ranks, the last 50 episodes, sigma from 0.5 down to 0.05.
amc_ddpg_options amc_ddpg_defaults(void);

// The paper's (He et al. 2018, section 4 and the authors' code) for episodes of `steps` steps:
// hidden 300, rates 1e-4 and 1e-3, 2,000 transitions, its Q target, and a sigma that dies out.
amc_ddpg_options amc_ddpg_paper(int steps);

typedef struct amc_ddpg amc_ddpg;

// An agent for states of state_size numbers and episodes of at most `steps` steps.
amc_ddpg *amc_ddpg_new(int state_size, int steps, amc_ddpg_options options, uint64_t seed);
void amc_ddpg_free(amc_ddpg *agent); // NULL is fine

// The actor's action mu(state) in [low, 1]. `state` (state_size) in any fixed units: the agent
// scales each number by its mean and deviation over the episodes so far, and what never changes
// becomes 0.
double amc_ddpg_greedy(amc_ddpg *agent, const float *state);

// The action to try: Normal(mu(state), sigma) truncated to [low, 1].
double amc_ddpg_act(amc_ddpg *agent, const float *state);

// The current exploration noise.
double amc_ddpg_sigma(const amc_ddpg *agent);

// Tells of a finished episode, warm-up or not, and learns from it: states (steps, state_size),
// actions (steps) as carried out, after any bound and rounding, and its finite reward.
void amc_ddpg_end_episode(amc_ddpg *agent, const float *states, const double *actions, int steps,
                          double reward);

#endif
