// A Darknet network that takes on the shape and weights of any plan in memory.
//
// Darknet parses the .cfg once; the network is then copied for each thread (a replica). A graph's
// channel counts and weight pointers are written into the replicas' layers in place, so that a
// half-size network costs half the time to score and nothing is parsed or copied for it. Replicas
// borrow the weights: T threads share one copy. Only inference: fine-tuning is Darknet's own
// `classifier train`.

#ifndef AMC_HOST_HOST_MODEL_H
#define AMC_HOST_HOST_MODEL_H

#include "model/layer_graph.h"
#include "model/weights_file.h"

typedef struct amc_host_model amc_host_model;

// Parses the .cfg at `path` (whose checked graph is `graph`) with Darknet, silently, and makes
// `threads` replicas for a batch of images each; one replica on a GPU, where one was chosen. They
// have no weights: call apply before the first predict. Redirects stderr meanwhile, so no other
// thread should print. NULL with err set if the file can't be read or Darknet makes something else
// of it than the graph says.
amc_host_model *amc_host_model_new(const char *path, const amc_layer_graph *graph, int threads,
                                   amc_error *err);
void amc_host_model_free(amc_host_model *model);

// Rewrites every replica to compute `graph` with `weights`, both borrowed until the next apply.
// The graph has the layers of the one the model was made with and no more channels anywhere.
void amc_host_model_apply(amc_host_model *model, const amc_layer_graph *graph,
                          const amc_weights *weights);

int amc_host_model_threads(const amc_host_model *model);
int amc_host_model_batch(const amc_host_model *model);   // images of one predict, at most
int amc_host_model_classes(const amc_host_model *model); // outputs of the network
void amc_host_model_input(const amc_host_model *model, int *c, int *h, int *w);

// Runs n images, input (n, c, h, w) in [0, 1], on replica `thread`; returns the network's outputs
// (n, outputs), which the replica's next call overwrites. The same bits whatever the thread, and
// whatever the images that an image is run with.
const float *amc_host_model_predict(amc_host_model *model, int thread, int n, const float *input);

// The outputs of layer `layer` in the last predict of replica `thread`: (n, out_c, out_h, out_w).
// That of a cost layer is undefined.
const float *amc_host_model_output(const amc_host_model *model, int thread, int layer);

#endif
