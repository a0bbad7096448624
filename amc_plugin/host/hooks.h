// Our kernels inside Darknet: once installed, every command of the binary that makes convolutional,
// connected, maxpool or shortcut layers runs them, `classifier train` included, and so does
// everything of Darknet's that calls its gemm. Training loads its images by training_images.h, and
// its steps leave the zeros of pruned weights zero (see update.h).
//
// This mends three faults of Darknet on the CPU: a 1x1 convolution ignored stride and padding, its
// backward pass overwrote what shortcuts and routes had added to its input's delta, and
// [deconvolutional] kept the NaNs of one image for all; and three crashes, with AMC_STOCK=1 too: a
// lone [batchnorm] had no memory for its input, [local] asked for a quarter of the workspace that
// it writes to, and weights of [deconvolutional] were loaded with a division by 0 groups.
//
// Darknet's own code stays in charge of binary and xnor layers.

#ifndef AMC_HOST_HOOKS_H
#define AMC_HOST_HOOKS_H

#include <stdbool.h>

#include <darknet.h>

// Switches the hooks on for layers made from now on; with AMC_STOCK=1 in the environment, off. Call
// it first thing in main: before it, everything is stock Darknet.
void amc_hooks_install(void);

// A text that differs where the kernels do with which layers are made from now on: what was
// measured with some says nothing of others.
const char *amc_hooks_kernels(void);

// Weights that don't change from one forward pass to the next can be prepared for them. Floats that
// this takes for layer l; 0 where nothing is gained.
size_t amc_hooks_prepared_size(const layer *l);

// Prepares l's weights into `room`, which l borrows: until `binary_weights`, which networks of
// ordinary weights have no other use for, is NULL again, its forward passes outside training use
// that. Copies of l may borrow it too.
void amc_hooks_prepare(layer *l, float *room);

// Switches them on or off for layers made from now on. For comparing the two.
void amc_hooks_enable(bool on);
bool amc_hooks_enabled(void);

#endif
