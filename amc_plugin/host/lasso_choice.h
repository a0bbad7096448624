// Channels in the order in which the LASSO gives them up: the choice of Channel Pruning (He, Zhang
// and Sun, ICCV 2017, eq. 2), on the inputs of the original network.

#ifndef AMC_HOST_LASSO_CHOICE_H
#define AMC_HOST_LASSO_CHOICE_H

#include "host/grams.h"

// Replaces the scores (n_units) of the groups that are read by layers with moments: larger is more
// important, comparable within a group.
void amc_lasso_choice_score(const amc_grams *grams, double *score);

#endif
