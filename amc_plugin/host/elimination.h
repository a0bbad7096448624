// Channels in the order in which a network can best do without them: of each group, the one whose
// removal costs those that read it least is taken away, their weights make up for it (surgeon.h),
// and so on until none is left. Unlike a score from weights alone, this sees that two channels say
// the same.

#ifndef AMC_HOST_ELIMINATION_H
#define AMC_HOST_ELIMINATION_H

#include "host/grams.h"

// Replaces the scores (n_units) of the groups that are read by layers with moments: larger is more
// important, comparable within a group. loss (n_units; may be NULL): what the removal of each unit,
// after those of its group that are less important, adds to the mean squared error of the layers
// that read it, as a share of the variance that batch normalization gives their outputs (of their
// weights' moments without); comparable over the network.
void amc_elimination_score(const amc_grams *grams, double *score, double *loss);

#endif
