// The best different plans of a search, for a closer look at its end.

#ifndef AMC_SEARCH_FINALISTS_H
#define AMC_SEARCH_FINALISTS_H

#include "search/search_loop.h"

typedef struct amc_finalists amc_finalists;

// Room for `most` plans of so many groups. first: besides them the first plan that is offered
// stays, which no images have chosen.
amc_finalists *amc_finalists_new(int groups, int most, bool first);
void amc_finalists_free(amc_finalists *finalists);

// Takes the episode's plan in if it may be the result and its reward is among the largest; of equal
// rewards the earlier one is better.
void amc_finalists_offer(amc_finalists *finalists, const amc_search_episode *episode);

// How many there are, and the episode of number k, best first, but for the one that stays although
// it isn't among them, which is the last; its counts belong to the finalists.
int amc_finalists_count(const amc_finalists *finalists);
const amc_search_episode *amc_finalists_get(const amc_finalists *finalists, int k);

#endif
