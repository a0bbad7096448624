#include "host/addend.h"

#include "base/memory.h"
#include "host/patch_rows.h"

#include <stdbool.h>
#include <stdlib.h>

static bool reads(const amc_layer *layer, int l) {
    for (int i = 0; i < layer->n_inputs; i++)
        if (layer->inputs[i] == l) return true;
    return false;
}

int amc_addend_shortcut(const amc_calibrator *calibrator, const amc_layer_graph *graph, int l) {
    int next = l + 1;
    if (next >= graph->n || graph->layers[next].type != AMC_SHORTCUT) return -1;
    if (graph->layers[next].inputs[0] != l || graph->layers[next].inputs[1] == l) return -1;
    for (int k = next + 1; k < graph->n; k++)
        if (reads(&graph->layers[k], l)) return -1;
    bool plain = amc_calibrator_is_linear(calibrator, l);
    return plain && amc_calibrator_added_share(calibrator, next) != 0 ? next : -1;
}

// The added layer's pixel at a pixel of the sum; -1 where there is none. Of larger images some are
// left out, and smaller ones are spread (Darknet's shortcut_cpu).
static int added_pixel(const amc_layer *sum, const amc_layer *added, int pixel) {
    int y = pixel / sum->out_w, x = pixel % sum->out_w;
    int stride = added->out_w / sum->out_w, sample = sum->out_w / added->out_w;
    if (stride < 1) stride = 1;
    if (sample < 1) sample = 1;
    if (y % sample || x % sample) return -1;
    y = y / sample * stride;
    x = x / sample * stride;
    return y < added->out_h && x < added->out_w ? y * added->out_w + x : -1;
}

// What is added at one image's places: rows (places, out_c).
static void read_image(const amc_layer *sum, const amc_layer *added, const float *x, float share,
                       const int *pixels, int places, float *rows) {
    int channels = added->out_c < sum->out_c ? added->out_c : sum->out_c;
    size_t size = (size_t)added->out_h * added->out_w;
    for (int k = 0; k < places; k++) {
        int at = added_pixel(sum, added, pixels[k]);
        for (int o = 0; o < channels && at >= 0; o++)
            rows[(size_t)k * sum->out_c + o] = share * x[o * size + at];
    }
}

float *amc_addend_read(const amc_calibrator *calibrator, const amc_layer_graph *graph, int l,
                       int places) {
    int shortcut = amc_addend_shortcut(calibrator, graph, l);
    const amc_layer *sum = &graph->layers[shortcut], *added = &graph->layers[sum->inputs[1]];
    const float *x = amc_calibrator_output(calibrator, sum->inputs[1]);
    float share = amc_calibrator_added_share(calibrator, shortcut);
    int images = amc_calibrator_images(calibrator);
    size_t each = (size_t)places * sum->out_c, outputs = (size_t)amc_layer_outputs(added);
    float *rows = amc_memory_alloc((size_t)images * each, sizeof *rows);
    int *pixels = amc_memory_alloc((size_t)places, sizeof *pixels);
    for (int i = 0; i < images; i++) {
        amc_patch_rows_pixels(&graph->layers[l], places, (uint64_t)i, pixels);
        read_image(sum, added, x + i * outputs, share, pixels, places, rows + i * each);
    }
    free(pixels);
    return rows;
}
