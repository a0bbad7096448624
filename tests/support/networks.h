// Small networks, one for every way in which layers tie their channels together, with random
// weights and plans: what the tests of model/ and search/ share.

#ifndef AMC_TESTS_SUPPORT_NETWORKS_H
#define AMC_TESTS_SUPPORT_NETWORKS_H

#include "host/fixture.h"
#include "model/prune_plan.h"
#include "model/prune_space.h"

#include <glob.h>
#include <math.h>

// ---- a .cfg as a C expression: NET(3, 16, 16) CONV(8, 3, 1, relu) MAXPOOL(2, 2) ... ----

#define NET(c, h, w) "[net]\nchannels=" #c "\nheight=" #h "\nwidth=" #w "\n"
// Padded so that an odd size keeps the image's.
#define CONV(filters, size, stride, activation)                                                    \
    "[convolutional]\nbatch_normalize=1\nfilters=" #filters "\nsize=" #size "\nstride=" #stride    \
    "\npad=1\nactivation=" #activation "\n"
// Without batch normalization, and not padded.
#define BARE_CONV(filters, size, stride, activation)                                               \
    "[convolutional]\nfilters=" #filters "\nsize=" #size "\nstride=" #stride                       \
    "\nactivation=" #activation "\n"
#define GROUPED(filters, groups, size, stride, activation)                                         \
    "[convolutional]\nbatch_normalize=1\nfilters=" #filters "\ngroups=" #groups "\nsize=" #size    \
    "\nstride=" #stride "\npad=1\nactivation=" #activation "\n"
#define DEPTHWISE(channels, stride) GROUPED(channels, channels, 3, stride, relu)
#define CONNECTED(output, activation)                                                              \
    "[connected]\noutput=" #output "\nactivation=" #activation "\n"
#define BN_CONNECTED(output, activation)                                                           \
    "[connected]\nbatch_normalize=1\noutput=" #output "\nactivation=" #activation "\n"
#define SHORTCUT(from, activation) "[shortcut]\nfrom=" #from "\nactivation=" #activation "\n"
#define ROUTE(...) "[route]\nlayers=" #__VA_ARGS__ "\n"
#define MAXPOOL(size, stride) "[maxpool]\nsize=" #size "\nstride=" #stride "\n"
#define AVGPOOL() "[avgpool]\n"
#define DROPOUT() "[dropout]\nprobability=.5\n"
#define SOFTMAX() "[softmax]\ngroups=1\n"
#define ACTIVATE(activation) "[activation]\nactivation=" #activation "\n"
#define CROP(height, width) "[crop]\ncrop_height=" #height "\ncrop_width=" #width "\n"
#define UPSAMPLE(stride) "[upsample]\nstride=" #stride "\n"
#define REORG(stride) "[reorg]\nstride=" #stride "\n"
#define REORG_BACK(stride) "[reorg]\nreverse=1\nstride=" #stride "\n"
// Not padded.
#define LOCAL(filters, size, stride, activation)                                                   \
    "[local]\nfilters=" #filters "\nsize=" #size "\nstride=" #stride "\nactivation=" #activation   \
    "\n"
// Darknet's load_weights divides by its groups, which are 0.
#define DECONV(filters, size, stride, activation)                                                  \
    "[deconvolutional]\nfilters=" #filters "\nsize=" #size "\nstride=" #stride                     \
    "\nactivation=" #activation "\n"
#define BN_DECONV(filters, size, stride, activation)                                               \
    "[deconvolutional]\nbatch_normalize=1\nfilters=" #filters "\nsize=" #size "\nstride=" #stride  \
    "\npad=1\nactivation=" #activation "\n"
// networks_weights gives it biases, which no file holds.
#define BATCHNORM() "[batchnorm]\n"
#define LRN(size) "[normalization]\nsize=" #size "\n"
#define L2NORM() "[l2norm]\n"
#define LOGISTIC_LOSS() "[logistic]\n"
#define COST() "[cost]\ntype=sse\n"

// Whether amc_hooks_install chooses Darknet's own kernels.
static inline bool networks_are_stock(void) {
    const char *stock = getenv("AMC_STOCK");
    return stock && strcmp(stock, "1") == 0;
}

