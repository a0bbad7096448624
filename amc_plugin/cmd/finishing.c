#include "cmd/finishing.h"

#include "base/memory.h"
#include "cmd/pruned.h"

#include <stdio.h>
#include <stdlib.h>

struct amc_finishing {
    const amc_search_session *session;
    amc_refit *refit; // NULL: networks are as plans left them
};

static int open_refit(amc_finishing *finishing, amc_error *err) {
    const amc_search_session *session = finishing->session;
    const amc_scorer_options *scorer = &session->given->scorer;
    amc_repair_options options = scorer->repair;
    options.seed = scorer->seed;
    options.threads = scorer->threads;
    finishing->refit = amc_repair_refit_new(session->network, session->scorer->data, options, err);
    return finishing->refit ? 0 : -1;
}

amc_finishing *amc_finishing_new(const amc_search_session *session, bool refit, amc_error *err) {
    amc_finishing *finishing = amc_memory_alloc(1, sizeof *finishing);
    *finishing = (amc_finishing){session, NULL};
    if (!refit || open_refit(finishing, err) == 0) return finishing;
    amc_finishing_free(finishing);
    return NULL;
}

void amc_finishing_free(amc_finishing *finishing) {
    if (!finishing) return;
    amc_refit_free(finishing->refit);
    free(finishing);
}

amc_score amc_finishing_score(const amc_finishing *finishing, const int *counts) {
    amc_scorer *scorer = finishing->session->scorer;
    const amc_chooser *chooser = &finishing->session->chooser;
    amc_score before = amc_scorer_pruned(scorer, amc_chooser_make(chooser, counts));
    if (!finishing->refit) return before;
    amc_pruned refitted = amc_chooser_make(chooser, counts);
    amc_pruned_refit(&refitted, finishing->refit);
    amc_score after = amc_scorer_pruned(scorer, refitted);
    if (after.accuracy >= before.accuracy) return after;
    return amc_scorer_pruned(scorer, amc_chooser_make(chooser, counts));
}

static void print_finished(const amc_finishing *finishing, int k, int n, amc_score score) {
    if (finishing->session->given->quiet || !finishing->refit) return;
    fprintf(stderr, "refitted plan %d of %d on %d images: accuracy %.2f%%\n", k + 1, n,
            amc_refit_images(finishing->refit), 100 * score.accuracy);
}

const amc_search_episode *amc_finishing_choose(const amc_finishing *finishing,
                                               const amc_finalists *finalists, amc_score *score) {
    const amc_search_episode *best = NULL;
    double highest = 0;
    int n = finishing->refit ? amc_finalists_count(finalists) : 1, chosen = 0;
    for (int k = 0; k < n; k++) {
        const amc_search_episode *episode = amc_finalists_get(finalists, k);
        amc_score scored = amc_finishing_score(finishing, episode->counts);
        double reward = amc_reward_of(finishing->session->given->reward, scored.accuracy,
                                      episode->macs, episode->params);
        print_finished(finishing, k, n, scored);
        if (best && reward <= highest) continue;
        best = episode;
        highest = reward;
        chosen = k;
        *score = scored;
    }
    if (chosen < n - 1) *score = amc_finishing_score(finishing, best->counts); // it has the last
    return best;
}
