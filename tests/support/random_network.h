// Random small networks: the text of a .cfg that Darknet takes, of every kind of layer and every
// way to tie channels together. Equal states of the generator give equal texts.
//
// The shapes are known while the text grows, so that every network is valid. Where a layer doesn't
// fit (a reorg of odd sides, a shortcut without a partner) another one is drawn. The functions that
// return bool add a layer, or two or three, or return false and leave everything as it was.

#ifndef AMC_TESTS_SUPPORT_RANDOM_NETWORK_H
#define AMC_TESTS_SUPPORT_RANDOM_NETWORK_H

#include "base/memory.h"
#include "base/rng.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    RANDOM_NETWORK_LAYERS = 20,   // at most
    RANDOM_NETWORK_CHANNELS = 24, // of a layer that makes its own
    RANDOM_NETWORK_WIDEST = 64,   // after route and reorg
    RANDOM_NETWORK_SIDE = 24,     // after upsample and reorg too
};

typedef struct random_network_shape {
    int c, h, w;
} random_network_shape;

typedef struct random_network {
    amc_rng *rng;
    char *text;                 // of what there is so far
    int n;                      // layers
    random_network_shape image; // what the first layer reads
    random_network_shape shapes[RANDOM_NETWORK_LAYERS];
} random_network;

// ---- chance ----

static inline int random_network_below(random_network *net, int n) {
    return (int)amc_rng_below(net->rng, (uint32_t)n);
}

static inline int random_network_between(random_network *net, int low, int high) {
    return low + random_network_below(net, high - low + 1);
}

static inline bool random_network_one_in(random_network *net, int n) {
    return random_network_below(net, n) == 0;
}

static inline const char *random_network_activation(random_network *net) {
    static const char *names[] = {"relu", "relu", "leaky", "leaky", "linear", "logistic", "loggy"};
    return names[random_network_below(net, sizeof names / sizeof *names)];
}

// Multiples of 4 more often than by chance: reorg and grouped convolutions ask for them.
static inline int random_network_filters(random_network *net) {
    if (random_network_one_in(net, 2))
        return 4 * random_network_between(net, 1, RANDOM_NETWORK_CHANNELS / 4);
    return random_network_between(net, 3, RANDOM_NETWORK_CHANNELS);
}

// ---- the text ----

// Adds printf-style text.
static inline __attribute__((format(printf, 2, 3))) void
random_network_write(random_network *net, const char *format, ...) {
    char more[128];
    va_list values;
    va_start(values, format);
    vsnprintf(more, sizeof more, format, values);
    va_end(values);
    char *text = amc_memory_text("%s%s", net->text, more);
    free(net->text);
    net->text = text;
}

// What the next layer reads.
static inline random_network_shape random_network_last(const random_network *net) {
    return net->n ? net->shapes[net->n - 1] : net->image;
}

// A connected layer's output, a pooled image: one number a channel.
static inline bool random_network_flat(random_network_shape shape) {
    return shape.h == 1 && shape.w == 1;
}

// Ends a layer whose section was written.
static inline bool random_network_add(random_network *net, random_network_shape shape) {
    net->shapes[net->n++] = shape;
    return true;
}

// Layer `from` as a later one names it: counted from the start or, mostly, backwards from there.
static inline int random_network_name(random_network *net, int from) {
    return random_network_one_in(net, 3) ? from : from - net->n;
}

// activation: NULL for any.
static inline void random_network_write_activation(random_network *net, const char *activation) {
    random_network_write(net, "activation=%s\n",
                         activation ? activation : random_network_activation(net));
}

// ---- layers with weights ----

