// What fine-tuning keeps until it is done, in the folder <result>.part: enough to go on with after
// an interruption at any moment. Darknet trains net.cfg there and leaves net_<epoch>.weights.
//
//     net.cfg, train.data, train.list   what Darknet gets: network and schedule, and the images
//
//     net_<epoch>.weights               of the last epoch that is finished
//
//     best.weights                      of the best
//
//     epochs.csv                        what each epoch scored; locked while it is trained
//
//     log                               what Darknet said on stderr

#ifndef AMC_CMD_TUNING_FOLDER_H
#define AMC_CMD_TUNING_FOLDER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct amc_tuning_folder {
    char *path;
    char *alias; // short and without blanks, for Darknet; of this process and those it starts
    char *cfg, *data, *list, *best, *end, *table, *log; // files in it; `end` is net.weights
    int lock, directory;  // file descriptors of the table, and of the folder: what the alias is of
    size_t weights_bytes; // length of a .weights file that is whole
} amc_tuning_folder;

// Opens the folder that belongs to `result`, a path, or makes it, and locks it. Where an unfinished
// run is there, `resume` has to be set, or `force`, which clears it; only the latter helps where
// that is of a network whose weights have another length. NULL with err set.
amc_tuning_folder *amc_tuning_folder_open(const char *result, size_t weights_bytes, bool resume,
                                          bool force, amc_error *err);

// Whether there is an unfinished run to `result`.
bool amc_tuning_folder_exists(const char *result);

// -1 with err set where one is going on.
int amc_tuning_folder_check_idle(const char *result, amc_error *err);

// Removes it, unless somebody is at work there.
void amc_tuning_folder_remove(const char *result);

// Closes it; with `done`, or where no epoch was finished, it is removed with all that is in it.
void amc_tuning_folder_close(amc_tuning_folder *folder, bool done);

// The weights after an epoch, new text; NULL where they aren't there, or not whole.
char *amc_tuning_folder_weights(const amc_tuning_folder *folder, int epoch);

// What Darknet left at the end of its schedule is the weights after `epoch` from now on. False
// where it left nothing.
bool amc_tuning_folder_end(const amc_tuning_folder *folder, int epoch);

// Removes the weights after epochs later than that.
void amc_tuning_folder_forget(const amc_tuning_folder *folder, int epoch);

// Remembers what an epoch scored; as the best, its weights are kept. -1 with err set.
int amc_tuning_folder_add(amc_tuning_folder *folder, int epoch, double accuracy, bool best,
                          amc_error *err);

// The last epoch whose weights are there, the last that was scored, and the best with its accuracy;
// 0 for none. -1 with err set where the table is no such table.
typedef struct amc_tuning_state {
    int trained, scored, best;
    double accuracy; // of the best
} amc_tuning_state;

int amc_tuning_folder_state(const amc_tuning_folder *folder, amc_tuning_state *state,
                            amc_error *err);

#endif