// Whether the kernels that amc_hooks_install chooses compute the .cfg rightly: Darknet's own ignore
// the stride of a 1x1 convolution.
static inline bool networks_is_computed(const char *cfg) {
    return !networks_are_stock() || !strstr(cfg, "size=1\nstride=2");
}

typedef struct networks_text {
    const char *name;
    const char *cfg;
} networks_text;

// Each ends in a layer with linear outputs, so that no softmax flattens a difference.
static const networks_text networks_all[] = {
    {"chain", NET(3, 16, 16) CONV(12, 3, 1, leaky) CONV(16, 3, 2, relu) CONV(10, 1, 1, logistic)
                  BARE_CONV(14, 3, 1, relu) BARE_CONV(7, 1, 1, linear)},
    {"odd pools",
     NET(3, 17, 23) CONV(12, 5, 1, relu) MAXPOOL(3, 2)
         CONV(9, 3, 1, leaky) "[maxpool]\nsize=2\nstride=1\npadding=0\n" CONV(11, 3, 3, relu)
             MAXPOOL(2, 1) BARE_CONV(6, 1, 1, linear) AVGPOOL() COST()},
    {"equal shortcuts", NET(3, 12, 12) CONV(12, 3, 1, relu) CONV(8, 1, 1, leaky)
                            CONV(12, 3, 1, linear) SHORTCUT(-3, relu) CONV(9, 1, 1, leaky)
                                CONV(12, 3, 1, linear) SHORTCUT(-3, leaky) CONV(7, 3, 2, linear)},
    {"shortcut from wider", NET(3, 12, 12) CONV(18, 3, 1, relu) CONV(10, 3, 1, linear) SHORTCUT(
                                0, relu) CONV(11, 3, 1, leaky) ROUTE(-1, 0) CONV(5, 3, 1, linear)},
    {"shortcut from narrower",
     NET(3, 12, 12) CONV(9, 3, 1, relu) CONV(16, 3, 1, linear) SHORTCUT(0, relu)
         CONV(13, 3, 1, leaky) SHORTCUT(-2, linear) CONV(5, 3, 1, linear)},
    {"strided shortcuts", NET(3, 16, 16) CONV(8, 3, 1, relu) CONV(14, 3, 2, linear)
                              SHORTCUT(0, relu) CONV(20, 1, 2, linear) SHORTCUT(-2, relu) CONV(
                                  9, 3, 1, leaky) ROUTE(0) SHORTCUT(5, relu) CONV(6, 3, 1, linear)},
    {"uneven shortcut", NET(3, 13, 11) CONV(8, 3, 1, relu) CONV(10, 3, 2, linear) SHORTCUT(0, relu)
                            CONV(6, 3, 1, linear)},
    {"routes", NET(3, 12, 12) CONV(6, 3, 1, relu) CONV(7, 3, 1, leaky) ROUTE(-1, 0)
                   CONV(8, 3, 1, relu) ROUTE(-1, -2) CONV(9, 1, 1, relu) ROUTE(0)
                       CONV(5, 3, 1, leaky) ROUTE(-1, 5, 5, 1) CONV(6, 3, 1, linear)},
    {"crossed routes", NET(3, 10, 10) CONV(8, 3, 1, relu) CONV(6, 3, 1, leaky) ROUTE(1, 0) ROUTE(0)
                           SHORTCUT(2, relu) CONV(5, 3, 1, linear)},
    {"depthwise", NET(3, 16, 16) CONV(12, 3, 2, relu) DEPTHWISE(12, 1) CONV(20, 1, 1, relu)
                      DEPTHWISE(20, 2) CONV(14, 1, 1, leaky) CONV(5, 1, 1, linear) AVGPOOL()},
    {"inverted residuals",
     NET(3, 12, 12) CONV(8, 3, 1, relu) CONV(24, 1, 1, relu) DEPTHWISE(24, 1) CONV(8, 1, 1, linear)
         SHORTCUT(-4, linear) CONV(16, 1, 1, relu) DEPTHWISE(16, 1) CONV(8, 1, 1, linear)
             SHORTCUT(-4, linear) CONV(5, 1, 1, linear)},
    {"grouped",
     NET(3, 12, 12) CONV(16, 3, 1, relu) GROUPED(24, 4, 3, 1, leaky) CONV(18, 1, 1, relu)
         GROUPED(12, 6, 3, 2, relu) GROUPED(24, 3, 1, 1, leaky) BARE_CONV(5, 1, 1, linear)},
    {"grouped route", NET(3, 12, 12) CONV(8, 3, 1, relu) CONV(8, 3, 1, leaky) ROUTE(0, 1)
                          GROUPED(16, 8, 3, 1, relu) SHORTCUT(2, relu) CONV(5, 3, 1, linear)},
    {"connected",
     NET(3, 12, 10) CONV(10, 3, 1, relu) MAXPOOL(2, 2) BN_CONNECTED(24, leaky) DROPOUT()
         CONNECTED(18, relu) BN_CONNECTED(15, relu) DROPOUT() CONNECTED(7, linear) COST()},
    {"connected shortcut", NET(3, 8, 8) CONV(10, 3, 2, relu) CONNECTED(16, relu) BN_CONNECTED(
                               12, linear) SHORTCUT(1, relu) ROUTE(-1, 1) CONNECTED(6, linear)},
    {"connected after route", NET(1, 9, 9) CONV(6, 3, 1, relu) CONV(8, 3, 1, leaky) DROPOUT() ROUTE(
                                  -1, 0) MAXPOOL(2, 2) CONNECTED(20, relu) CONNECTED(5, linear)},
    {"image tied", NET(6, 10, 10) GROUPED(12, 6, 3, 1, relu) CONV(18, 3, 1, relu) SHORTCUT(0, relu)
                       CONV(5, 3, 1, linear)},
    {"upsample", NET(3, 12, 12) CONV(10, 3, 1, leaky) MAXPOOL(2, 2) CONV(12, 3, 1, relu) UPSAMPLE(2)
                     ROUTE(-1, 0) CONV(9, 3, 1, leaky) UPSAMPLE(-3) CONV(5, 1, 1, linear)},
    {"reorg", NET(3, 12, 8) CONV(12, 3, 1, relu) MAXPOOL(2, 2) CONV(10, 3, 1, leaky) ROUTE(0)
                  REORG(2) ROUTE(-1, 2) CONV(9, 3, 1, relu) CONV(5, 1, 1, linear)},
    {"reorg back", NET(3, 8, 6) CONV(16, 3, 1, relu) REORG_BACK(2) CONV(12, 3, 1, leaky) REORG(2)
                       REORG_BACK(2) SHORTCUT(2, relu) CONV(5, 3, 2, linear)},
    {"crop and activation", NET(3, 14, 13) CROP(12, 12) CONV(10, 3, 1, relu) CROP(9, 10) ACTIVATE(
                                tanh) CONV(12, 3, 1, linear) ACTIVATE(leaky) CONV(10, 1, 1, linear)
                                SHORTCUT(3, linear) CONV(5, 1, 1, linear)},
    {"boundaries", NET(3, 12, 12) CONV(9, 3, 1, relu) CONV(8, 3, 1, leaky) LRN(3)
                       CONV(10, 3, 1, relu) CONV(6, 3, 2, linear) L2NORM() CONV(9, 1, 1, relu)
                           ROUTE(-1, 1) ROUTE(-2) CONV(5, 1, 1, linear)},
};
enum { NETWORKS = sizeof networks_all / sizeof *networks_all };