// Convolution of any kind; false if the filter is larger than what it would read.
static inline bool random_network_convolve(random_network *net, int filters, int groups,
                                           const char *activation) {
    random_network_shape in = random_network_last(net), out = {.c = filters};
    static const int sizes[] = {1, 1, 3, 3, 3, 5};
    int size = sizes[random_network_below(net, sizeof sizes / sizeof *sizes)];
    int stride = random_network_one_in(net, 4) ? 2 : 1, pad = random_network_one_in(net, 5);
    bool same = !random_network_one_in(net, 5); // pad=1 keeps the sides
    int around = same ? size / 2 : pad;
    if (stride == 2 && in.h * in.w < 16 && in.h * in.w > 1) stride = 1;
    if (in.h + 2 * around < size || in.w + 2 * around < size) return false;
    out.h = (in.h + 2 * around - size) / stride + 1;
    out.w = (in.w + 2 * around - size) / stride + 1;
    random_network_write(net, "[convolutional]\nfilters=%d\nsize=%d\nstride=%d\n", filters, size,
                         stride);
    if (groups > 1) random_network_write(net, "groups=%d\n", groups);
    if (same) random_network_write(net, "pad=1\n");
    if (!same && pad) random_network_write(net, "padding=%d\n", pad);
    if (!random_network_one_in(net, 3)) random_network_write(net, "batch_normalize=1\n");
    random_network_write_activation(net, activation);
    return random_network_add(net, out);
}

static inline bool random_network_convolution(random_network *net) {
    return random_network_convolve(net, random_network_filters(net), 1, NULL);
}

static inline bool random_network_depthwise(random_network *net) {
    int c = random_network_last(net).c, each = random_network_one_in(net, 3) ? 2 : 1;
    if (c < 2 || c > RANDOM_NETWORK_CHANNELS) return false;
    return random_network_convolve(net, c * each, c, NULL);
}

static inline bool random_network_grouped(random_network *net) {
    int c = random_network_last(net).c, groups = random_network_between(net, 2, 4);
    if (c % groups || c == groups) return false;
    int filters = groups * random_network_between(net, 1, RANDOM_NETWORK_CHANNELS / groups);
    return random_network_convolve(net, filters, groups, NULL);
}

static inline bool random_network_connect(random_network *net, int output, const char *activation) {
    random_network_shape out = {.c = output, .h = 1, .w = 1};
    random_network_write(net, "[connected]\noutput=%d\n", output);
    if (random_network_one_in(net, 2)) random_network_write(net, "batch_normalize=1\n");
    random_network_write_activation(net, activation);
    return random_network_add(net, out);
}

// Rarely on an image, of which it leaves nothing.
static inline bool random_network_connected(random_network *net) {
    if (!random_network_flat(random_network_last(net)) && !random_network_one_in(net, 3))
        return false;
    return random_network_connect(net, random_network_filters(net), NULL);
}

// ---- layers that join others ----

// Whether Darknet can add layer `from` to `in`: sides in the same whole ratio both ways.
static inline bool random_network_adds(random_network_shape in, random_network_shape from) {
    return in.w / from.w == in.h / from.h && from.w / in.w == from.h / in.h;
}

// 0 to 4: of smaller image, larger, of equal channels, fewer, more.
static inline int random_network_relation(random_network_shape in, random_network_shape from) {
    if (from.w != in.w || from.h != in.h) return from.w > in.w;
    return from.c == in.c ? 2 : from.c < in.c ? 3 : 4;
}

static inline bool random_network_shortcut_to(random_network *net, int from) {
    random_network_write(net, "[shortcut]\nfrom=%d\n", random_network_name(net, from));
    if (random_network_one_in(net, 5)) random_network_write(net, "beta=.5\n");
    random_network_write_activation(net, NULL);
    return random_network_add(net, random_network_last(net));
}

// First how the two sides relate, so that the rare relations aren't, then any layer of that kind.
static inline bool random_network_shortcut(random_network *net) {
    random_network_shape in = random_network_last(net);
    int relation = random_network_below(net, 5), found[RANDOM_NETWORK_LAYERS], n = 0;
    for (int i = 0; i + 1 < net->n; i++)
        if (random_network_adds(in, net->shapes[i]) &&
            random_network_relation(in, net->shapes[i]) == relation)
            found[n++] = i;
    return n && random_network_shortcut_to(net, found[random_network_below(net, n)]);
}

