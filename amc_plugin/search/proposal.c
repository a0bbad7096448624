#include "search/proposal.h"

#include "base/memory.h"
#include "search/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

amc_proposal_manner amc_proposal_defaults(void) {
    return (amc_proposal_manner){.agent = amc_ddpg_defaults(),
                                 .relative = true,
                                 .spread = 0.15,
                                 .elite = 0.5,
                                 .elite_steps = 0.3,
                                 .elite_sigma = 0.07,
                                 .tries = 10};
}

amc_proposal_manner amc_proposal_paper(int steps) {
    return (amc_proposal_manner){.agent = amc_ddpg_paper(steps), .tries = 1};
}

// ---- actions ------------------------------------------------------------------------------------

// Where the actions of an episode come from.
typedef enum source {
    FAIR,          // fair shares: the uniform plan, or the whole network without a budget
    AROUND_FAIR,   // draws near them
    UNIFORM_DRAWS, // draws of any size
    RANDOM_PLAN,   // shares of a plan that was drawn as a whole
    GIVEN,         // those of a plan that was given
    AGENT,
    ELITE, // those of the best episode, some of them varied
} source;

struct amc_proposal {
    amc_prune_env *env;
    amc_proposal_options options;
    bool relative; // actions are, since there is a budget
    int episode;
    amc_ddpg *agent;
    amc_rng rng;
    int *plan;       // (groups) of RANDOM_PLAN and GIVEN
    double *elite;   // (steps)
    bool has_elite;  // there was a best episode
    int varied;      // the step that ELITE varies in any case
    float *states;   // (steps, AMC_PRUNE_ENV_STATE) of the last walk
    double *actions; // (steps) as they were carried out
};

amc_proposal *amc_proposal_new(amc_prune_env *env, amc_proposal_options options) {
    size_t steps = (size_t)amc_prune_env_steps(env);
    amc_proposal *p = amc_memory_alloc(1, sizeof *p);
    *p = (amc_proposal){
        .env = env,
        .options = options,
        .relative = options.manner.relative && amc_prune_env_is_limited(env),
        .plan = amc_memory_alloc((size_t)amc_prune_env_space(env)->n, sizeof *p->plan),
        .elite = amc_memory_alloc(steps, sizeof *p->elite),
        .states = amc_memory_alloc(steps * AMC_PRUNE_ENV_STATE, sizeof *p->states),
        .actions = amc_memory_alloc(steps, sizeof *p->actions),
    };
    amc_ddpg_options *agent = &p->options.manner.agent;
    agent->low = p->relative ? 0 : amc_prune_env_min_keep(env);
    agent->warmup_episodes = options.warmup > options.n_given ? options.warmup : options.n_given;
    p->agent = amc_ddpg_new(AMC_PRUNE_ENV_STATE, (int)steps, *agent, options.seed);
    amc_rng_init(&p->rng, options.seed);
    return p;
}

void amc_proposal_free(amc_proposal *proposal) {
    if (!proposal) return;
    amc_ddpg_free(proposal->agent);
    free(proposal->plan);
    free(proposal->elite);
    free(proposal->states);
    free(proposal->actions);
    free(proposal);
}

static source choose_source(amc_proposal *p) {
    if (p->episode < p->options.n_given) return GIVEN;
    if (p->options.random || p->episode < p->options.warmup) {
        if (p->options.manner.spread <= 0) return UNIFORM_DRAWS;
        return p->episode == 0 ? FAIR : p->relative ? AROUND_FAIR : RANDOM_PLAN;
    }
    bool vary_best = amc_rng_uniform(&p->rng) < p->options.manner.elite;
    return vary_best && p->has_elite ? ELITE : AGENT;
}

// A relative action goes from the least share (0) over the fair one (1/2) to everything (1).
static double share_of(const amc_proposal *p, double action, double least, double fair) {
    if (!p->relative) return action;
    return action < 0.5 ? least + 2 * action * (fair - least)
                        : fair + (2 * action - 1) * (1 - fair);
}

// The action that asks for a share: what an agent has to remember of one that was carried out.
static double action_of(const amc_proposal *p, double share, double least, double fair) {
    if (!p->relative) return share;
    if (share < fair) return fair > least ? fmax(0, 0.5 * (share - least) / (fair - least)) : 0;
    return fair < 1 ? 0.5 + 0.5 * (share - fair) / (1 - fair) : 0.5;
}

static double vary(amc_proposal *p, double action, double sigma) {
    return amc_rng_truncated_normal(&p->rng, action, sigma, p->options.manner.agent.low, 1);
}

static double choose_action(amc_proposal *p, source from, int t) {
    double low = p->options.manner.agent.low;
    switch (from) {
    case FAIR:
        return p->relative ? 0.5 : 1;
    case AROUND_FAIR:
        return vary(p, 0.5, p->options.manner.spread);
    case ELITE:
        return t == p->varied || amc_rng_uniform(&p->rng) < p->options.manner.elite_steps
                   ? vary(p, p->elite[t], p->options.manner.elite_sigma)
                   : p->elite[t];
    case AGENT:
        return amc_ddpg_act(p->agent, &p->states[t * AMC_PRUNE_ENV_STATE]);
    default:
        return low + (1 - low) * amc_rng_uniform(&p->rng);
    }
}

// Walks the network once.
static void walk(amc_proposal *p, source from) {
    amc_prune_env *env = p->env;
    size_t groups = (size_t)amc_prune_env_space(env)->n;
    if (from == GIVEN)
        memcpy(p->plan, p->options.given + (size_t)p->episode * groups, groups * sizeof(int));
    if (from == RANDOM_PLAN) amc_policy_draw(env, &p->rng, p->plan);
    if (from == ELITE) p->varied = (int)amc_rng_below(&p->rng, (uint32_t)amc_prune_env_steps(env));
    amc_prune_env_reset(env);
    for (int t = 0; t < amc_prune_env_steps(env); t++) {
        int g = amc_prune_env_group(env, t);
        float *state = &p->states[t * AMC_PRUNE_ENV_STATE];
        double fair = amc_prune_env_fair_share(env);
        double least = fmin(amc_prune_env_min_keep(env), fair);
        amc_prune_env_state(env, state);
        if (!p->relative) state[AMC_PRUNE_ENV_FAIR] = 0; // says nothing then
        double share = from == RANDOM_PLAN || from == GIVEN
                           ? amc_prune_env_share(env, g, p->plan[g])
                           : share_of(p, choose_action(p, from, t), least, fair);
        p->actions[t] = action_of(p, amc_prune_env_step(env, share), least, fair);
    }
}

void amc_proposal_next(amc_proposal *proposal, const amc_score_cache *scored) {
    amc_score known;
    source from = choose_source(proposal);
    for (int i = 0; i < proposal->options.manner.tries; i++) {
        walk(proposal, from);
        const int *counts = amc_prune_env_counts(proposal->env);
        if (!amc_score_cache_find(scored, counts, &known)) return;
    }
}

void amc_proposal_learn(amc_proposal *proposal, double reward, bool best) {
    int steps = amc_prune_env_steps(proposal->env);
    proposal->episode++;
    if (!proposal->options.random)
        amc_ddpg_end_episode(proposal->agent, proposal->states, proposal->actions, steps, reward);
    if (!best) return;
    memcpy(proposal->elite, proposal->actions, (size_t)steps * sizeof(double));
    proposal->has_elite = true;
}
