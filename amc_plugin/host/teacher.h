// Knowledge distillation (Hinton, Vinyals and Dean, 2015) in Darknet's training loop: the truth
// that a network is trained towards becomes, in part, what another network says of the same images.
//
// Darknet copies each batch into the network by get_next_batch; what is there replaced is the
// truth, so augmentation, gradients and steps are Darknet's own. The loss that it prints, which is
// right for a truth of zeros and a one only, becomes the cross-entropy.

#ifndef AMC_HOST_TEACHER_H
#define AMC_HOST_TEACHER_H

#include "host/host_model.h"

// From now on the truth of every batch is `share` of what the model says, in [0, 1], and the rest
// as it was. The model, which has its weights, is borrowed; NULL ends it.
void amc_teacher_install(amc_host_model *model, float share);

#endif
