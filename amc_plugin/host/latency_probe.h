// How long a network takes for one image on the CPU: measured, not reckoned. The forward pass is
// that of `darknet classifier predict` with this program: a batch of one, all threads within each
// layer, weights as the file has them. A figure is the median over rounds, beside its quartiles;
// nothing here depends on what weights and pixels are, so random ones do.

#ifndef AMC_HOST_LATENCY_PROBE_H
#define AMC_HOST_LATENCY_PROBE_H

#include "model/layer_graph.h"
#include "model/weights_file.h"

typedef struct amc_latency_probe amc_latency_probe;

// Parses the .cfg at `path` (whose checked graph is `graph`) with Darknet, silently. Call apply
// before the first pass. Redirects stderr meanwhile, so no other thread should print. NULL with err
// set where host_model_new would, and where networks compute on a GPU.
amc_latency_probe *amc_latency_probe_new(const char *path, const amc_layer_graph *graph,
                                         amc_error *err);
void amc_latency_probe_free(amc_latency_probe *probe);

// Rewrites the network to compute `graph` with `weights`, both borrowed until the next apply. The
// graph has the layers of the one the probe was made with and no more channels anywhere. Layers
// may disagree about their channels: each then reads what lies where its input would.
void amc_latency_probe_apply(amc_latency_probe *probe, const amc_layer_graph *graph,
                             const amc_weights *weights);

// One forward pass: nanoseconds of each layer (layers). Returns those of the whole pass.
double amc_latency_probe_pass(amc_latency_probe *probe, double *layer_ns);

// What rounds measured.
typedef struct amc_latency_spread {
    double low, median, high; // quartiles, nanoseconds
} amc_latency_spread;

typedef struct amc_latency {
    int rounds;
    amc_latency_spread total;
    double *layer_ns; // (layers) medians
} amc_latency;

// For how long to measure: that many rounds, or with 0 as many as the seconds hold, at least five.
typedef struct amc_latency_effort {
    int rounds;
    double seconds;
} amc_latency_effort;

// Before the rounds there are some passes that don't count.
amc_latency amc_latency_probe_measure(amc_latency_probe *probe, amc_latency_effort effort);
void amc_latency_clear(amc_latency *latency);

// Two networks in turn, so that whatever else the machine does slows both alike. Returns the median
// over rounds of b's time by a's.
double amc_latency_probe_compare(amc_latency_probe *a, amc_latency_probe *b,
                                 amc_latency_effort effort, amc_latency *of_a, amc_latency *of_b);

// A network beside a smaller one of the same .cfg, in turn.
typedef struct amc_latency_pair {
    amc_latency whole, small;
    double share; // median over rounds of the smaller one's time by the whole one's
} amc_latency_pair;

// small: as apply wants it. -1 with err set where amc_latency_probe_new fails; nothing is to be
// cleared then.
int amc_latency_pair_measure(amc_latency_pair *pair, const char *path, const amc_layer_graph *graph,
                             const amc_weights *weights, const amc_layer_graph *small,
                             const amc_weights *small_weights, amc_latency_effort effort,
                             amc_error *err);
void amc_latency_pair_clear(amc_latency_pair *pair);

// The value below which that share of n values lies (1/2: the median); n > 0.
double amc_latency_probe_quantile(const double *values, int n, double share);

// Weights that take as long to compute with as trained ones: random, of a size that keeps numbers
// from growing or vanishing from layer to layer.
amc_weights *amc_latency_probe_weights(const amc_layer_graph *graph);

#endif