// ---- networks with weights ----

typedef struct networks_net {
    char *path;
    amc_cfg_text *cfg;
    amc_layer_graph *graph;
    amc_channel_groups *groups;
    amc_prune_space *space; // of channels, as they are before anything is skipped
    amc_weights *weights;
} networks_net;

// What to expect of a layer's outputs, taken as normal numbers.
typedef struct networks_moments {
    double mean, square; // of all of them; the mean of their squares
} networks_moments;

// The moments of max(0, x).
static inline networks_moments networks_positive(networks_moments x) {
    double sigma = sqrt(fmax(1e-9, x.square - x.mean * x.mean)), z = x.mean / sigma;
    double density = exp(-z * z / 2) / sqrt(2 * M_PI), above = erfc(-z / sqrt(2)) / 2;
    return (networks_moments){x.mean * above + sigma * density,
                              x.square * above + x.mean * sigma * density};
}

static inline networks_moments networks_activated(const amc_cfg_text *cfg, int l,
                                                  networks_moments x) {
    const char *name = amc_cfg_text_get(cfg, l + 1, "activation");
    if (name && strcmp(name, "logistic") == 0) return (networks_moments){0.5, 0.3};
    if (!name || (strcmp(name, "relu") != 0 && strcmp(name, "leaky") != 0)) return x;
    networks_moments above = networks_positive(x);
    if (strcmp(name, "relu") == 0) return above;
    networks_moments below = networks_positive((networks_moments){-x.mean, x.square});
    return (networks_moments){above.mean - 0.1 * below.mean, above.square + 0.01 * below.square};
}

