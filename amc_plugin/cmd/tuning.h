// Fine-tuning: a pruned network is trained on by Darknet, with a schedule of its own, and the best
// of its epochs by accuracy on held-out training images is kept.

#ifndef AMC_CMD_TUNING_H
#define AMC_CMD_TUNING_H

#include "cmd/scorer.h"

#include <cjson/cJSON.h>

#define AMC_TUNING_TEACHER_SHARE 0.5 // the default
#define AMC_TUNING_SETTLE 0.25       // the default

typedef struct amc_tuning_options {
    const char *data; // .data file; NULL: the network's own
    double epochs; // of all training images; where that is no whole number, the last is cut short
    double rate;   // learning rate of the first batch, which falls to 0; NAN: half of the .cfg's
    const char *teacher;         // .cfg of a network to learn from; NULL: none
    const char *teacher_weights; // NULL: weights/<name>.weights
    double teacher_share;        // of the truth that is the teacher's
    double settle;      // share of the epochs, the last ones, with images as validation sees them
    const char *result; // .weights file to make
    bool force;         // it may be replaced
    bool resume;        // goes on where an earlier run was interrupted; what is finished stays
    bool quiet;         // no progress on stderr
    int limit;          // held-out images that epochs are scored on; 0: all
    uint64_t seed;      // of holding images out and of -limit
    int threads;
} amc_tuning_options;

typedef struct amc_tuning_result {
    double before, after; // accuracy on the held-out training images, after that of `epoch`
    double test_before, test_after; // on the test set; NAN where the .data file names none
    int epoch;                      // 0: none was done, or the result was there
} amc_tuning_result;

// Fine-tunes a network that has weights. 0 when done; 1 where it was interrupted and can be
// resumed; -1 with err set. What stood at `result` is replaced by a whole result only.
int amc_tuning_run(const amc_network *network, const amc_tuning_options *options,
                   amc_tuning_result *result, amc_error *err);

// What there is to say about it: finetuned_weights, finetuned_accuracy, epoch, and test_accuracy
// and finetuned_test_accuracy where there is a test set; epoch stays where the result was there.
void amc_tuning_add_json(const amc_tuning_options *options, const amc_tuning_result *result,
                         cJSON *json);

// Moves what the above added to one object, which may be NULL, to another.
void amc_tuning_move_json(cJSON *from, cJSON *to);

// Adds it to the result.json that search or prune left beside the network's weights, if that is
// about them: a report then shows it. -1 with err set where it can't be written.
int amc_tuning_tell_result(const amc_network *network, const amc_tuning_options *options,
                           const amc_tuning_result *result, amc_error *err);

void amc_tuning_print(const amc_tuning_options *options, const amc_tuning_result *result);

#endif
