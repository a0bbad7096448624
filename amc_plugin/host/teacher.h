// Knowledge distillation (Hinton, Vinyals and Dean, 2015) in Darknet's training loop: the truth
// that a network is trained towards becomes, in part, what another network says of the same images.
//
// Darknet copies each batch into the network by get_next_batch; what is there replaced is the
// truth, so augmentation, losses and steps are Darknet's own.

#ifndef AMC_HOST_TEACHER_H
#define AMC_HOST_TEACHER_H

#include "host/host_model.h"

// From now on the truth of every batch is `share` of what the model says, in [0, 1], and the rest
// as it was. The model, which has its weights, is borrowed; NULL ends it.
void amc_teacher_install(amc_host_model *model, float share);

// Whether the teacher can be used with a network of that input and so many outputs. -1 with err
// set if not; path is the teacher's .cfg.
int amc_teacher_check(const amc_host_model *model, const char *path, const amc_layer_graph *student,
                      amc_error *err);

#endif
