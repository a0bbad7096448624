#include "search/search_loop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "search/policy.h"
#include "search/score_cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

amc_search_manner amc_search_defaults(void) {
    return (amc_search_manner){.agent = amc_ddpg_defaults(),
                               .relative = true,
                               .spread = 0.15,
                               .elite = 0.5,
                               .elite_steps = 0.3,
                               .elite_sigma = 0.2,
                               .tries = 10};
}

amc_search_manner amc_search_paper(int steps) {
    return (amc_search_manner){.agent = amc_ddpg_paper(steps), .tries = 1};
}

// ---- actions ------------------------------------------------------------------------------------

// Where the actions of an episode come from.
typedef enum source {
    FAIR,          // fair shares: the uniform plan
    AROUND_FAIR,   // draws near them
    UNIFORM_DRAWS, // draws of any size
    RANDOM_PLAN,   // shares of a plan that was drawn as a whole
    AGENT,
    ELITE, // those of the best episode, some of them varied
} source;

typedef struct walker {
    amc_search_manner manner;
    bool relative; // it is asked for, and there is a budget
    amc_ddpg *agent;
    amc_rng rng;
    int *plan;       // (groups) of RANDOM_PLAN
    double *elite;   // (steps)
    int varied;      // the step that ELITE varies in any case
    float *states;   // (steps, AMC_PRUNE_ENV_STATE) of the last walk
    double *actions; // (steps) as they were carried out
} walker;

static walker walker_new(const amc_search_options *options, const amc_prune_env *env) {
    size_t steps = (size_t)amc_prune_env_steps(env);
    walker w = {
        .manner = options->manner,
        .relative = options->manner.relative && amc_prune_env_is_limited(env),
        .plan = amc_memory_alloc((size_t)amc_prune_env_space(env)->n, sizeof *w.plan),
        .elite = amc_memory_alloc(steps, sizeof *w.elite),
        .states = amc_memory_alloc(steps * AMC_PRUNE_ENV_STATE, sizeof *w.states),
        .actions = amc_memory_alloc(steps, sizeof *w.actions),
    };
    amc_ddpg_options *agent = &w.manner.agent;
    agent->low = w.relative ? 0 : amc_prune_env_min_keep(env);
    agent->warmup_episodes = options->warmup;
    w.agent = amc_ddpg_new(AMC_PRUNE_ENV_STATE, (int)steps, *agent, options->seed);
    amc_rng_init(&w.rng, options->seed);
    return w;
}

static void walker_free(walker w) {
    amc_ddpg_free(w.agent);
    free(w.plan);
    free(w.elite);
    free(w.states);
    free(w.actions);
}

static source choose_source(walker *w, const amc_search_options *options, int index) {
    if (options->random || index < options->warmup) {
        if (w->manner.spread <= 0) return UNIFORM_DRAWS;
        return !w->relative ? RANDOM_PLAN : index == 0 ? FAIR : AROUND_FAIR;
    }
    return amc_rng_uniform(&w->rng) < w->manner.elite ? ELITE : AGENT;
}

// A relative action goes from the least share (0) over the fair one (1/2) to everything (1).
static double share_of(const walker *w, double action, double least, double fair) {
    if (!w->relative) return action;
    return action < 0.5 ? least + 2 * action * (fair - least)
                        : fair + (2 * action - 1) * (1 - fair);
}

// The action that asks for a share: what an agent has to remember of one that was carried out.
static double action_of(const walker *w, double share, double least, double fair) {
    if (!w->relative) return share;
    if (share < fair) return fair > least ? fmax(0, 0.5 * (share - least) / (fair - least)) : 0;
    return fair < 1 ? 0.5 + 0.5 * (share - fair) / (1 - fair) : 0.5;
}

static double vary(walker *w, double action, double sigma) {
    return amc_rng_truncated_normal(&w->rng, action, sigma, w->manner.agent.low, 1);
}

static double choose_action(walker *w, source from, int t) {
    double low = w->manner.agent.low;
    switch (from) {
    case FAIR:
        return 0.5;
    case AROUND_FAIR:
        return vary(w, 0.5, w->manner.spread);
    case ELITE:
        return t == w->varied || amc_rng_uniform(&w->rng) < w->manner.elite_steps
                   ? vary(w, w->elite[t], w->manner.elite_sigma)
                   : w->elite[t];
    case AGENT:
        return amc_ddpg_act(w->agent, &w->states[t * AMC_PRUNE_ENV_STATE]);
    default:
        return low + (1 - low) * amc_rng_uniform(&w->rng);
    }
}

