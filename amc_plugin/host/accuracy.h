// Top-1 and top-k accuracy of a host_model on a dataset, images in parallel over its replicas.

#ifndef AMC_HOST_ACCURACY_H
#define AMC_HOST_ACCURACY_H

#include "host/dataset.h"
#include "host/host_model.h"

typedef struct amc_accuracy {
    int images;
    int top1;       // images whose largest output is their class
    int topk;       // images whose class is among the k largest outputs
    double certain; // sum over the images of the probability that the outputs give to their class;
                    // outputs that aren't probabilities are certain of the largest
    double seconds; // wall time
} amc_accuracy;

// Scores every image with the weights applied last, equal outputs ordered as `darknet classifier
// valid` does. Nothing but the time depends on the number of threads. k > 0.
amc_accuracy amc_accuracy_measure(amc_host_model *model, const amc_dataset *dataset, int k);

// Adds n images, from number `first` on, to what was measured: in parts, one after the other, a
// dataset measures the same as at once. As measure else.
void amc_accuracy_add(amc_accuracy *accuracy, amc_host_model *model, const amc_dataset *dataset,
                      int first, int n, int k);

// Of the n images at these indices of the dataset, right[i] (n) is whether the largest output for
// images[i] is its class. What measure counts as top1.
void amc_accuracy_images(amc_host_model *model, const amc_dataset *dataset, const int *images,
                         int n, bool *right);

// Whether the dataset fits the model: three channels, one output a class. -1 with err set if not;
// cfg_path is for its sentence.
int amc_accuracy_check(const amc_host_model *model, const amc_data_file *data, const char *cfg_path,
                       amc_error *err);

#endif