// Of the numbers in an image, which run from 0 to 1, or of the outputs of layer `from`.
static inline networks_moments networks_input(const networks_moments *outputs, int from) {
    return from < 0 ? (networks_moments){0.5, 0.3} : outputs[from];
}

// Layer l's outputs, from those before it and the mean square of what its own weights make.
static inline networks_moments networks_expected(const amc_cfg_text *cfg,
                                                 const amc_layer_graph *graph, int l,
                                                 const networks_moments *outputs, double made) {
    const amc_layer *layer = &graph->layers[l];
    networks_moments sum = {0, 0}, mean = {0, 0};
    double channels = 0;
    if (made > 0) return networks_activated(cfg, l, (networks_moments){0, made});
    for (int i = 0; i < layer->n_inputs; i++) {
        int from = layer->inputs[i], c = from < 0 ? graph->c : graph->layers[from].out_c;
        networks_moments x = networks_input(outputs, from);
        sum.square += x.square + 2 * sum.mean * x.mean;
        sum.mean += x.mean;
        channels += c;
        mean.square += (x.square - mean.square) * c / channels;
        mean.mean += (x.mean - mean.mean) * c / channels;
    }
    return networks_activated(cfg, l, layer->flow == AMC_FLOW_ADDS ? sum : mean);
}

// Standard deviation of biases and means. More of it, and a deep network forgets its image.
#define NETWORKS_OFFSET 0.2

// Batch normalization that does something to numbers of mean square 1: scales of both signs, means
// and variances far from 0 and 1. Returns the mean square that it leaves.
static inline double networks_normalize(amc_layer_weights *w, amc_rng *rng) {
    for (int i = 0; i < w->n; i++) {
        w->scales[i] = (float)(0.5 + amc_rng_uniform(rng)) * (amc_rng_below(rng, 4) ? 1 : -1);
        w->means[i] = (float)(NETWORKS_OFFSET * amc_rng_normal(rng));
        w->variances[i] = (float)(0.5 + amc_rng_uniform(rng));
    }
    return (1 + 1. / 12) * log(3) *
           (1 + NETWORKS_OFFSET * NETWORKS_OFFSET); // <scale^2> <1 / variance> (1 + <mean^2>)
}

// Weights that keep activations in a sensible range however wide a layer and however deep the
// network is: each layer's are small by as much as its inputs are expected to be large.
static inline amc_weights *networks_weights(const amc_cfg_text *cfg, const amc_layer_graph *graph,
                                            uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    amc_weights *weights = amc_weights_new(graph);
    networks_moments *outputs = amc_memory_alloc((size_t)graph->n, sizeof *outputs);
    for (int l = 0; l < graph->n; l++) {
        amc_layer_weights *w = &weights->layers[l];
        double fan_in = w->n ? (double)w->n_weights / w->n : 1, made = w->scales ? 1 : 4;
        double power = networks_input(outputs, graph->layers[l].inputs[0]).square;
        double size = sqrt(made / fan_in / power);
        for (int64_t i = 0; i < w->n_weights; i++)
            w->weights[i] = (float)(size * amc_rng_normal(&rng));
        for (int i = 0; i < w->n; i++)
            w->biases[i] = (float)(NETWORKS_OFFSET * amc_rng_normal(&rng));
        if (w->scales) made = networks_normalize(w, &rng);
        outputs[l] = networks_expected(cfg, graph, l, outputs,
                                       w->n ? made + NETWORKS_OFFSET * NETWORKS_OFFSET : 0);
    }
    free(outputs);
    return weights;
}