// A layer back to the channels and, if it can, the sides of an earlier one, and their sum.
static inline bool random_network_residual(random_network *net) {
    if (net->n < 1 || net->n + 2 >= RANDOM_NETWORK_LAYERS) return false;
    int from = random_network_below(net, net->n), made = net->n;
    random_network_shape to = net->shapes[from];
    if (to.c > RANDOM_NETWORK_CHANNELS || !random_network_convolve(net, to.c, 1, NULL))
        return false;
    if (random_network_adds(net->shapes[made], to)) random_network_shortcut_to(net, from);
    return true;
}

// Two connected layers and their sum, mostly of different numbers of outputs.
static inline bool random_network_connected_residual(random_network *net) {
    if (net->n + 3 >= RANDOM_NETWORK_LAYERS || !random_network_connected(net)) return false;
    random_network_connect(net, random_network_filters(net), NULL);
    return random_network_shortcut_to(net, net->n - 2);
}

// Joins the layer before, mostly, with up to two others of its size; or goes back to an earlier
// one.
static inline bool random_network_route(random_network *net) {
    if (net->n < 1) return false;
    int first = random_network_one_in(net, 4) ? random_network_below(net, net->n) : net->n - 1;
    int wanted = random_network_between(net, 1, 3), parts[3] = {first}, n = 1;
    random_network_shape out = net->shapes[first];
    for (int tries = 0; n < wanted && tries < 20; tries++) {
        int i = random_network_below(net, net->n); // the same again too
        random_network_shape part = net->shapes[i];
        if (part.h != out.h || part.w != out.w || out.c + part.c > RANDOM_NETWORK_WIDEST) continue;
        if (i == first && !random_network_one_in(net, 4)) continue;
        out.c += part.c;
        parts[n++] = i;
    }
    if (n == 1 && first == net->n - 1) return false; // joins nothing and goes nowhere
    for (int i = 0; i < n; i++) {
        int other = random_network_below(net, n), part = parts[i];
        parts[i] = parts[other];
        parts[other] = part;
    }
    random_network_write(net, "[route]\nlayers=");
    for (int i = 0; i < n; i++)
        random_network_write(net, "%s%d", i ? ", " : "", random_network_name(net, parts[i]));
    random_network_write(net, "\n");
    return random_network_add(net, out);
}

// Blocks of channels that layers made which didn't know of them.
static inline bool random_network_grouped_route(random_network *net) {
    if (net->n + 2 >= RANDOM_NETWORK_LAYERS || !random_network_route(net)) return false;
    random_network_grouped(net);
    return true;
}

// ---- layers that hand channels on ----

static inline bool random_network_maxpool(random_network *net) {
    random_network_shape out = random_network_last(net);
    int size = random_network_between(net, 2, 3), stride = random_network_between(net, 1, 2);
    bool bare = random_network_one_in(net, 3); // padding=0; else size - 1 in all
    int pad = bare ? 0 : size - 1;
    if (out.h < size || out.w < size) return false;
    out.h = (out.h + pad - size) / stride + 1;
    out.w = (out.w + pad - size) / stride + 1;
    random_network_write(net, "[maxpool]\nsize=%d\nstride=%d\n%s", size, stride,
                         bare ? "padding=0\n" : "");
    return random_network_add(net, out);
}

static inline bool random_network_upsample(random_network *net) {
    random_network_shape out = random_network_last(net);
    out.h *= 2, out.w *= 2;
    if (out.h > RANDOM_NETWORK_SIDE || out.w > RANDOM_NETWORK_SIDE) return false;
    random_network_write(net, "[upsample]\nstride=2\n");
    return random_network_add(net, out);
}

static inline bool random_network_reorg(random_network *net) {
    random_network_shape out = random_network_last(net);
    if (out.c % 4 || out.h % 2 || out.w % 2 || out.c * 4 > RANDOM_NETWORK_WIDEST) return false;
    out.c *= 4, out.h /= 2, out.w /= 2;
    random_network_write(net, "[reorg]\nstride=2\n");
    return random_network_add(net, out);
}

