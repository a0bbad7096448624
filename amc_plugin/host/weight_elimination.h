// Single weights in the order in which their layer can best do without them: of each filter the
// weight whose absence costs least goes first, the others make up for it (weight_order.h), and so
// on. Magnitude alone doesn't see how large the inputs are that a weight meets, nor that another
// weight meets nearly the same.

#ifndef AMC_HOST_WEIGHT_ELIMINATION_H
#define AMC_HOST_WEIGHT_ELIMINATION_H

#include "host/grams.h"

// Replaces the weights of layers with moments by scores: larger is more important, comparable
// within a layer. scores: a copy of the original weights. The same bits whatever the number of
// threads.
void amc_weight_elimination_score(const amc_grams *grams, amc_weights *scores);

#endif