static inline networks_net networks_load(const char *path, uint64_t seed) {
    amc_error err = {""};
    networks_net net = {.path = amc_memory_text("%s", path)};
    net.cfg = amc_cfg_text_load(path, &err);
    net.graph = net.cfg ? amc_layer_graph_new(net.cfg, &err) : NULL;
    if (!net.graph) fail_msg("%s", err.text);
    net.groups = amc_channel_groups_new(net.graph);
    net.space = amc_prune_space_of_channels(net.graph, net.groups);
    net.weights = networks_weights(net.cfg, net.graph, seed);
    return net;
}

static inline networks_net networks_new(const char *text, uint64_t seed) {
    char *path = fixture_write("net.cfg", text);
    networks_net net = networks_load(path, seed);
    free(path);
    return net;
}

static inline void networks_free(networks_net net) {
    amc_weights_free(net.weights);
    amc_prune_space_free(net.space);
    amc_channel_groups_free(net.groups);
    amc_layer_graph_free(net.graph);
    amc_cfg_text_free(net.cfg);
    free(net.path);
}

// ---- plans ----

// A number of units for each group: all of a group that can't be pruned, else 1 to all.
static inline int *networks_random_counts(const amc_channel_groups *groups, amc_rng *rng) {
    int *counts = amc_memory_alloc((size_t)groups->n, sizeof *counts);
    for (int g = 0; g < groups->n; g++) {
        int units = groups->groups[g].n_units;
        counts[g] =
            groups->groups[g].prunable ? 1 + (int)amc_rng_below(rng, (uint32_t)units) : units;
    }
    return counts;
}

static inline double *networks_random_scores(const amc_channel_groups *groups, amc_rng *rng) {
    double *scores = amc_memory_alloc((size_t)groups->n_units, sizeof *scores);
    for (int i = 0; i < groups->n_units; i++) scores[i] = amc_rng_uniform(rng);
    return scores;
}

// Keeps `counts` units of each group, which ones by chance.
static inline amc_prune_plan *networks_plan(const amc_channel_groups *groups, const int *counts,
                                            amc_rng *rng) {
    amc_prune_plan *plan = amc_prune_plan_new(groups);
    double *scores = networks_random_scores(groups, rng);
    amc_prune_plan_keep_counts(plan, groups, counts, scores);
    free(scores);
    return plan;
}

static inline amc_prune_plan *networks_random_plan(const amc_channel_groups *groups, amc_rng *rng) {
    int *counts = networks_random_counts(groups, rng);
    amc_prune_plan *plan = networks_plan(groups, counts, rng);
    free(counts);
    return plan;
}

// ---- files ----

// The .cfg files of the project and of Darknet: hands each path to `check` and returns how many.
static inline int networks_each_cfg(void (*check)(const char *path)) {
    glob_t files;
    assert_int_equal(glob("cfg/*.cfg", 0, NULL, &files), 0);
    assert_int_equal(glob("darknet/cfg/*.cfg", GLOB_APPEND, NULL, &files), 0);
    int n = (int)files.gl_pathc;
    for (int i = 0; i < n; i++) check(files.gl_pathv[i]);
    globfree(&files);
    return n;
}

// Fails unless `err` is one sentence that starts with "path:line: " (line 0: "path: ") and holds
// `phrase`.
static inline void networks_assert_error(const amc_error *err, const char *path, int line,
                                         const char *phrase) {
    char *where = line ? amc_memory_text("%s:%d: ", path, line) : amc_memory_text("%s: ", path);
    bool good = strncmp(err->text, where, strlen(where)) == 0 && strstr(err->text, phrase) &&
                !strchr(err->text, '\n');
    if (!good) fail_msg("\"%s\", expected \"%s... %s\"", err->text, where, phrase);
    free(where);
}

#endif
