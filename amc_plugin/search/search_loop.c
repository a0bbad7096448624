#include "search/search_loop.h"

#include "base/clock.h"
#include "base/memory.h"
#include "search/score_cache.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int cached_score(amc_score_cache *cache, const int *counts, amc_search_score *score,
                        void *context, amc_score *scored, amc_error *err) {
    if (amc_score_cache_find(cache, counts, scored)) return 0;
    if (score(context, counts, scored, err) < 0) return -1;
    amc_score_cache_add(cache, counts, *scored);
    return 0;
}

static amc_search_episode make_episode(const amc_prune_env *env, const amc_search_options *options,
                                       int index, amc_score scored) {
    const int *counts = amc_prune_env_counts(env);
    amc_search_episode episode = {
        .index = index,
        .accuracy = scored.accuracy,
        .expected = scored.expected,
        .images = scored.images,
        .stopped = scored.stopped,
        .recorded = scored.recorded,
        .eligible = !scored.stopped && scored.accuracy >= options->floor,
        .macs = amc_prune_env_cost(env, AMC_RESOURCE_MACS, counts),
        .params = amc_prune_env_cost(env, AMC_RESOURCE_PARAMS, counts),
        .counts = counts,
    };
    double lacking = fmax(0, options->floor - scored.accuracy);
    double quality = amc_score_quality(scored, options->expects);
    episode.reward =
        amc_reward_of(options->reward, quality - 10 * lacking, episode.macs, episode.params);
    return episode;
}

// Makes the episode part of the result.
static void keep(amc_search_result *result, const amc_search_episode *episode, size_t groups) {
    result->episodes++;
    result->highest = fmaxf(result->highest, episode->accuracy);
    if (!episode->best) return;
    memcpy(result->counts, episode->counts, groups * sizeof(int));
    result->best = *episode;
    result->best.counts = result->counts;
}

amc_search_result amc_search_run(amc_prune_env *env, amc_search_options options,
                                 amc_search_score *score, amc_search_report *report, void *context,
                                 amc_error *err) {
    size_t groups = (size_t)amc_prune_env_space(env)->n;
    amc_proposal *proposal = amc_proposal_new(env, options.proposals);
    amc_search_result result = {.counts = amc_memory_alloc(groups, sizeof(int))};
    amc_score_cache *cache = amc_score_cache_new((int)groups);

    for (bool go_on = true; go_on && result.episodes < options.episodes;) {
        double start = amc_clock_seconds();
        amc_proposal_next(proposal, cache);

        amc_score scored;
        if (cached_score(cache, amc_prune_env_counts(env), score, context, &scored, err) < 0) {
            free(result.counts);
            result.counts = NULL;
            break;
        }
        amc_search_episode episode = make_episode(env, &options, result.episodes, scored);
        episode.best =
            episode.eligible && (!result.best.best || episode.reward > result.best.reward);
        amc_proposal_learn(proposal, episode.reward, episode.best);
        episode.seconds = amc_clock_seconds() - start;
        keep(&result, &episode, groups);
        go_on = report(context, &episode);
    }
    amc_score_cache_free(cache);
    amc_proposal_free(proposal);
    return result;
}
