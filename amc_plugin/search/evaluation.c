#include "search/evaluation.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdlib.h>

static int recorded(const amc_evaluation *e, const int *counts, amc_score *score, amc_error *err) {
    return e->checkpoint ? amc_checkpoint_next(e->checkpoint, counts, score, err) : 0;
}

static int record(const amc_evaluation *e, const int *counts, amc_score score, double seconds,
                  amc_error *err) {
    return e->checkpoint ? amc_checkpoint_add(e->checkpoint, counts, score, seconds, err) : 0;
}

int amc_evaluation_whole(amc_evaluation *evaluation, const int *counts, amc_score score,
                         amc_error *err) {
    amc_score then;
    int status = recorded(evaluation, counts, &then, err);
    if (status <= 0) return status < 0 ? -1 : record(evaluation, counts, score, 0, err);
    if (then.accuracy == score.accuracy && then.images == score.images) return 0;
    return amc_error_set(err,
                         "%s: the whole network is right on %.4f%% of %d images, and was on %.4f%% "
                         "of %d when the search began; expected the same images and processor to "
                         "go on with it, or -force instead of -resume to start anew",
                         amc_checkpoint_path(evaluation->checkpoint), 100 * score.accuracy,
                         score.images, 100 * then.accuracy, then.images);
}

// All but which images the best plan is right on can be told from the record; that is scored again,
// once, when it is needed.
static void replay(amc_evaluation *e, const int *counts, amc_score score) {
    if (!e->early_stop || !amc_early_stop_replay(e->early_stop, score)) return;
    free(e->best);
    e->best = amc_memory_copy(counts, (size_t)e->groups, sizeof *counts);
}

static int recall_best(amc_evaluation *e, amc_error *err) {
    e->apply(e->context, e->best);
    free(e->best);
    e->best = NULL;
    if (amc_early_stop_recall(e->early_stop, e->some, e->context)) return 0;
    return amc_error_set(err,
                         "%s: the best plan scores otherwise than when it was recorded; expected "
                         "the same images and processor to go on with the search, or -force "
                         "instead of -resume to start anew",
                         amc_checkpoint_path(e->checkpoint));
}

static int score_now(amc_evaluation *e, const int *counts, amc_score *score, amc_error *err) {
    if (e->best && recall_best(e, err) < 0) return -1;
    double start = amc_clock_seconds();
    e->apply(e->context, counts);
    *score = e->early_stop ? amc_early_stop_score(e->early_stop, e->some, e->context)
                           : e->all(e->context);
    return record(e, counts, *score, amc_clock_seconds() - start, err);
}

int amc_evaluation_score(amc_evaluation *evaluation, const int *counts, amc_score *score,
                         amc_error *err) {
    int status = recorded(evaluation, counts, score, err);
    if (status > 0) replay(evaluation, counts, *score);
    if (status == 0) status = score_now(evaluation, counts, score, err);
    if (status < 0) return -1;
    evaluation->plans++;
    evaluation->stopped += score->stopped;
    evaluation->images += score->images;
    return 0;
}

void amc_evaluation_clear(amc_evaluation *evaluation) {
    free(evaluation->best);
    evaluation->best = NULL;
}
