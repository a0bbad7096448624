#include "host/latency_probe.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "host/gpu.h"
#include "host/host_network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WARMUP = 3,         // passes that don't count
    LEAST_ROUNDS = 5,   // where none are asked for,
    MOST_ROUNDS = 4000, // and
    IMAGES = 4096,      // different ones
    NEXT_IMAGE = 67,    // pixels from an image to the next
};

struct amc_latency_probe {
    network *net;
    float *scratch; // what all of its layers have as `x`
    float *pixels;  // random ones; an image starts at each of the first IMAGES
    unsigned image; // that comes next
};

static float *random_pixels(const network *net) {
    amc_rng rng;
    amc_rng_init(&rng, 1);
    int n = net->inputs + IMAGES;
    float *pixels = amc_memory_alloc((size_t)n, sizeof *pixels);
    for (int i = 0; i < n; i++) pixels[i] = (float)amc_rng_uniform(&rng);
    return pixels;
}

// Another one every time: of the same image processors would learn by heart which way each branch
// goes, and pool it in a tenth of the time.
static float *next_image(amc_latency_probe *probe) {
    return probe->pixels + probe->image++ * NEXT_IMAGE % IMAGES;
}

amc_latency_probe *amc_latency_probe_new(const char *path, const amc_layer_graph *graph,
                                         amc_error *err) {
    if (amc_gpu_start(err) < 0) return NULL;
    if (amc_gpu_started()) {
        amc_error_set(err, "%s: latency is that of the CPU, expected -nogpu", path);
        return NULL;
    }
    network *net = amc_host_network_new(path, graph, 1, err);
    if (!net) return NULL;
    amc_latency_probe *probe = amc_memory_alloc(1, sizeof *probe);
    probe->net = net;
    probe->scratch = amc_host_network_share_x(net);
    probe->pixels = random_pixels(net);
    net->train = 0;
    net->delta = net->truth = NULL;
    return probe;
}

void amc_latency_probe_free(amc_latency_probe *probe) {
    if (!probe) return;
    amc_host_network_free(probe->net);
    free(probe->scratch);
    free(probe->pixels);
    free(probe);
}

void amc_latency_probe_apply(amc_latency_probe *probe, const amc_layer_graph *graph,
                             const amc_weights *weights) {
    amc_host_network_apply(probe->net, graph, weights);
}

// Darknet's forward_network, with a watch.
double amc_latency_probe_pass(amc_latency_probe *probe, double *layer_ns) {
    network net = *probe->net;
    net.input = next_image(probe);
    double start = amc_clock_seconds(), before = start;
    for (int i = 0; i < net.n; i++) {
        layer l = net.layers[i];
        net.index = i;
        l.forward(l, net);
        net.input = l.output;
        double now = amc_clock_seconds();
        layer_ns[i] = 1e9 * (now - before);
        before = now;
    }
    return 1e9 * (before - start);
}

// ---- rounds -------------------------------------------------------------------------------------

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double amc_latency_probe_quantile(const double *values, int n, double share) {
    double *sorted = amc_memory_alloc((size_t)n, sizeof *sorted);
    memcpy(sorted, values, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare_doubles);
    double at = share * (n - 1);
    int below = (int)at, above = below + 1 < n ? below + 1 : below;
    double quantile = sorted[below] + (at - below) * (sorted[above] - sorted[below]);
    free(sorted);
    return quantile;
}

// The passes of one probe.
typedef struct samples {
    amc_latency_probe *probe;
    int layers, n;
    double *total; // (n)
    double *layer; // (n, layers)
} samples;

static samples warm_up(amc_latency_probe *probe) {
    samples s = {.probe = probe, .layers = probe->net->n};
    double *unused = amc_memory_alloc((size_t)s.layers, sizeof *unused);
    for (int i = 0; i < WARMUP; i++) amc_latency_probe_pass(probe, unused);
    free(unused);
    return s;
}

static void add_pass(samples *s) {
    size_t rows = (size_t)s->n + 1, layers = (size_t)s->layers;
    s->total = amc_memory_resize(s->total, rows, sizeof *s->total);
    s->layer = amc_memory_resize(s->layer, rows * layers, sizeof *s->layer);
    s->total[s->n] = amc_latency_probe_pass(s->probe, s->layer + (size_t)s->n * layers);
    s->n++;
}

