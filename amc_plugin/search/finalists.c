#include "search/finalists.h"

#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

typedef struct finalist {
    amc_search_episode episode;
    int *counts; // (groups), those of the episode
} finalist;

struct amc_finalists {
    int groups, most, n;
    finalist *best; // (most + 1), n of them in order; the place after the last is for newcomers
    bool keeps_first;
    finalist first; // there are none before it
};

amc_finalists *amc_finalists_new(int groups, int most, bool first) {
    amc_finalists *f = amc_memory_alloc(1, sizeof *f);
    *f = (amc_finalists){.groups = groups, .most = most, .keeps_first = first};
    f->best = amc_memory_alloc((size_t)most + 1, sizeof *f->best);
    for (int k = 0; k <= most; k++)
        f->best[k].counts = amc_memory_alloc((size_t)groups, sizeof *f->best[k].counts);
    f->first.counts = amc_memory_alloc((size_t)groups, sizeof *f->first.counts);
    return f;
}

void amc_finalists_free(amc_finalists *finalists) {
    if (!finalists) return;
    for (int k = 0; k <= finalists->most; k++) free(finalists->best[k].counts);
    free(finalists->best);
    free(finalists->first.counts);
    free(finalists);
}

static bool is_there(const amc_finalists *f, const int *counts) {
    for (int k = 0; k < f->n; k++)
        if (memcmp(f->best[k].counts, counts, (size_t)f->groups * sizeof *counts) == 0) return true;
    return false;
}

static void take(const amc_finalists *f, finalist *to, const amc_search_episode *episode) {
    to->episode = *episode;
    to->episode.counts =
        memcpy(to->counts, episode->counts, (size_t)f->groups * sizeof *to->counts);
}

void amc_finalists_offer(amc_finalists *f, const amc_search_episode *episode) {
    if (!episode->eligible || is_there(f, episode->counts)) return;
    if (f->n == 0) take(f, &f->first, episode);
    int place = f->n;
    while (place > 0 && episode->reward > f->best[place - 1].episode.reward) place--;
    if (place == f->most) return;
    finalist newcomer = f->best[f->n];
    memmove(f->best + place + 1, f->best + place, (size_t)(f->n - place) * sizeof *f->best);
    take(f, &newcomer, episode);
    f->best[place] = newcomer;
    if (f->n < f->most) f->n++;
}

int amc_finalists_count(const amc_finalists *f) {
    bool fell_behind = f->keeps_first && f->n > 0 && !is_there(f, f->first.counts);
    return f->n + fell_behind;
}

const amc_search_episode *amc_finalists_get(const amc_finalists *finalists, int k) {
    return k < finalists->n ? &finalists->best[k].episode : &finalists->first.episode;
}
