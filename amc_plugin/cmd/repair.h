// What repairs smaller networks without training, and knows from the same images which channels and
// weights matter.

#ifndef AMC_CMD_REPAIR_H
#define AMC_CMD_REPAIR_H

#include "cmd/network.h"
#include "host/calibrator.h"
#include "host/grams.h"
#include "host/refit.h"

// What a smaller network is repaired with: training images, none of them held out for rewards.
typedef struct amc_repair_options {
    amc_granularity granularity; // of what the networks lose
    int reconstruct;             // images to reconstruct weights from; 0: they stay
    int calibrate;               // images to re-estimate batch normalization on; 0: it stays
    int refit;                   // images to refit a result on; 0: it is as the plan left it
    uint64_t seed;
    int threads;
    bool quiet; // else stderr says what takes its time
} amc_repair_options;

typedef struct amc_repair {
    amc_grams *grams;           // NULL: weights aren't reconstructed
    amc_calibrator *calibrator; // NULL: batch normalization isn't re-estimated
} amc_repair;

// Prepares what the options ask for, on images of the .data file; `network` is borrowed. -1 with
// err set.
int amc_repair_open(amc_repair *repair, const amc_network *network, const amc_data_file *data,
                    amc_repair_options options, amc_error *err);
void amc_repair_close(amc_repair *repair);

// What results are refitted with, which takes too long for each plan of a search, from the images
// that the options ask for. NULL with err set.
amc_refit *amc_repair_refit_new(const amc_network *network, const amc_data_file *data,
                                amc_repair_options options, amc_error *err);

// Scores of the channels, larger is more important: by the criterion of that name (see
// model/importance) or from the images that weights are reconstructed from, "obs" (see
// host/elimination) or "lasso" (see host/lasso_choice). Without a name: obs where there are such
// images, else bn. loss (n_units) gets what host/elimination says where that is asked, and is left
// alone else. NULL with err set.
double *amc_repair_importance(const amc_repair *repair, const amc_network *network,
                              const char *criterion, uint64_t seed, double *loss, amc_error *err);

// Scores of single weights, where these stand; what is said above holds. criterion: "obs" (see
// host/weight_elimination) or "l1", their magnitude. Without a name: obs where weights are
// reconstructed, else l1.
amc_weights *amc_repair_weight_importance(const amc_repair *repair, const amc_network *network,
                                          const char *criterion, amc_error *err);

#endif
