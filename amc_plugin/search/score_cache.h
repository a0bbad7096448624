// Scores of plans that were evaluated already: an agent that has settled proposes the same plan
// again and again. Its memory is taken once; where two plans want the same place, the later one has
// it.

#ifndef AMC_SEARCH_SCORE_CACHE_H
#define AMC_SEARCH_SCORE_CACHE_H

#include "search/score.h"

typedef struct amc_score_cache amc_score_cache;

// For plans given by the units kept of each of n groups.
amc_score_cache *amc_score_cache_new(int n);
void amc_score_cache_free(amc_score_cache *cache);

// counts: (n). Whether the plan's score is known; *score is it then.
bool amc_score_cache_find(const amc_score_cache *cache, const int *counts, amc_score *score);
void amc_score_cache_add(amc_score_cache *cache, const int *counts, amc_score score);

#endif