// Takes the samples over.
static amc_latency summarize(samples *s) {
    amc_latency latency = {.rounds = s->n};
    double *column = amc_memory_alloc((size_t)s->n, sizeof *column);
    latency.layer_ns = amc_memory_alloc((size_t)s->layers, sizeof *latency.layer_ns);
    for (int l = 0; l < s->layers; l++) {
        for (int i = 0; i < s->n; i++) column[i] = s->layer[(size_t)i * s->layers + l];
        latency.layer_ns[l] = amc_latency_probe_quantile(column, s->n, 0.5);
    }
    latency.total.median = amc_latency_probe_quantile(s->total, s->n, 0.5);
    latency.total.low = amc_latency_probe_quantile(s->total, s->n, 0.25);
    latency.total.high = amc_latency_probe_quantile(s->total, s->n, 0.75);
    free(column);
    free(s->total);
    free(s->layer);
    return latency;
}

static bool goes_on(int done, amc_latency_effort effort, double start) {
    if (effort.rounds) return done < effort.rounds;
    return done < LEAST_ROUNDS ||
           (done < MOST_ROUNDS && amc_clock_seconds() - start < effort.seconds);
}

amc_latency amc_latency_probe_measure(amc_latency_probe *probe, amc_latency_effort effort) {
    samples s = warm_up(probe);
    double start = amc_clock_seconds();
    while (goes_on(s.n, effort, start)) add_pass(&s);
    return summarize(&s);
}

void amc_latency_clear(amc_latency *latency) {
    free(latency->layer_ns);
    *latency = (amc_latency){0};
}

double amc_latency_probe_compare(amc_latency_probe *a, amc_latency_probe *b,
                                 amc_latency_effort effort, amc_latency *of_a, amc_latency *of_b) {
    samples sa = warm_up(a), sb = warm_up(b);
    double start = amc_clock_seconds();
    while (goes_on(sa.n, effort, start)) {
        add_pass(&sa);
        add_pass(&sb);
    }
    double *ratios = amc_memory_alloc((size_t)sa.n, sizeof *ratios);
    for (int i = 0; i < sa.n; i++) ratios[i] = sb.total[i] / sa.total[i];
    double ratio = amc_latency_probe_quantile(ratios, sa.n, 0.5);
    free(ratios);
    *of_a = summarize(&sa);
    *of_b = summarize(&sb);
    return ratio;
}

int amc_latency_pair_measure(amc_latency_pair *pair, const char *path, const amc_layer_graph *graph,
                             const amc_weights *weights, const amc_layer_graph *small,
                             const amc_weights *small_weights, amc_latency_effort effort,
                             amc_error *err) {
    amc_latency_probe *a = amc_latency_probe_new(path, graph, err);
    amc_latency_probe *b = a ? amc_latency_probe_new(path, graph, err) : NULL;
    if (b) {
        amc_latency_probe_apply(a, graph, weights);
        amc_latency_probe_apply(b, small, small_weights);
        pair->share = amc_latency_probe_compare(a, b, effort, &pair->whole, &pair->small);
    }
    amc_latency_probe_free(a);
    amc_latency_probe_free(b);
    return b ? 0 : -1;
}

void amc_latency_pair_clear(amc_latency_pair *pair) {
    amc_latency_clear(&pair->whole);
    amc_latency_clear(&pair->small);
}

// ---- weights ------------------------------------------------------------------------------------

static void draw(amc_rng *rng, float *values, int64_t n, double middle, double away) {
    for (int64_t i = 0; values && i < n; i++)
        values[i] = (float)(middle + away * (2 * amc_rng_uniform(rng) - 1));
}

// Biases keep numbers from vanishing, however few of a layer's inputs are there.
amc_weights *amc_latency_probe_weights(const amc_layer_graph *graph) {
    amc_rng rng;
    amc_rng_init(&rng, 1);
    amc_weights *weights = amc_weights_new(graph);
    for (int l = 0; l < graph->n; l++) {
        amc_layer_weights *w = &weights->layers[l];
        double inputs = w->n ? (double)w->n_weights / w->n : 1;
        draw(&rng, w->weights, w->n_weights, 0, sqrt(3 / inputs));
        draw(&rng, w->biases, w->n, 0, 0.1);
        draw(&rng, w->scales, w->n, 1, 0.1);
        draw(&rng, w->means, w->n, 0, 0.1);
        draw(&rng, w->variances, w->n, 1, 0.1);
    }
    return weights;
}
