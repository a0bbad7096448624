// Batch normalization re-estimated after pruning: removing channels shifts what the later layers
// see, and their rolling means and variances no longer fit. One forward pass of some training
// images in training mode, where every layer normalizes by its batch, gives those that do, each
// layer's with the layers before it already mended.

#ifndef AMC_HOST_CALIBRATOR_H
#define AMC_HOST_CALIBRATOR_H

#include "host/dataset.h"
#include "model/layer_graph.h"
#include "model/weights_file.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct amc_calibrator amc_calibrator;

// What re-estimating a network for every plan may take.
#define AMC_CALIBRATOR_BYTES (1LL << 30)

// Takes the images of `dataset` (resized copies, so it may be freed); where they and their
// activations would need more than `bytes`, as many as fit, drawn by chance, always the same ones.
// NULL with err set if Darknet makes something else of the .cfg at `path` than the graph says, if
// the network can't take images (three channels, a height above 1), or if there are fewer than two.
amc_calibrator *amc_calibrator_new(const char *path, const amc_layer_graph *graph,
                                   const amc_dataset *dataset, int64_t bytes, amc_error *err);
void amc_calibrator_free(amc_calibrator *calibrator);

// How many images it took.
int amc_calibrator_images(const amc_calibrator *calibrator);

// Told before a layer runs what it is going to read of all images: input (images, c, h, w). May
// change the weights that the layer is going to use.
typedef void amc_calibrator_visit(void *context, int layer, const float *input);

// What the activation of a layer multiplies negative sums by: 0 for relu, 1 where it has none or
// one that isn't made of two straight lines.
float amc_calibrator_slope(const amc_calibrator *calibrator, int layer);

// Whether a layer has no activation.
bool amc_calibrator_is_linear(const amc_calibrator *calibrator, int layer);

// What a shortcut multiplies the layer that it adds by, where the other one counts once; 0 where
// that one is turned round or left out.
float amc_calibrator_added_share(const amc_calibrator *calibrator, int shortcut);

// What a layer that has run computed: (images, out_c, out_h, out_w) of the graph that runs. To be
// asked for while a layer is visited that isn't after the one that follows its last reader.
const float *amc_calibrator_output(const amc_calibrator *calibrator, int layer);

// Runs the images through `graph` with `weights` as they are, in inference, on the CPU.
void amc_calibrator_look(amc_calibrator *calibrator, const amc_layer_graph *graph,
                         const amc_weights *weights, amc_calibrator_visit *visit, void *context);

// Replaces the means and variances in `weights`, those of `graph`: one that the calibrator's
// network can take on (see host_model). The same bits whatever the number of threads. visit may be
// NULL, and is on a GPU.
void amc_calibrator_run(amc_calibrator *calibrator, const amc_layer_graph *graph,
                        amc_weights *weights, amc_calibrator_visit *visit, void *context);

#endif
