#include "search/search_loop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "search/score_cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static amc_score cached_score(amc_score_cache *cache, const int *counts, amc_search_score *score,
                              void *context) {
    amc_score scored;
    if (amc_score_cache_find(cache, counts, &scored)) return scored;
    scored = score(context, counts);
    amc_score_cache_add(cache, counts, scored);
    return scored;
}

static amc_search_episode make_episode(const amc_prune_env *env, const amc_search_options *options,
                                       int index, amc_score scored) {
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
    double lacking = fmax(0, options->floor - scored.accuracy);
    episode.reward = amc_reward_of(options->reward, scored.accuracy - 10 * lacking, episode.macs,
                                   episode.params);
    return episode;
}

amc_search_result amc_search_run(amc_prune_env *env, amc_search_options options,
                                 amc_search_score *score, amc_search_report *report,
                                 void *context) {
    size_t groups = (size_t)amc_prune_env_space(env)->n;
    amc_proposal *proposal = amc_proposal_new(
        env, (amc_proposal_options){options.warmup, options.random, options.seed, options.manner});
    amc_search_result result = {.counts = amc_memory_alloc(groups, sizeof(int))};
    amc_score_cache *cache = amc_score_cache_new((int)groups, options.episodes);

    for (bool go_on = true; go_on && result.episodes < options.episodes; result.episodes++) {
        double start = amc_clock_seconds();
        amc_proposal_next(proposal, cache);

        amc_score scored = cached_score(cache, amc_prune_env_counts(env), score, context);
        amc_search_episode episode = make_episode(env, &options, result.episodes, scored);
        episode.best = !scored.stopped && episode.accuracy >= options.floor &&
                       (!result.best.best || episode.reward > result.best.reward);
        result.highest = fmaxf(result.highest, episode.accuracy);
        amc_proposal_learn(proposal, episode.reward, episode.best);
        episode.seconds = amc_clock_seconds() - start;
        if (episode.best) {
            memcpy(result.counts, episode.counts, groups * sizeof(int));
            result.best = episode;
            result.best.counts = result.counts;
        }
        go_on = report(context, &episode);
    }
    amc_score_cache_free(cache);
    amc_proposal_free(proposal);
    return result;
}
