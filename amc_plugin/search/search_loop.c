#include "search/search_loop.h"

#include "agent/ddpg.h"
#include "base/clock.h"
#include "base/memory.h"
#include "search/policy.h"
#include "search/score_cache.h"

#include <stdlib.h>
#include <string.h>

// One episode's transitions, as the agent learns from them.
typedef struct trace {
    float *states;   // (steps, AMC_PRUNE_ENV_STATE)
    double *actions; // (steps) shares that were carried out
} trace;

// Walks the network once; wished counts come from a drawn plan, or from the agent if that is NULL.
static void walk(amc_prune_env *env, amc_ddpg *agent, const int *drawn, trace *trace) {
    amc_prune_env_reset(env);
    for (int t = 0; t < amc_prune_env_steps(env); t++) {
        float *state = &trace->states[t * AMC_PRUNE_ENV_STATE];
        int g = amc_prune_env_group(env, t);
        amc_prune_env_state(env, state);
        double wish = drawn ? amc_prune_env_share(env, g, drawn[g]) : amc_ddpg_act(agent, state);
        trace->actions[t] = amc_prune_env_step(env, wish);
    }
}

static amc_ddpg *new_agent(const amc_search_options *options, int steps, double least_action) {
    amc_ddpg_options agent = amc_ddpg_defaults();
    agent.warmup_episodes = options->warmup;
    agent.low = least_action;
    return amc_ddpg_new(AMC_PRUNE_ENV_STATE, steps, agent, options->seed);
}

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
    int steps = amc_prune_env_steps(env), groups = amc_prune_env_space(env)->n;
    trace trace = {amc_memory_alloc((size_t)steps * AMC_PRUNE_ENV_STATE, sizeof(float)),
                   amc_memory_alloc((size_t)steps, sizeof(double))};
    int *drawn = amc_memory_alloc((size_t)groups, sizeof *drawn);
    amc_ddpg *agent = new_agent(&options, steps, amc_prune_env_min_keep(env));
    amc_rng rng;
    amc_rng_init(&rng, options.seed);
    amc_search_result result = {.counts = amc_memory_alloc((size_t)groups, sizeof(int))};
    amc_score_cache *cache = amc_score_cache_new(groups, options.episodes);

    for (bool go_on = true; go_on && result.episodes < options.episodes; result.episodes++) {
        double start = amc_clock_seconds();
        bool draw = options.random || result.episodes < options.warmup;
        if (draw) amc_policy_draw(env, &rng, drawn);
        walk(env, agent, draw ? drawn : NULL, &trace);

        amc_score scored = cached_score(cache, amc_prune_env_counts(env), score, context);
        amc_search_episode episode = make_episode(env, options.reward, result.episodes, scored);
        episode.best =
            !scored.stopped && (result.episodes == 0 || episode.reward > result.best.reward);
        if (!options.random)
            amc_ddpg_end_episode(agent, trace.states, trace.actions, steps, episode.reward);
        episode.seconds = amc_clock_seconds() - start;
        if (episode.best) {
            memcpy(result.counts, episode.counts, (size_t)groups * sizeof(int));
            result.best = episode;
            result.best.counts = result.counts;
        }
        go_on = report(context, &episode);
    }
    amc_score_cache_free(cache);
    amc_ddpg_free(agent);
    free(drawn);
    free(trace.states);
    free(trace.actions);
    return result;
}
