// A network bound to images: what a plan, or the network itself, scores on them.

#ifndef AMC_CMD_SCORER_H
#define AMC_CMD_SCORER_H

#include "cmd/network.h"
#include "cmd/pruned.h"
#include "host/accuracy.h"
#include "search/score.h"

typedef struct amc_scorer_options {
    const char *data; // .data file; NULL: the network's own
    amc_dataset_part part;
    int limit; // images; 0: all
    int top;   // k of top-k; 0: what the .data file says
    uint64_t seed;
    int threads;
    bool quiet;                // no progress on stderr
    amc_repair_options repair; // of plans' networks; seed, threads and quiet are those above
} amc_scorer_options;

typedef struct amc_scorer {
    const amc_network *network; // borrowed
    char *data_path;
    amc_dataset_part part;
    amc_data_file *data;
    amc_dataset *dataset;
    amc_host_model *model;
    amc_repair repair;
    amc_pruned pruned; // what the model computes now, if it is pruned
    int top;
    bool quiet;
} amc_scorer;

// Decodes the images and parses the network. NULL with err set.
amc_scorer *amc_scorer_new(const amc_network *network, amc_scorer_options options, amc_error *err);
void amc_scorer_free(amc_scorer *scorer);

// Says so on stderr where the images of rewards were held out by seed, for want of a search= list.
void amc_scorer_print_held_out(const amc_scorer *scorer);

// Those of repair, complete.
amc_repair_options amc_scorer_repair_options(const amc_scorer_options *options);

// Takes on the whole network, which amc_scorer_network scores, with the time left on stderr where
// that takes long.
void amc_scorer_apply_network(amc_scorer *scorer);
amc_accuracy amc_scorer_network(amc_scorer *scorer);

// What a pruned network, which is taken over, scores on all images.
amc_score amc_scorer_pruned(amc_scorer *scorer, amc_pruned pruned);

// Gives back the pruned network that was scored last; to live until another is applied.
amc_pruned amc_scorer_take(amc_scorer *scorer);

// The same in two steps: takes the pruned network over, then scores it on all images or says of any
// n of the scorer's images, by index, whether it is right on them: right (n).
void amc_scorer_apply(amc_scorer *scorer, amc_pruned pruned);
amc_score amc_scorer_all(amc_scorer *scorer);
void amc_scorer_images(amc_scorer *scorer, const int *images, int n, bool *right);

// What was counted, as shares.
amc_score amc_scorer_score(amc_accuracy counted);

#endif
