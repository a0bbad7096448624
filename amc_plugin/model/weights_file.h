// .weights files: the length-checked reader and atomic writer of what Darknet's load_weights and
// save_weights handle. All values are little-endian; a file is
//
//     int32 major, minor, revision     written as 0, 2, 0
//     uint64 seen                      uint32 if major*10 + minor < 2
//     for each layer in .cfg order
//       convolutional: biases[n] (scales[n] means[n] variances[n]) weights[n][c/groups][k][k]
//       deconvolutional: biases[n] (scales[n] means[n] variances[n]) weights[c][n][k][k]
//       local:         biases[n][h][w] weights[h][w][n][c][k][k]
//       connected:     biases[n] weights[n][inputs] (scales[n] means[n] variances[n])
//       batchnorm:     scales[c] means[c] variances[c]
//       others:        nothing
//
// where (...) is there with batch_normalize=1. Files with major or minor > 1000 hold the connected
// weights transposed.

#ifndef AMC_MODEL_WEIGHTS_FILE_H
#define AMC_MODEL_WEIGHTS_FILE_H

#include "model/layer_graph.h"

#include <stddef.h>

typedef struct amc_layer_weights {
    int n;             // biases; 0 for a layer without weights
    int64_t n_weights; // floats in weights
    float *biases;     // (n) of a batchnorm layer: 0, since the file has none
    float *scales;     // (n) gamma; NULL without batch normalization
    float *means;      // (n) rolling mean; NULL without
    float *variances;  // (n) rolling variance; NULL without
    float *weights;    // (n_weights) as drawn above
} amc_layer_weights;

typedef struct amc_weights {
    int n; // layers, as in the graph
    amc_layer_weights *layers;
} amc_weights;

// Zeroed arrays for every layer of the graph.
amc_weights *amc_weights_new(const amc_layer_graph *graph);
amc_weights *amc_weights_copy(const amc_weights *weights);
void amc_weights_free(amc_weights *weights);

// Reads `path` for `graph`, array by array: there is never a second copy. NULL with err set if it
// is missing, has another length than the graph asks for (with both byte counts and the layer at
// which it ran out), or holds a NaN or infinity or a negative variance.
amc_weights *amc_weights_load(const char *path, const amc_layer_graph *graph, amc_error *err);

// Writes version 0.2.0 with seen = 0, so that Darknet's training starts at its first batch.
int amc_weights_save(const amc_weights *weights, const amc_layer_graph *graph, const char *path,
                     amc_error *err);

// Bytes of that file.
size_t amc_weights_file_size(const amc_layer_graph *graph);

// The same when it is compressed with zstd: zeros take little room.
size_t amc_weights_compressed_size(const amc_weights *weights, const amc_layer_graph *graph);

#endif
