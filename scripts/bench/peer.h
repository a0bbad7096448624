// What the programs that scripts/bench.sh runs side by side share. Each of them, whatever computes
// there, is started as
//
//   PROGRAM forward CFG WEIGHTS BATCH THREADS SECONDS   prints images/s of inference
//   PROGRAM train CFG WEIGHTS BATCH THREADS SECONDS     prints images/s of training
//   PROGRAM outputs CFG WEIGHTS BATCH THREADS OUT       writes what it computes, to be compared
//
// on BATCH images made of a fixed sequence of numbers. The figure is the median over the batches
// that fit into SECONDS. OUT holds, for each layer that a yolo, region, detection or softmax layer
// reads (or for the last layer, if there are none), in the machine's byte order
//
//   int32 count; float32 outputs[count]      of all images, one after the other
//
// peer.py is the same for programs in Python.

#ifndef AMC_BENCH_PEER_H
#define AMC_BENCH_PEER_H

#include "base/clock.h"
#include "base/files.h"
#include "base/memory.h"
#include "model/weights_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PEER_SAMPLES 4096

// What a program was asked to do.
typedef struct peer {
    const char *mode, *cfg_path, *weights_path;
    int batch, threads;
    double seconds;  // to measure for
    const char *out; // where outputs go
    amc_cfg_text *cfg;
    amc_layer_graph *graph;
    amc_weights *weights;
    int64_t inputs; // floats in an image
    float *images;  // (batch, c, h, w)
    int n_wanted;   // layers whose outputs are compared
    int *wanted;    // (n_wanted)
} peer;

static inline void peer_fail(const char *program, const char *what) {
    fprintf(stderr, "%s: %s\n", program, what);
    exit(1);
}

// ---- images -------------------------------------------------------------------------------------

// Number k of the sequence, in [0, 1): a hash of k, so that every language gives the same.
static inline float peer_number(uint32_t k) {
    k *= 2654435761u;
    k ^= k >> 15;
    k *= 2246822519u;
    k ^= k >> 13;
    return (float)(k >> 8) / (float)(1 << 24);
}

static inline float *peer_images(int64_t n) {
    float *images = amc_memory_alloc((size_t)n, sizeof *images);
    for (int64_t k = 0; k < n; k++) images[k] = peer_number((uint32_t)k);
    return images;
}

// ---- the network --------------------------------------------------------------------------------

static inline bool peer_decides(amc_layer_type type) {
    return amc_layer_detects(type) || type == AMC_SOFTMAX;
}

static inline void peer_choose(peer *p) {
    p->wanted = amc_memory_alloc((size_t)p->graph->n, sizeof *p->wanted);
    for (int l = 1; l < p->graph->n; l++)
        if (peer_decides(p->graph->layers[l].type))
            p->wanted[p->n_wanted++] = p->graph->layers[l].inputs[0];
    if (!p->n_wanted) p->wanted[p->n_wanted++] = amc_layer_graph_output(p->graph);
}

static inline int peer_load(peer *p, amc_error *err) {
    p->cfg = amc_cfg_text_load(p->cfg_path, err);
    p->graph = p->cfg ? amc_layer_graph_new(p->cfg, err) : NULL;
    p->weights = p->graph ? amc_weights_load(p->weights_path, p->graph, err) : NULL;
    if (!p->weights) return -1;
    p->inputs = (int64_t)p->graph->c * p->graph->h * p->graph->w;
    p->images = peer_images(p->batch * p->inputs);
    peer_choose(p);
    return 0;
}

static inline bool peer_is(const peer *p, const char *mode) {
    return strcmp(p->mode, mode) == 0;
}

// Reads the command line and the files it names; ends the program where something is wrong.
static inline peer *peer_new(int argc, char **argv) {
    if (argc != 7)
        peer_fail(argv[0], "expected forward|train CFG WEIGHTS BATCH THREADS SECONDS or outputs "
                           "CFG WEIGHTS BATCH THREADS OUT");
    amc_error err;
    peer *p = amc_memory_alloc(1, sizeof *p);
    p->mode = argv[1];
    p->cfg_path = argv[2];
    p->weights_path = argv[3];
    p->batch = atoi(argv[4]);
    p->threads = atoi(argv[5]);
    if (peer_is(p, "outputs"))
        p->out = argv[6];
    else
        p->seconds = atof(argv[6]);
    if (p->batch < 1 || p->threads < 1) peer_fail(argv[0], "expected a BATCH and THREADS above 0");
    if (peer_load(p, &err) < 0) peer_fail(argv[0], err.text);
    return p;
}

static inline void peer_free(peer *p) {
    free(p->wanted);
    free(p->images);
    amc_weights_free(p->weights);
    amc_layer_graph_free(p->graph);
    amc_cfg_text_free(p->cfg);
    free(p);
}

static inline int peer_outputs(const peer *p, int layer) {
    const amc_layer *l = &p->graph->layers[layer];
    return l->out_c * l->out_h * l->out_w;
}

// ---- measuring ----------------------------------------------------------------------------------

static inline int peer_compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double peer_median(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, peer_compare_doubles);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// The median time of `run`, in seconds, over runs that together take about `seconds`. The first run
// warms up; it counts only where it alone took eight times `seconds`.
static inline double peer_measure(void (*run)(void *), void *context, double seconds) {
    double samples[PEER_SAMPLES], begin = amc_clock_seconds(), start, now;
    int n = 0;
    run(context);
    start = now = amc_clock_seconds();
    if (start - begin > 8 * seconds) return start - begin;
    while (n < PEER_SAMPLES && (n == 0 || now - start < seconds)) {
        double before = now;
        run(context);
        now = amc_clock_seconds();
        samples[n++] = now - before;
    }
    return peer_median(samples, n);
}

static inline void peer_print(const peer *p, double seconds) {
    printf("%.6g\n", p->batch / seconds);
}

// ---- outputs ------------------------------------------------------------------------------------

// Room for the wanted layers' outputs: (n_wanted) arrays of (batch, outputs).
static inline float **peer_outputs_new(const peer *p) {
    float **outputs = amc_memory_alloc((size_t)p->n_wanted, sizeof *outputs);
    for (int i = 0; i < p->n_wanted; i++)
        outputs[i] = amc_memory_alloc((size_t)p->batch * (size_t)peer_outputs(p, p->wanted[i]),
                                      sizeof **outputs);
    return outputs;
}

static inline void peer_outputs_free(const peer *p, float **outputs) {
    for (int i = 0; outputs && i < p->n_wanted; i++) free(outputs[i]);
    free(outputs);
}

static inline int peer_write(const peer *p, float *const *outputs, amc_error *err) {
    amc_files_part *parts = amc_memory_alloc(2 * (size_t)p->n_wanted, sizeof *parts);
    int32_t *counts = amc_memory_alloc((size_t)p->n_wanted, sizeof *counts);
    for (int i = 0; i < p->n_wanted; i++) {
        counts[i] = p->batch * peer_outputs(p, p->wanted[i]);
        parts[2 * i] = (amc_files_part){&counts[i], sizeof counts[i]};
        parts[2 * i + 1] = (amc_files_part){outputs[i], (size_t)counts[i] * sizeof(float)};
    }
    int status = amc_files_write_parts(p->out, parts, 2 * p->n_wanted, err);
    free(counts);
    free(parts);
    return status;
}

#endif
