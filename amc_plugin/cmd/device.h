// Darknet's own options that choose the processor, anywhere on the line: -nogpu for the CPU, -i N
// for GPU N. The first GPU is the default. Builds without GPU=1 take them and use the CPU.

#ifndef AMC_CMD_DEVICE_H
#define AMC_CMD_DEVICE_H

#include "base/error.h"

// Takes them out of argv, which ends in NULL, and chooses the processor; the GPU is started when a
// network needs it. -1 with err set if N is no number of a GPU.
int amc_device_take(int *argc, char **argv, amc_error *err);

// The same for a command of Darknet's, which takes the options out itself: argv stays as it is, and
// the GPU is started at once, because Darknet would abort where it doesn't work.
int amc_device_start(int argc, char **argv, amc_error *err);

#endif
