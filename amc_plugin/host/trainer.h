// Darknet's own training loop, `darknet classifier train`, run in a process of its own: it ends its
// process where something is wrong, and what it prints is all it says.
//
// It leaves <backup of the .data file>/<name of the .cfg>_<epoch>.weights after each epoch and
// <name>.weights at its end, each written in place.

#ifndef AMC_HOST_TRAINER_H
#define AMC_HOST_TRAINER_H

#include "base/error.h"

#include <stdbool.h>

typedef struct amc_trainer_step {
    int batch;    // of the schedule, from 1
    double epoch; // images seen of all training images
    double loss;  // mean over the batch
} amc_trainer_step;

// Told about every batch when it is done. Returns false to end the training.
typedef bool amc_trainer_watch(void *context, const amc_trainer_step *step);

// Runs the command line, NULL at its end, and waits for it to end; what it prints on stderr goes to
// the file `log`. The process doesn't outlive this one. -1 with err set, with what it said last, if
// it couldn't be started or didn't end by itself with status 0; that is no proof that Darknet came
// to the end of its schedule. 1 where `watch` ended it.
int amc_trainer_run(char *const argv[], const char *log, amc_trainer_watch *watch, void *context,
                    amc_error *err);

// What a process that was run last said in its log, new text: a line, or two where stb_image gave
// its reason in one of its own.
char *amc_trainer_last_words(const char *log);

#endif
