// Early stopping: a plan is scored on a part of the images first, and no further once it can hardly
// be better than the best plan so far. A sequential test with a stated error, exact at any number
// of images.
//
// The test is McNemar's: on the same images, wins are those on which only the plan is right, losses
// those on which only the best is; all others say nothing. A plan that is better on all n images
// has more wins than losses among them. Which of them come first is drawn anew for each plan, so
// whatever plan it is and however it was found, its first images are a random sample of the n,
// drawn without replacement. There are few looks (after 250 images, 500, 1000, ...) and each has an
// equal share of the error (Bonferroni).

#ifndef AMC_SEARCH_EARLY_STOP_H
#define AMC_SEARCH_EARLY_STOP_H

#include "search/score.h"

#include <stdint.h>

typedef struct amc_early_stop amc_early_stop;

// For plans scored on `images` images. error, in [0, 1]: a plan that is right on more of them than
// the best so far is stopped with this probability at most. At 0 a plan is stopped only where the
// images left can't make it the best any more. The images' order is drawn by `seed`.
amc_early_stop *amc_early_stop_new(int images, double error, uint64_t seed);
void amc_early_stop_free(amc_early_stop *stop); // NULL is fine

// Says of n images, by index, whether the plan is right on them: right (n).
typedef void amc_early_stop_images(void *context, const int *images, int n, bool *right);

// Scores a plan, but for its `expected`, on all images or until it is stopped, and remembers it if
// it is the best so far. What the accuracy of a stopped plan is estimated from is the difference to
// the best on the images seen, so it is always lower than the best's.
amc_score amc_early_stop_score(amc_early_stop *stop, amc_early_stop_images *score, void *context);

// Takes note of a plan that was scored in a search that is resumed: what that drew and the best
// plan's accuracy are as if it were scored again. True where it is the best so far.
bool amc_early_stop_replay(amc_early_stop *stop, amc_score recorded);

// On which images the best plan is right isn't recorded: before another plan is scored, has the
// last one of which amc_early_stop_replay said true scored on all. False where that isn't the
// accuracy that was recorded.
bool amc_early_stop_recall(amc_early_stop *stop, amc_early_stop_images *score, void *context);

// The probability of at most so many wins among as many wins and losses, for a plan that is better
// than the best on all images, of which `unseen` are left: the largest over all such plans. 1 where
// there are no fewer wins than losses.
double amc_early_stop_p_value(int wins, int losses, int unseen);

#endif
