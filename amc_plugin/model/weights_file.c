#include "model/weights_file.h"

#include "base/files.h"
#include "base/memory.h"
#include "model/cost_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

amc_weights *amc_weights_new(const amc_layer_graph *graph) {
    amc_weights *weights = amc_memory_alloc(1, sizeof *weights);
    weights->n = graph->n;
    weights->layers = amc_memory_alloc((size_t)graph->n, sizeof *weights->layers);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        amc_layer_weights *w = &weights->layers[l];
        if (!amc_layer_has_weights(layer)) continue;
        w->n = layer->out_c;
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

static int arrays_of(const amc_layer *layer, const amc_layer_weights *w, array out[5]) {
    bool connected = layer->type == AMC_CONNECTED;
    int n = 0;
    if (!amc_layer_has_weights(layer)) return 0;
    out[n++] = (array){"biases", w->biases, w->n};
    if (connected) out[n++] = (array){"weights", w->weights, w->n_weights};
    if (layer->batch_normalize) {
        out[n++] = (array){"scales", w->scales, w->n};
        out[n++] = (array){"means", w->means, w->n};
        out[n++] = (array){"variances", w->variances, w->n};
    }
    if (!connected) out[n++] = (array){"weights", w->weights, w->n_weights};
    return n;
}

typedef struct header {
    size_t length;   // bytes
    bool transposed; // connected weights are (inputs, n)
} header;

static int read_header(const char *path, const char *bytes, size_t length, header *h,
                       amc_error *err) {
    int32_t version[3];
    if (length < sizeof version + sizeof(int32_t))
        return amc_error_set(err, "%s: is %zu bytes long, expected a .weights file", path, length);
    memcpy(version, bytes, sizeof version);
    int64_t major = version[0], minor = version[1];
    bool long_seen = major * 10 + minor >= 2 && major < 1000 && minor < 1000;
    h->length = sizeof version + (long_seen ? 8 : 4);
    h->transposed = major > 1000 || minor > 1000;
    if (major < 0 || minor < 0)
        return amc_error_set(err, "%s: has version %d.%d, expected a .weights file", path,
                             version[0], version[1]);
    if (length < h->length)
        return amc_error_set(err, "%s: is %zu bytes long, less than its header of %zu", path,
                             length, h->length);
    return 0;
}

static void transpose(float *values, int64_t rows, int64_t cols) {
    float *copy = amc_memory_copy(values, (size_t)(rows * cols), sizeof *values);
    for (int64_t x = 0; x < rows; x++)
        for (int64_t y = 0; y < cols; y++) values[y * rows + x] = copy[x * cols + y];
    free(copy);
}

// Whether every value is at least `low` and finite.
static bool all_from(const array *a, float low) {
    for (int64_t i = 0; i < a->n; i++)
        if (!isfinite(a->values[i]) || a->values[i] < low) return false;
    return true;
}

// Copies the file's floats into the layers; the length was not checked yet, so that the layer at
// which a short file runs out can be named.
static int fill(amc_weights *weights, const amc_layer_graph *graph, const char *path,
                const char *bytes, size_t length, const header *h, amc_error *err) {
    size_t at = h->length, expected = h->length + (size_t)amc_cost_params(graph) * sizeof(float);
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        array arrays[5];
        int n = arrays_of(layer, &weights->layers[l], arrays);
        for (int i = 0; i < n; i++) {
            size_t size = (size_t)arrays[i].n * sizeof(float);
            if (length - at < size)
                return amc_error_set(err,
                                     "%s: is %zu bytes long, expected %zu for %s; it runs out "
                                     "in the %s of layer %d (%s)",
                                     path, length, expected, graph->path, arrays[i].name, l,
                                     amc_layer_type_name(layer->type));
            memcpy(arrays[i].values, bytes + at, size);
            at += size;
            bool variances = arrays[i].values == weights->layers[l].variances;
            if (!all_from(&arrays[i], variances ? 0 : -INFINITY))
                return amc_error_set(err, "%s: the %s of layer %d (%s) hold a NaN or an infinity%s",
                                     path, arrays[i].name, l, amc_layer_type_name(layer->type),
                                     variances ? ", or are negative" : "");
        }
        if (layer->type == AMC_CONNECTED && h->transposed)
            transpose(weights->layers[l].weights, amc_layer_weight_count(layer) / layer->out_c,
                      layer->out_c);
    }
    if (at != length)
        return amc_error_set(err,
                             "%s: is %zu bytes long, expected %zu for %s; %zu bytes are left "
                             "over after its last layer",
                             path, length, expected, graph->path, length - at);
    return 0;
}

amc_weights *amc_weights_load(const char *path, const amc_layer_graph *graph, amc_error *err) {
    size_t length;
    header h = {0};
    char *bytes = amc_files_read(path, &length, err);
    amc_weights *weights = NULL;
    if (bytes && read_header(path, bytes, length, &h, err) == 0) {
        weights = amc_weights_new(graph);
        if (fill(weights, graph, path, bytes, length, &h, err) < 0) {
            amc_weights_free(weights);
            weights = NULL;
        }
    }
    free(bytes);
    return weights;
}

int amc_weights_save(const amc_weights *weights, const amc_layer_graph *graph, const char *path,
                     amc_error *err) {
    const int32_t version[3] = {0, 2, 0};
    const uint64_t seen = 0;
    size_t length = sizeof version + sizeof seen + (size_t)amc_cost_params(graph) * sizeof(float);
    char *bytes = amc_memory_alloc(length, 1), *end = bytes;
    end = mempcpy(end, version, sizeof version);
    end = mempcpy(end, &seen, sizeof seen);
    for (int l = 0; l < graph->n; l++) {
        array arrays[5];
        int n = arrays_of(&graph->layers[l], &weights->layers[l], arrays);
        for (int i = 0; i < n; i++)
            end = mempcpy(end, arrays[i].values, (size_t)arrays[i].n * sizeof(float));
    }
    int status = amc_files_write(path, bytes, length, err);
    free(bytes);
    return status;
}
