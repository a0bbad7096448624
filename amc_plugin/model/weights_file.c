#include "model/weights_file.h"

#include "base/compressed.h"
#include "base/files.h"
#include "base/memory.h"
#include "model/cost_model.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int bias_count(const amc_layer *layer) {
    if (layer->type == AMC_LOCAL) return amc_layer_outputs(layer);
    return layer->batch_normalize || amc_layer_weight_count(layer) ? layer->out_c : 0;
}

amc_weights *amc_weights_new(const amc_layer_graph *graph) {
    amc_weights *weights = amc_memory_alloc(1, sizeof *weights);
    weights->n = graph->n;
    weights->layers = amc_memory_alloc((size_t)graph->n, sizeof *weights->layers);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        amc_layer_weights *w = &weights->layers[l];
        w->n = bias_count(layer);
        if (w->n == 0) continue;
        w->n_weights = amc_layer_weight_count(layer);
        w->weights = amc_memory_alloc((size_t)w->n_weights, sizeof(float));
        w->biases = amc_memory_alloc((size_t)w->n, sizeof(float));
        if (!layer->batch_normalize) continue;
        w->scales = amc_memory_alloc((size_t)w->n, sizeof(float));
        w->means = amc_memory_alloc((size_t)w->n, sizeof(float));
        w->variances = amc_memory_alloc((size_t)w->n, sizeof(float));
    }
    return weights;
}

amc_weights *amc_weights_copy(const amc_weights *weights) {
    amc_weights *copy = amc_memory_alloc(1, sizeof *copy);
    copy->n = weights->n;
    copy->layers = amc_memory_copy(weights->layers, (size_t)weights->n, sizeof *weights->layers);
    for (int l = 0; l < copy->n; l++) {
        amc_layer_weights *w = &copy->layers[l];
        size_t n = (size_t)w->n;
        w->weights = amc_memory_copy(w->weights, (size_t)w->n_weights, sizeof(float));
        w->biases = amc_memory_copy(w->biases, n, sizeof(float));
        w->scales = amc_memory_copy(w->scales, n, sizeof(float));
        w->means = amc_memory_copy(w->means, n, sizeof(float));
        w->variances = amc_memory_copy(w->variances, n, sizeof(float));
    }
    return copy;
}

void amc_weights_free(amc_weights *weights) {
    if (!weights) return;
    for (int l = 0; l < weights->n; l++) {
        free(weights->layers[l].biases);
        free(weights->layers[l].scales);
        free(weights->layers[l].means);
        free(weights->layers[l].variances);
        free(weights->layers[l].weights);
    }
    free(weights->layers);
    free(weights);
}

// The file's arrays of one layer in order; the single place that knows it. Returns how many.
typedef struct array {
    const char *name;
    float *values;
    int64_t n;
} array;

enum { MOST_ARRAYS = 5 };

static int arrays_of(const amc_layer *layer, const amc_layer_weights *w, array out[MOST_ARRAYS]) {
    bool connected = layer->type == AMC_CONNECTED, plain = layer->type != AMC_BATCHNORM;
    int n = 0;
    if (w->n == 0) return 0;
    if (plain) out[n++] = (array){"biases", w->biases, w->n};
    if (connected) out[n++] = (array){"weights", w->weights, w->n_weights};
    if (layer->batch_normalize) {
        out[n++] = (array){"scales", w->scales, w->n};
        out[n++] = (array){"means", w->means, w->n};
        out[n++] = (array){"variances", w->variances, w->n};
    }
    if (plain && !connected) out[n++] = (array){"weights", w->weights, w->n_weights};
    return n;
}

typedef struct header {
    size_t length;   // bytes
    bool transposed; // connected weights are (inputs, n)
} header;

static int read_header(int file, const char *path, size_t length, header *h, amc_error *err) {
    int32_t version[3];
    char seen[8];
    if (length < sizeof version + sizeof(int32_t))
        return amc_error_set(err, "%s: is %zu bytes long, expected a .weights file", path, length);
    if (amc_files_take(file, path, version, sizeof version, err) < 0) return -1;
    int64_t major = version[0], minor = version[1];
    size_t seen_size = major * 10 + minor >= 2 && major < 1000 && minor < 1000 ? 8 : 4;
    h->length = sizeof version + seen_size;
    h->transposed = major > 1000 || minor > 1000;
    if (major < 0 || minor < 0)
        return amc_error_set(err, "%s: has version %d.%d, expected a .weights file", path,
                             version[0], version[1]);
    if (length < h->length)
        return amc_error_set(err, "%s: is %zu bytes long, less than its header of %zu", path,
                             length, h->length);
    return amc_files_take(file, path, seen, seen_size, err);
}

static void transpose(float *values, int64_t rows, int64_t cols) {
    float *copy = amc_memory_copy(values, (size_t)(rows * cols), sizeof *values);
    for (int64_t x = 0; x < rows; x++)
        for (int64_t y = 0; y < cols; y++) values[y * rows + x] = copy[x * cols + y];
    free(copy);
}

