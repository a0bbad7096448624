// What the tests of host/ share: a temporary folder, small images, networks with random weights.

#ifndef AMC_TESTS_HOST_FIXTURE_H
#define AMC_TESTS_HOST_FIXTURE_H

#include "base/files.h"
#include "base/memory.h"
#include "base/rng.h"
#include "model/weights_file.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <darknet.h>
#include <stb_image_write.h>

static char fixture_folder[256]; // the test program's own, removed at its end

static inline int fixture_setup(void **state) {
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(fixture_folder, sizeof fixture_folder, "%s/amc-host-XXXXXX", base ? base : "/tmp");
    return mkdtemp(fixture_folder) ? 0 : -1;
}

static inline int fixture_remove_one(const char *path, const struct stat *info, int type,
                                     struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static inline int fixture_teardown(void **state) {
    (void)state;
    return nftw(fixture_folder, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

// The path of a file in the folder, as new text.
static inline char *fixture_path(const char *name) {
    return amc_memory_text("%s/%s", fixture_folder, name);
}

// Writes a file into the folder and returns its path as new text.
static inline char *fixture_write(const char *name, const char *text) {
    amc_error err;
    char *path = fixture_path(name);
    assert_int_equal(amc_files_write(path, text, strlen(text), &err), 0);
    return path;
}

// Random pixels (h, w, channels) in a tint of their own, new memory.
static inline unsigned char *fixture_pixels(int w, int h, int channels, uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    unsigned char *pixels = amc_memory_alloc((size_t)w * h * channels, 1);
    uint32_t brightest[4];
    for (int c = 0; c < 4; c++) brightest[c] = 1 + amc_rng_below(&rng, 256);
    for (int i = 0; i < w * h * channels; i++)
        pixels[i] = (unsigned char)amc_rng_below(&rng, brightest[i % channels]);
    return pixels;
}

// Writes random pixels to a file whose format its extension says; returns its path as new text.
static inline char *fixture_image(const char *name, int w, int h, int channels, uint64_t seed) {
    char *path = fixture_path(name);
    unsigned char *pixels = fixture_pixels(w, h, channels, seed);
    const char *type = strrchr(name, '.');
    int done = strcmp(type, ".jpg") == 0   ? stbi_write_jpg(path, w, h, channels, pixels, 90)
               : strcmp(type, ".bmp") == 0 ? stbi_write_bmp(path, w, h, channels, pixels)
                                           : stbi_write_png(path, w, h, channels, pixels, 0);
    assert_true(done);
    free(pixels);
    return path;
}

static inline void fixture_randomize(amc_rng *rng, float *values, int64_t n, double low,
                                     double high) {
    for (int64_t i = 0; values && i < n; i++)
        values[i] = (float)(low + (high - low) * amc_rng_uniform(rng));
}

// Random weights that keep activations in a sensible range.
static inline amc_weights *fixture_weights(const amc_layer_graph *graph, uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    amc_weights *weights = amc_weights_new(graph);
    for (int i = 0; i < graph->n; i++) {
        amc_layer_weights *layer = &weights->layers[i];
        fixture_randomize(&rng, layer->biases, layer->n, -0.5, 0.5);
        fixture_randomize(&rng, layer->scales, layer->n, 0.5, 1.5);
        fixture_randomize(&rng, layer->means, layer->n, -0.5, 0.5);
        fixture_randomize(&rng, layer->variances, layer->n, 0.5, 1.5);
        fixture_randomize(&rng, layer->weights, layer->n_weights, -0.4, 0.4);
    }
    return weights;
}

// Reads a .cfg's text and graph.
static inline amc_layer_graph *fixture_graph(const char *path) {
    amc_error err = {""};
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    amc_layer_graph *graph = cfg ? amc_layer_graph_new(cfg, &err) : NULL;
    amc_cfg_text_free(cfg);
    if (!graph) fail_msg("%s", err.text);
    return graph;
}

// Points stderr to `file` and returns what fixture_unredirect needs.
static inline int fixture_redirect(const char *file) {
    int kept = dup(STDERR_FILENO), to = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(to, STDERR_FILENO);
    close(to);
    return kept;
}

static inline void fixture_unredirect(int kept) {
    dup2(kept, STDERR_FILENO);
    close(kept);
}

// A network made by Darknet alone from files on disk, for one image at a time.
static inline network *fixture_darknet(const char *cfg, const char *weights) {
    int kept = fixture_redirect("/dev/null");
    network *net = parse_network_cfg((char *)cfg);
    load_weights(net, (char *)weights);
    set_batch_network(net, 1);
    fixture_unredirect(kept);
    return net;
}

// Frees it together with what free_network leaves behind.
static inline void fixture_darknet_free(network *net) {
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        free(l->loss), free(l->bias_m), free(l->bias_v), free(l->scale_m), free(l->scale_v);
    }
    free(net->workspace);
    free(net->seen);
    free(net->t);
    free(net->cost);
    free(net->steps);
    free(net->scales);
    free_network(net);
}

static inline float *fixture_input(int n, uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    float *input = amc_memory_alloc((size_t)n, sizeof *input);
    fixture_randomize(&rng, input, n, 0, 1);
    return input;
}

#endif
