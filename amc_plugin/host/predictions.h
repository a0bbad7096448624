// What a host_model computes for images of a dataset, in parallel over its replicas.

#ifndef AMC_HOST_PREDICTIONS_H
#define AMC_HOST_PREDICTIONS_H

#include "host/dataset.h"
#include "host/host_model.h"

// Takes the outputs of n images, the first of which is number `first`: (n, classes), until it
// returns. Called by several threads, each for other images.
typedef void amc_predictions_take(void *context, int first, int n, const float *outputs);

// Runs n images, those at these indices of the dataset, through the weights applied last. The same
// bits whatever the number of threads.
void amc_predictions_make(amc_host_model *model, const amc_dataset *dataset, const int *images,
                          int n, amc_predictions_take *take, void *context);

#endif