// Whether every value is at least `low` and finite. Without a way out of the loop it is vectorized.
static bool all_from(const array *a, float low) {
    bool good = true;
    for (int64_t i = 0; i < a->n; i++) good &= a->values[i] >= low && a->values[i] <= FLT_MAX;
    return good;
}

static int check_values(const char *path, const amc_layer *layer, int l, const array *a,
                        bool variances, amc_error *err) {
    if (all_from(a, variances ? 0 : -FLT_MAX)) return 0;
    return amc_error_set(err, "%s: the %s of layer %d (%s) hold a NaN or an infinity%s", path,
                         a->name, l, amc_layer_type_name(layer->type),
                         variances ? ", or are negative" : "");
}

// Reads the file's floats into the layers; the length was not checked yet, so that the layer at
// which a short file runs out can be named.
static int fill(amc_weights *weights, const amc_layer_graph *graph, int file, const char *path,
                size_t length, const header *h, amc_error *err) {
    size_t at = h->length, expected = h->length + (size_t)amc_cost_params(graph) * sizeof(float);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        amc_layer_weights *w = &weights->layers[l];
        array arrays[MOST_ARRAYS];
        int n = arrays_of(layer, w, arrays);
        for (int i = 0; i < n; i++) {
            size_t size = (size_t)arrays[i].n * sizeof(float);
            if (length - at < size)
                return amc_error_set(err,
                                     "%s: is %zu bytes long, expected %zu for %s; it runs out "
                                     "in the %s of layer %d (%s): cut off, or of another .cfg",
                                     path, length, expected, graph->path, arrays[i].name, l,
                                     amc_layer_type_name(layer->type));
            if (amc_files_take(file, path, arrays[i].values, size, err) < 0) return -1;
            // Of a file for another network the length says more than its numbers, which are
            // others.
            if (length == expected &&
                check_values(path, layer, l, &arrays[i], arrays[i].values == w->variances, err) < 0)
                return -1;
            at += size;
        }
        if (layer->type == AMC_CONNECTED && h->transposed)
            transpose(w->weights, amc_layer_weight_count(layer) / layer->out_c, layer->out_c);
    }
    if (at != length)
        return amc_error_set(err,
                             "%s: is %zu bytes long, expected %zu for %s; %zu bytes are left "
                             "over after its last layer: it is of another .cfg",
                             path, length, expected, graph->path, length - at);
    return 0;
}

amc_weights *amc_weights_load(const char *path, const amc_layer_graph *graph, amc_error *err) {
    size_t length;
    header h = {0};
    int file = amc_files_open(path, &length, err);
    if (file < 0) return NULL;
    amc_weights *weights = NULL;
    if (read_header(file, path, length, &h, err) == 0) {
        weights = amc_weights_new(graph);
        if (fill(weights, graph, file, path, length, &h, err) < 0) {
            amc_weights_free(weights);
            weights = NULL;
        }
    }
    close(file);
    return weights;
}

// The bytes of the file, in order; new memory that borrows the weights.
static amc_files_part *list_parts(const amc_weights *weights, const amc_layer_graph *graph,
                                  int *n_parts) {
    static const int32_t version[3] = {0, 2, 0};
    static const uint64_t seen = 0;
    amc_files_part *parts = amc_memory_alloc(2 + (size_t)graph->n * MOST_ARRAYS, sizeof *parts);
    *n_parts = 0;
    parts[(*n_parts)++] = (amc_files_part){version, sizeof version};
    parts[(*n_parts)++] = (amc_files_part){&seen, sizeof seen};
    for (int l = 0; l < graph->n; l++) {
        array arrays[MOST_ARRAYS];
        int n = arrays_of(&graph->layers[l], &weights->layers[l], arrays);
        for (int i = 0; i < n; i++)
            parts[(*n_parts)++] =
                (amc_files_part){arrays[i].values, (size_t)arrays[i].n * sizeof(float)};
    }
    return parts;
}

int amc_weights_save(const amc_weights *weights, const amc_layer_graph *graph, const char *path,
                     amc_error *err) {
    int n;
    amc_files_part *parts = list_parts(weights, graph, &n);
    int status = amc_files_write_parts(path, parts, n, err);
    free(parts);
    return status;
}

size_t amc_weights_file_size(const amc_layer_graph *graph) {
    return 3 * sizeof(int32_t) + sizeof(uint64_t) + (size_t)amc_cost_params(graph) * sizeof(float);
}

size_t amc_weights_compressed_size(const amc_weights *weights, const amc_layer_graph *graph) {
    int n;
    amc_files_part *parts = list_parts(weights, graph, &n);
    size_t size = amc_compressed_size(parts, n);
    free(parts);
    return size;
}