// Walks the network once.
static void walk(walker *w, amc_prune_env *env, source from) {
    if (from == RANDOM_PLAN) amc_policy_draw(env, &w->rng, w->plan);
    if (from == ELITE) w->varied = (int)amc_rng_below(&w->rng, (uint32_t)amc_prune_env_steps(env));
    amc_prune_env_reset(env);
    for (int t = 0; t < amc_prune_env_steps(env); t++) {
        int g = amc_prune_env_group(env, t);
        double fair = amc_prune_env_fair_share(env),
               least = fmin(amc_prune_env_min_keep(env), fair);
        amc_prune_env_state(env, &w->states[t * AMC_PRUNE_ENV_STATE]);
        double share = from == RANDOM_PLAN ? amc_prune_env_share(env, g, w->plan[g])
                                           : share_of(w, choose_action(w, from, t), least, fair);
        w->actions[t] = action_of(w, amc_prune_env_step(env, share), least, fair);
    }
}

// Walks to a plan that is new, if that can be found: an episode on a known one is lost.
static void propose(walker *w, amc_prune_env *env, source from, const amc_score_cache *cache) {
    amc_score known;
    for (int i = 0; i < w->manner.tries; i++) {
        walk(w, env, from);
        if (!amc_score_cache_find(cache, amc_prune_env_counts(env), &known)) return;
    }
}

// ---- episodes -----------------------------------------------------------------------------------

static amc_score cached_score(amc_score_cache *cache, const int *counts, amc_search_score *score,
                              void *context) {
    amc_score scored;
    if (amc_score_cache_find(cache, counts, &scored)) return scored;
    scored = score(context, counts);
    amc_score_cache_add(cache, counts, scored);
    return scored;
}

static amc_search_episode make_episode(const amc_prune_env *env, amc_reward reward, int index,
                                       amc_score scored) {
    const int *counts = amc_prune_env_counts(env);
    amc_search_episode episode = {
        .index = index,
        .accuracy = scored.accuracy,
        .images = scored.images,
        .stopped = scored.stopped,
        .macs = amc_prune_env_cost(env, AMC_RESOURCE_MACS, counts),
        .params = amc_prune_env_cost(env, AMC_RESOURCE_PARAMS, counts),
        .counts = counts,
    };
    episode.reward = amc_reward_of(reward, scored.accuracy, episode.macs, episode.params);
    return episode;
}

amc_search_result amc_search_run(amc_prune_env *env, amc_search_options options,
                                 amc_search_score *score, amc_search_report *report,
                                 void *context) {
    size_t steps = (size_t)amc_prune_env_steps(env), groups = (size_t)amc_prune_env_space(env)->n;
    walker w = walker_new(&options, env);
    amc_search_result result = {.counts = amc_memory_alloc(groups, sizeof(int))};
    amc_score_cache *cache = amc_score_cache_new((int)groups, options.episodes);

    for (bool go_on = true; go_on && result.episodes < options.episodes; result.episodes++) {
        double start = amc_clock_seconds();
        propose(&w, env, choose_source(&w, &options, result.episodes), cache);

        amc_score scored = cached_score(cache, amc_prune_env_counts(env), score, context);
        amc_search_episode episode = make_episode(env, options.reward, result.episodes, scored);
        episode.best =
            !scored.stopped && (result.episodes == 0 || episode.reward > result.best.reward);
        if (!options.random)
            amc_ddpg_end_episode(w.agent, w.states, w.actions, (int)steps, episode.reward);
        episode.seconds = amc_clock_seconds() - start;
        if (episode.best) {
            memcpy(result.counts, episode.counts, groups * sizeof(int));
            memcpy(w.elite, w.actions, steps * sizeof *w.elite);
            result.best = episode;
            result.best.counts = result.counts;
        }
        go_on = report(context, &episode);
    }
    amc_score_cache_free(cache);
    walker_free(w);
    return result;
}
