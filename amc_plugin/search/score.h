// What a plan scored.

#ifndef AMC_SEARCH_SCORE_H
#define AMC_SEARCH_SCORE_H

#include <stdbool.h>

typedef struct amc_score {
    float accuracy; // in [0, 1], larger is better: on held-out training images
    int images;     // seen for it
    bool stopped;   // before all were: the accuracy is an estimate, and the plan not the best
    bool recorded;  // not now: a checkpoint had it
    float expected; // accuracy of answers drawn by the probabilities that the network gives to
                    // classes: it tells plans apart that are right on the same images
} amc_score;

// What a reward goes by: accuracy, or with `expects` what is expected.
static inline float amc_score_quality(amc_score score, bool expects) {
    return expects ? score.expected : score.accuracy;
}

#endif
