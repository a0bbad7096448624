// Darknet's activations by those that kernels fuse into what comes before.

#ifndef AMC_HOST_FUSED_ACTIVATION_H
#define AMC_HOST_FUSED_ACTIVATION_H

#include "kernels/activation.h"

#include <darknet.h>

// Whether kernels have the activation; *act is it, else AMC_LINEAR.
static inline bool amc_fused_activation(ACTIVATION a, amc_activation *act) {
    *act = a == RELU ? AMC_RELU : a == LEAKY ? AMC_LEAKY : AMC_LINEAR;
    return a == RELU || a == LEAKY || a == LINEAR;
}

#endif
