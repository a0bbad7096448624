#include "cmd/finishing.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cmd/pruned.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    PLANS = 5, // of all searches together, but two of each
    WIDER = 5, // images that finalists are compared on, as a multiple of those of plans
};

struct amc_finishing {
    const amc_search_session *session;
    int searches;
    bool refits;
    amc_refit *refit;  // NULL until it is needed
    amc_dataset *wide; // that finalists are compared on; NULL: the scorer's
    double start;      // of scoring, seconds
    int scored, plans; // so many of those that are to be
};

amc_finishing *amc_finishing_new(const amc_search_session *session, int searches) {
    amc_finishing *finishing = amc_memory_alloc(1, sizeof *finishing);
    *finishing = (amc_finishing){.session = session, .searches = searches};
    return finishing;
}

void amc_finishing_free(amc_finishing *finishing) {
    if (!finishing) return;
    amc_refit_free(finishing->refit);
    if (finishing->wide) amc_dataset_free(finishing->wide);
    free(finishing);
}

int amc_finishing_plans(const amc_finishing *finishing) {
    if (!finishing->session->given->scorer.repair.refit) return 1;
    int plans = PLANS / finishing->searches;
    return plans < 2 ? 2 : plans;
}

// Plans come to fit the images that chose them: others tell better which of the best it is.
static int open_wide(amc_finishing *finishing, amc_error *err) {
    const amc_scorer *scorer = finishing->session->scorer;
    const amc_scorer_options *o = &finishing->session->given->scorer;
    if (o->limit == 0 || o->limit > scorer->dataset->n) return 0; // there are no more
    int limit = o->limit > INT_MAX / WIDER ? 0 : WIDER * o->limit;
    if (!finishing->session->given->quiet)
        fprintf(stderr, "loading more held-out images to compare the best plans on\n");
    finishing->wide = amc_dataset_load(scorer->data, o->part, limit, o->seed, o->threads, err);
    return finishing->wide ? 0 : -1;
}

int amc_finishing_begin(amc_finishing *finishing, bool refit, int others, amc_error *err) {
    const amc_search_session *session = finishing->session;
    const amc_scorer_options *scorer = &session->given->scorer;
    finishing->refits = refit;
    finishing->scored = 0;
    finishing->plans = others;
    if (!refit || finishing->refit) return 0;
    finishing->refit = amc_repair_refit_new(session->network, session->scorer->data,
                                            amc_scorer_repair_options(scorer), err);
    return finishing->refit ? open_wide(finishing, err) : -1;
}

// What rewards go by.
static double quality(const amc_finishing *finishing, amc_score score) {
    return amc_score_quality(score, finishing->session->given->expects);
}

static amc_score score(const amc_finishing *finishing, const int *counts) {
    amc_scorer *scorer = finishing->session->scorer;
    const amc_chooser *chooser = &finishing->session->chooser;
    amc_score before = amc_scorer_pruned(scorer, amc_chooser_make(chooser, counts));
    if (!finishing->refits) return before;
    amc_pruned refitted = amc_chooser_make(chooser, counts);
    amc_pruned_refit(&refitted, finishing->refit);
    amc_score after = amc_scorer_pruned(scorer, refitted);
    bool keeps_floor =
        !finishing->session->given->max_drop_given || after.accuracy >= before.accuracy;
    if (quality(finishing, after) >= quality(finishing, before) && keeps_floor) return after;
    return amc_scorer_pruned(scorer, amc_chooser_make(chooser, counts));
}

amc_score amc_finishing_score(amc_finishing *finishing, const int *counts) {
    amc_score scored = score(finishing, counts);
    finishing->scored++;
    return scored;
}

void amc_finishing_print(const amc_finishing *finishing, const char *plan, double reward,
                         amc_score score) {
    if (finishing->session->given->quiet || !finishing->refits) return;
    double each = (amc_clock_seconds() - finishing->start) / finishing->scored;
    int left = (int)(each * (finishing->plans - finishing->scored));
    fprintf(stderr, "refitted %s on %d images: ", plan, amc_refit_images(finishing->refit));
    if (!isnan(reward)) fprintf(stderr, "reward %.4f, ", reward);
    fprintf(stderr, "accuracy %.2f%% of %d, %d:%02d left\n", 100 * score.accuracy, score.images,
            left / 60, left % 60);
}

// What the scorer's network is worth where finalists are compared.
static amc_score score_widely(const amc_finishing *finishing, amc_score score) {
    amc_scorer *scorer = finishing->session->scorer;
    if (!finishing->refits || !finishing->wide) return score;
    return amc_scorer_score(amc_accuracy_measure(scorer->model, finishing->wide, scorer->top));
}

static void print_finalist(const amc_finishing *finishing, int k, int n, double reward,
                           amc_score score) {
    char *plan = amc_memory_text("plan %d of %d", k + 1, n);
    amc_finishing_print(finishing, plan, reward, score);
    free(plan);
}

const amc_search_episode *amc_finishing_choose(amc_finishing *finishing,
                                               const amc_finalists *finalists, amc_score *score) {
    amc_scorer *scorer = finishing->session->scorer;
    const amc_search_episode *best = NULL;
    amc_pruned chosen = {0};
    double highest = 0;
    int n = finishing->refits ? amc_finalists_count(finalists) : 1;
    finishing->start = amc_clock_seconds();
    finishing->plans += n;
    for (int k = 0; k < n; k++) {
        const amc_search_episode *episode = amc_finalists_get(finalists, k);
        amc_score scored = amc_finishing_score(finishing, episode->counts);
        amc_score wide = score_widely(finishing, scored);
        double reward = amc_reward_of(finishing->session->given->reward, quality(finishing, wide),
                                      episode->macs, episode->params);
        print_finalist(finishing, k, n, reward, wide);
        if (best && reward <= highest) continue;
        best = episode;
        highest = reward;
        *score = scored;
        amc_pruned_clear(&chosen);
        chosen = amc_scorer_take(scorer);
    }
    amc_scorer_apply(scorer, chosen);
    return best;
}
