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
                               .centred = true,
                               .relative = true,
                               .elite = 0.5,
                               .elite_sigma = 0.1};
}

amc_search_manner amc_search_paper(int steps) {
    return (amc_search_manner){.agent = amc_ddpg_paper(steps)};
}

// ---- actions ------------------------------------------------------------------------------------

// A relative action in [0, 1] says how far to go from the least share (0) to the fair one (1/2), or
// from there to all (1): halves stand for the uniform plan, whatever was decided before.
static double share_of(const amc_search_manner *manner, const amc_prune_env *env, double action) {
    if (!manner->relative || !amc_prune_env_is_limited(env)) return action;
    double fair = amc_prune_env_fair_share(env);
    double least = fmin(amc_prune_env_min_keep(env), fair);
    return action < 0.5 ? least + 2 * action * (fair - least)
                        : fair + (2 * action - 1) * (1 - fair);
}

// The action that asks for a share: what an agent has to remember of one that was carried out.
static double action_of(const amc_search_manner *manner, const amc_prune_env *env, double share,
                        double fair) {
    if (!manner->relative || !amc_prune_env_is_limited(env)) return share;
    double least = fmin(amc_prune_env_min_keep(env), fair);
    double action = share < fair ? 0.5 * (share - least) / (fair - least)
                                 : 0.5 + (fair < 1 ? 0.5 * (share - fair) / (1 - fair) : 0);
    return fmax(0, fmin(1, action));
}

// Where the actions of an episode come from.
typedef enum source { DRAWN_PLAN, DRAWN_ACTIONS, AGENT, ELITE } source;

typedef struct walker {
    const amc_search_manner *manner;
    amc_ddpg *agent;
    amc_rng rng;
    int *drawn;      // (groups) a drawn plan
    double *elite;   // (steps) actions of the best episode
    float *states;   // (steps, AMC_PRUNE_ENV_STATE) of the last walk
    double *actions; // (steps) as they were carried out
} walker;

static double wish(walker *w, const amc_prune_env *env, source from, int t, const float *state) {
    double low = w->manner->agent.low;
    switch (from) {
    case DRAWN_ACTIONS:
        return share_of(w->manner, env, low + (1 - low) * amc_rng_uniform(&w->rng));
    case AGENT:
        return share_of(w->manner, env, amc_ddpg_act(w->agent, state));
    case ELITE:
        return share_of(
            w->manner, env,
            amc_rng_truncated_normal(&w->rng, w->elite[t], w->manner->elite_sigma, low, 1));
    default:
        return amc_prune_env_share(env, amc_prune_env_group(env, t),
                                   w->drawn[amc_prune_env_group(env, t)]);
    }
}

// Walks the network once.
static void walk(walker *w, amc_prune_env *env, source from) {
    amc_prune_env_reset(env);
    for (int t = 0; t < amc_prune_env_steps(env); t++) {
        float *state = &w->states[t * AMC_PRUNE_ENV_STATE];
        amc_prune_env_state(env, state);
        double share = wish(w, env, from, t, state), fair = amc_prune_env_fair_share(env);
        w->actions[t] = action_of(w->manner, env, amc_prune_env_step(env, share), fair);
    }
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

static source choose_source(walker *w, const amc_search_options *options, int index) {
    if (options->random || (index < options->warmup && w->manner->centred)) return DRAWN_PLAN;
    if (index < options->warmup) return DRAWN_ACTIONS;
    return w->manner->elite > 0 && amc_rng_uniform(&w->rng) < w->manner->elite ? ELITE : AGENT;
}

static walker walker_new(const amc_search_options *options, amc_search_manner *manner,
                         const amc_prune_env *env) {
    int steps = amc_prune_env_steps(env);
    bool relative = manner->relative && amc_prune_env_is_limited(env);
    manner->agent.low = relative ? 0 : amc_prune_env_min_keep(env);
    manner->agent.warmup_episodes = options->warmup;
    walker w = {
        .manner = manner,
        .agent = amc_ddpg_new(AMC_PRUNE_ENV_STATE, steps, manner->agent, options->seed),
        .drawn = amc_memory_alloc((size_t)amc_prune_env_space(env)->n, sizeof *w.drawn),
        .elite = amc_memory_alloc((size_t)steps, sizeof *w.elite),
        .states = amc_memory_alloc((size_t)steps * AMC_PRUNE_ENV_STATE, sizeof *w.states),
        .actions = amc_memory_alloc((size_t)steps, sizeof *w.actions),
    };
    amc_rng_init(&w.rng, options->seed);
    return w;
}

static void walker_free(walker w) {
    amc_ddpg_free(w.agent);
    free(w.drawn);
    free(w.elite);
    free(w.states);
    free(w.actions);
}

amc_search_result amc_search_run(amc_prune_env *env, amc_search_options options,
                                 amc_search_score *score, amc_search_report *report,
                                 void *context) {
    size_t steps = (size_t)amc_prune_env_steps(env), groups = (size_t)amc_prune_env_space(env)->n;
    walker w = walker_new(&options, &options.manner, env);
    amc_search_result result = {.counts = amc_memory_alloc(groups, sizeof(int))};
    amc_score_cache *cache = amc_score_cache_new((int)groups, options.episodes);

    for (bool go_on = true; go_on && result.episodes < options.episodes; result.episodes++) {
        double start = amc_clock_seconds();
        source from = choose_source(&w, &options, result.episodes);
        if (from == DRAWN_PLAN) amc_policy_draw(env, &w.rng, w.drawn);
        walk(&w, env, from);

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
