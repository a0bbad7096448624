// A small fully connected network with its own optimiser: ReLU between the layers, a linear or a
// sigmoid output, float parameters, whole batches at a time.
//
// Not here: losses. The caller computes d loss / d output and hands it to _backward.
//
// Results are the same bit for bit for the same inputs as long as OpenBLAS runs with one thread.

#ifndef AMC_AGENT_MLP_H
#define AMC_AGENT_MLP_H

#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>

enum { AMC_MLP_LAYERS = 8 }; // the most layers of weights

typedef struct amc_mlp {
    int layers;                        // layers of weights: 3 with two hidden layers
    int sizes[AMC_MLP_LAYERS + 1];     // input, hidden ..., output
    bool sigmoid;                      // the output: sigmoid, or linear
    int max_batch;                     // rows that the arrays below have room for
    size_t count;                      // parameters in all
    float *weights;                    // (count) layer by layer: W (out, in), then b (out)
    float *grads;                      // (count) d loss / d weights, from the last _backward
    float *mean, *square;              // (count) Adam's first and second moments, m and v
    long steps;                        // Adam's t: updates so far
    float *values[AMC_MLP_LAYERS + 1]; // (max_batch, sizes[i]) the input and each layer's output
    float *deltas[AMC_MLP_LAYERS + 1]; // (max_batch, sizes[i]) d loss / d values[i]
} amc_mlp;

// A network of `layers` layers with sizes[0] inputs and sizes[layers] outputs. Weights and biases
// are uniform in +-1/sqrt(inputs of the layer), those of the last layer in +-last_bound: a small
// one makes the first outputs nearly equal for all inputs (DDPG, Lillicrap et al. 2016, section 7).
amc_mlp *amc_mlp_new(int layers, const int *sizes, bool sigmoid, float last_bound, int max_batch,
                     amc_rng *rng);
void amc_mlp_free(amc_mlp *net); // NULL is fine

// The outputs (batch, sizes[layers]) for the inputs x (batch, sizes[0]); 1 <= batch <= max_batch.
// They belong to the network and last until its next _forward.
const float *amc_mlp_forward(amc_mlp *net, const float *x, int batch);

// After _forward with the same batch, from d loss / d output (batch, sizes[layers]): _backward sets
// net->grads (nothing is added up over calls); _input_grads leaves them as they are and returns
// d loss / d input (batch, sizes[0]), which lasts until the next call of either.
void amc_mlp_backward(amc_mlp *net, const float *output_grads, int batch);
const float *amc_mlp_input_grads(amc_mlp *net, const float *output_grads, int batch);

// One step of Adam (Kingma and Ba, 2015; b1 0.9, b2 0.999, epsilon 1e-8) downhill along net->grads.
void amc_mlp_adam(amc_mlp *net, double rate);

// target's weights <- tau * online's + (1 - tau) * target's; for tau 1 a copy. Same sizes.
void amc_mlp_soft_update(amc_mlp *target, const amc_mlp *online, double tau);

#endif
