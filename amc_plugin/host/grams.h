// Second moments of what a network's filters read, summed once over training images: all that
// reconstruction and elimination have to know of the data, whatever the number of images.

#ifndef AMC_HOST_GRAMS_H
#define AMC_HOST_GRAMS_H

#include "host/dataset.h"
#include "model/channel_groups.h"
#include "model/prune_plan.h"
#include "model/weights_file.h"

// Numbers that a filter may read. Moments grow with their square; where single weights are pruned,
// each filter takes a solve of its own, which grows with the cube.
enum { AMC_GRAMS_MOST = 8192, AMC_GRAMS_MOST_SINGLE = 1200 };

// The ridge, as a share of the mean moment, that regressions on these moments need: they are of a
// sample.
#define AMC_GRAMS_RIDGE 1e-3

// What the filters of one layer read: at each place d numbers, in the order of a filter's weights.
typedef struct amc_gram {
    int d;          // 0: none of it can be removed, or it is too much
    int each;       // of d, numbers that come of one input channel
    float *moments; // (d, d) E[(x - mean) (x - mean)^T]
    double *means;  // (d)
} amc_gram;

typedef struct amc_grams {
    const amc_layer_graph *graph;     // borrowed, as are
    const amc_channel_groups *groups; // NULL where single weights are pruned
    const amc_weights *weights;       // the original network's
    amc_gram *layers;                 // (layers)
} amc_grams;

// Runs the images of `dataset` (which may be freed) through the network at `path`, and looks at
// what its filters read at random places. Only layers that read channels which plans may remove are
// looked at, or all of them where `groups` is NULL, since plans are of single weights; not grouped
// and depthwise convolutions, whose filters go with all that they read. NULL with err set if
// Darknet makes something else of the .cfg than the graph says, the network can't take images, or
// what it computes of one is no number.
// The same bits whatever the number of threads.
amc_grams *amc_grams_new(const char *path, const amc_layer_graph *graph,
                         const amc_channel_groups *groups, const amc_weights *weights,
                         const amc_dataset *dataset, amc_error *err);
void amc_grams_free(amc_grams *grams);

#endif