static inline bool random_network_reverse_reorg(random_network *net) {
    random_network_shape out = random_network_last(net);
    if (out.c % 4 || out.c == 4) return false;
    out.c /= 4, out.h *= 2, out.w *= 2;
    if (out.h > RANDOM_NETWORK_SIDE || out.w > RANDOM_NETWORK_SIDE) return false;
    random_network_write(net, "[reorg]\nstride=2\nreverse=1\n");
    return random_network_add(net, out);
}

static inline bool random_network_avgpool(random_network *net) {
    random_network_shape out = {.c = random_network_last(net).c, .h = 1, .w = 1};
    if (random_network_flat(random_network_last(net)) || !random_network_one_in(net, 2))
        return false;
    random_network_write(net, "[avgpool]\n");
    return random_network_add(net, out);
}

static inline bool random_network_dropout(random_network *net) {
    if (net->n == 0) return false; // it shares its input's memory
    random_network_write(net, "[dropout]\nprobability=.5\n");
    return random_network_add(net, random_network_last(net));
}

static inline bool random_network_activate(random_network *net) {
    random_network_write(net, "[activation]\n");
    random_network_write_activation(net, NULL);
    return random_network_add(net, random_network_last(net));
}

// ---- whole networks ----

// Adds a layer, or a few; convolutions six times as often as dropout.
static inline void random_network_step(random_network *net) {
    static const struct {
        bool (*add)(random_network *);
        int often;
    } kinds[] = {
        {random_network_convolution, 6},   {random_network_residual, 2},
        {random_network_depthwise, 1},     {random_network_grouped, 1},
        {random_network_connected, 2},     {random_network_connected_residual, 2},
        {random_network_shortcut, 5},      {random_network_route, 3},
        {random_network_grouped_route, 1}, {random_network_maxpool, 2},
        {random_network_upsample, 1},      {random_network_reorg, 3},
        {random_network_reverse_reorg, 1}, {random_network_avgpool, 2},
        {random_network_dropout, 1},       {random_network_activate, 1},
    };
    int kind, all = 0, n = sizeof kinds / sizeof *kinds;
    for (int i = 0; i < n; i++) all += kinds[i].often;
    do {
        int drawn = random_network_below(net, all);
        for (kind = 0; drawn >= kinds[kind].often; kind++) drawn -= kinds[kind].often;
    } while (!kinds[kind].add(net));
}

// Ends linearly, so that nothing flattens a difference.
static inline void random_network_end(random_network *net) {
    int outputs = random_network_between(net, 2, 8);
    if (random_network_flat(random_network_last(net)) || random_network_one_in(net, 4))
        random_network_connect(net, outputs, "linear");
    else
        while (!random_network_convolve(net, outputs, 1, "linear")) continue;
}

// The text of a network of 6 to 20 layers, as new memory. Its image has 3 or 4 channels and sides
// of 8 to 24, multiples of 8 mostly.
static inline char *random_network_cfg(amc_rng *rng) {
    random_network net = {.rng = rng};
    net.image.c = random_network_between(&net, 3, 4);
    net.image.h = random_network_one_in(&net, 3) ? random_network_between(&net, 8, 24)
                                                 : 8 * random_network_between(&net, 1, 3);
    net.image.w =
        random_network_one_in(&net, 3) ? random_network_between(&net, 8, 24) : net.image.h;
    net.text = amc_memory_text("[net]\nchannels=%d\nheight=%d\nwidth=%d\n", net.image.c,
                               net.image.h, net.image.w);
    int last = random_network_between(&net, 6, RANDOM_NETWORK_LAYERS) - 1;
    // Channels tied to the image stay: mostly the first layer makes some of its own.
    if (!random_network_one_in(&net, 12)) random_network_convolution(&net);
    while (net.n < last) random_network_step(&net);
    random_network_end(&net);
    return net.text;
}

#endif
