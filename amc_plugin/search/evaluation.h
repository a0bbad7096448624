// Where the scores of a search's plans come from: its checkpoint as far as that goes, then the
// images, and what these say is recorded. A resumed search is by this the same as one that was
// never interrupted, early stopping included.

#ifndef AMC_SEARCH_EVALUATION_H
#define AMC_SEARCH_EVALUATION_H

#include "search/checkpoint.h"
#include "search/early_stop.h"

#include <stdint.h>

// Makes the network of a plan, counts (groups): what the functions below are about from then on.
typedef void amc_evaluation_apply(void *context, const int *counts);

// Scores it on all images.
typedef amc_score amc_evaluation_all(void *context);

// Set the first part and leave the rest zero.
typedef struct amc_evaluation {
    amc_evaluation_apply *apply;
    amc_evaluation_all *all;
    amc_early_stop_images *some; // whether it is right on some images; for early_stop only
    void *context;               // of these
    int groups;
    amc_early_stop *early_stop; // NULL: every plan is scored on all images
    amc_checkpoint *checkpoint; // NULL: nothing is recorded

    int plans, stopped; // of those so far, recorded ones included
    int64_t images;     // that they were scored on
    int *best; // (groups) the plan that early_stop has yet to recall; NULL if there is none
} amc_evaluation;

// To be called first where there is a checkpoint: records what the whole network, counts (groups),
// scores. In a search that is resumed it has to be what is recorded, or other plans would score
// otherwise too: -1 with err set.
int amc_evaluation_whole(amc_evaluation *evaluation, const int *counts, amc_score score,
                         amc_error *err);

// Scores a plan, counts (groups). -1 with err set where the checkpoint is that of another search or
// can't be written.
int amc_evaluation_score(amc_evaluation *evaluation, const int *counts, amc_score *score,
                         amc_error *err);

void amc_evaluation_clear(amc_evaluation *evaluation);

#endif
