// How far what a pruned network says of images is from what the whole one says: the
// Kullback-Leibler divergence of its outputs. It tells plans apart that are right on the same
// images, so a few hundred images say what accuracy would take thousands for, and it needs no
// labels.

#ifndef AMC_HOST_DIVERGENCE_H
#define AMC_HOST_DIVERGENCE_H

#include "host/dataset.h"
#include "host/host_model.h"

#define AMC_DIVERGENCE_MOST 1e9 // also where outputs are no numbers

typedef struct amc_divergence amc_divergence;

// Notes what the model computes as it is for at most so many images, spread over the dataset.
// Borrows both.
amc_divergence *amc_divergence_new(amc_host_model *model, const amc_dataset *dataset, int most);
void amc_divergence_free(amc_divergence *divergence);

// The mean over the images of sum_k p_k log(p_k / q_k) - p_k + q_k, where p was noted and q is what
// the weights applied last compute; from 0, where they are the same, to AMC_DIVERGENCE_MOST.
// Numbers below 1e-6, which a softmax makes of images that it is sure of, count as that.
double amc_divergence_measure(const amc_divergence *divergence);

#endif
