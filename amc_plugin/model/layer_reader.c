#include "model/layer_reader.h"

#include "base/memory.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILTER (1 << 10) // height and width of a filter or window

// What reads a layer's section; everything it needs to say where and why it fails.
typedef struct reader {
    const amc_cfg_text *cfg;
    int section;
    int index; // of the layer
    const amc_layer_graph *graph;
    amc_error *err;
} reader;

static int fail(const reader *r, const char *key, const char *what) {
    return amc_error_set(r->err, "%s:%d: [%s] %s", r->cfg->path,
                         amc_cfg_text_line(r->cfg, r->section, key),
                         r->cfg->sections[r->section].type, what);
}

// ---- values ----

static int read_int(const reader *r, const char *key, int missing, int low, int high, int *value) {
    return amc_cfg_text_int(r->cfg, r->section, key, missing, low, high, value, r->err);
}

static int read_flag(const reader *r, const char *key, bool *value) {
    int number;
    if (read_int(r, key, 0, 0, 1, &number) < 0) return -1;
    *value = number != 0;
    return 0;
}

// Whether an integer key, such as flatten=, is there and not 0.
static int read_switch(const reader *r, const char *key, bool *value) {
    int number;
    if (read_int(r, key, 0, INT_MIN, INT_MAX, &number) < 0) return -1;
    *value = number != 0;
    return 0;
}

// What follows the next comma of a list; NULL after its last item.
static const char *next_item(const char *item) {
    const char *comma = strchr(item, ',');
    return comma ? comma + 1 : NULL;
}

// Darknet turns an activation it doesn't know into relu without a word.
static int check_activation(const reader *r) {
    static const char *known[] = {"logistic", "relu",    "relie", "linear", "ramp",
                                  "tanh",     "plse",    "leaky", "elu",    "loggy",
                                  "stair",    "hardtan", "lhtan", "selu"};
    const char *name = amc_cfg_text_get(r->cfg, r->section, "activation");
    if (!name) return 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(name, known[i]) == 0) return 0;
    return amc_error_set(r->err,
                         "%s:%d: activation=%s, expected one that Darknet has (relu, leaky, "
                         "linear, logistic, ...)",
                         r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "activation"), name);
}

// Options that change which weights a file holds, or what they mean.
static int refuse_odd_weights(const reader *r) {
    static const char *odd[] = {"dontload", "dontsave", "dontloadscales", "numload", "flipped",
                                "binary",   "xnor"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        int value;
        if (read_int(r, odd[i], 0, INT_MIN, INT_MAX, &value) < 0) return -1;
        if (value)
            return amc_error_set(r->err,
                                 "%s:%d: %s=%d is not supported, expected a layer whose "
                                 "weights are stored plainly",
                                 r->cfg->path, amc_cfg_text_line(r->cfg, r->section, odd[i]),
                                 odd[i], value);
    }
    return 0;
}

// ---- inputs ----

static void same_shape(amc_layer *layer) {
    layer->out_c = layer->c;
    layer->out_h = layer->h;
    layer->out_w = layer->w;
}

static void flat_output(amc_layer *layer, int outputs) {
    layer->flat = true;
    layer->out_c = outputs;
    layer->out_h = layer->out_w = 1;
}

// Follows the layer before: its output becomes this layer's input and, for the time being, output.
static void read_previous(const reader *r, amc_layer *layer) {
    layer->n_inputs = 1;
    layer->inputs = amc_memory_alloc(1, sizeof *layer->inputs);
    layer->inputs[0] = r->index - 1; // the layer before the first is AMC_NETWORK_INPUT
    const amc_layer *before = r->index ? &r->graph->layers[r->index - 1] : NULL;
    layer->c = before ? before->out_c : r->graph->c;
    layer->h = before ? before->out_h : r->graph->h;
    layer->w = before ? before->out_w : r->graph->w;
    layer->flat = before && before->flat;
    same_shape(layer);
}

// The same for a layer that works on images; Darknet divides by zero for numbers without a shape.
static int read_image(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    if (!layer->flat) return 0;
    return amc_error_set(
        r->err, "%s:%d: [%s] works on images, which the [%s] before it doesn't give", r->cfg->path,
        amc_cfg_text_line(r->cfg, r->section, NULL), r->cfg->sections[r->section].type,
        amc_layer_type_name(r->graph->layers[r->index - 1].type));
}

// Of a number in a list. atoi() lets Darknet read a comment after it too, whose commas it counts.
static bool ends(const char *text) {
    bool comment = (*text == '#' || *text == ';') && !strchr(text, ',');
    return *text == '\0' || *text == ',' || comment;
}

// "-1" or "7" -> the index of an earlier layer. Darknet reads past its arrays for others.
static int resolve(const reader *r, const char *key, const char *text, int *index) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (number < 0) number += r->index;
    if (end == text || !ends(end) || errno || number < 0 || number >= r->index)
        return amc_error_set(r->err,
                             "%s:%d: %s=%s names no earlier layer, expected 0 to %d or -%d "
                             "to -1",
                             r->cfg->path, amc_cfg_text_line(r->cfg, r->section, key), key,
                             amc_cfg_text_get(r->cfg, r->section, key), r->index - 1, r->index);
    *index = (int)number;
    return 0;
}

// ---- layers with weights ----

static int read_filters(const reader *r, amc_layer *layer) {
    if (read_image(r, layer) < 0 || check_activation(r) < 0 || refuse_odd_weights(r) < 0 ||
        read_int(r, "filters", 1, 1, AMC_MOST_SIDE, &layer->out_c) < 0 ||
        read_int(r, "size", 1, 1, MAX_FILTER, &layer->size) < 0)
        return -1;
    return read_int(r, "stride", 1, 1, MAX_FILTER, &layer->stride);
}

// padding=, or half the filter with pad=1.
static int read_padding(const reader *r, amc_layer *layer) {
    bool pad;
    if (read_int(r, "padding", 0, 0, AMC_MOST_SIDE, &layer->pad) < 0 ||
        read_switch(r, "pad", &pad) < 0)
        return -1;
    if (pad) layer->pad = layer->size / 2;
    return 0;
}

// The output's height and width, of filters that move over the padded input.
static int slide_filters(const reader *r, amc_layer *layer) {
    if (layer->h + 2 * layer->pad < layer->size || layer->w + 2 * layer->pad < layer->size)
        return fail(r, "size", "has a filter larger than its padded input");
    layer->out_h = (layer->h + 2 * layer->pad - layer->size) / layer->stride + 1;
    layer->out_w = (layer->w + 2 * layer->pad - layer->size) / layer->stride + 1;
    return 0;
}

static int read_convolutional(const reader *r, amc_layer *layer) {
    if (read_filters(r, layer) < 0 ||
        read_int(r, "groups", 1, 1, AMC_MOST_SIDE, &layer->groups) < 0 ||
        read_padding(r, layer) < 0 || read_flag(r, "batch_normalize", &layer->batch_normalize) < 0)
        return -1;
    if (layer->c % layer->groups || layer->out_c % layer->groups)
        return amc_error_set(r->err,
                             "%s:%d: groups=%d, expected a divisor of its %d input channels "
                             "and its %d filters",
                             r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "groups"),
                             layer->groups, layer->c, layer->out_c);
    return slide_filters(r, layer);
}

static int read_deconvolutional(const reader *r, amc_layer *layer) {
    if (read_filters(r, layer) < 0 || read_padding(r, layer) < 0 ||
        read_flag(r, "batch_normalize", &layer->batch_normalize) < 0)
        return -1;
    int64_t h = (int64_t)(layer->h - 1) * layer->stride + layer->size - 2 * (int64_t)layer->pad;
    int64_t w = (int64_t)(layer->w - 1) * layer->stride + layer->size - 2 * (int64_t)layer->pad;
    if (h < 1 || w < 1) return fail(r, "size", "has more padding than output");
    if (h > AMC_MOST_SIDE || w > AMC_MOST_SIDE)
        return fail(r, NULL, "is larger than Darknet can address");
    layer->out_h = (int)h;
    layer->out_w = (int)w;
    return 0;
}

// Darknet pads a local layer by pad= pixels, but counts its positions as if by half the filter.
static int read_local(const reader *r, amc_layer *layer) {
    if (read_filters(r, layer) < 0 || read_int(r, "pad", 0, 0, MAX_FILTER, &layer->pad) < 0)
        return -1;
    if (layer->pad && layer->size != 2 * layer->pad + 1)
        return fail(r, "pad", "pads by another width than half its size, which Darknet miscounts");
    return slide_filters(r, layer);
}

static int read_connected(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    if (check_activation(r) < 0 || refuse_odd_weights(r) < 0 ||
        read_int(r, "output", 1, 1, AMC_MOST_SIDE, &layer->out_c) < 0 ||
        read_flag(r, "batch_normalize", &layer->batch_normalize) < 0)
        return -1;
    layer->out_h = layer->out_w = 1;
    layer->flat = false; // an image of one pixel
    return 0;
}

static int read_batchnorm(const reader *r, amc_layer *layer) {
    layer->batch_normalize = true;
    return read_image(r, layer) < 0 ? -1 : refuse_odd_weights(r);
}

// ---- layers that hand channels on ----

static int read_maxpool(const reader *r, amc_layer *layer) {
    if (read_image(r, layer) < 0 || read_int(r, "stride", 1, 1, MAX_FILTER, &layer->stride) < 0 ||
        read_int(r, "size", layer->stride, 1, MAX_FILTER, &layer->size) < 0 ||
        read_int(r, "padding", layer->size - 1, 0, AMC_MOST_SIDE, &layer->pad) < 0)
        return -1;
    if (layer->h + layer->pad < layer->size || layer->w + layer->pad < layer->size)
        return fail(r, "size", "has a window larger than its padded input");
    layer->out_h = (layer->h + layer->pad - layer->size) / layer->stride + 1;
    layer->out_w = (layer->w + layer->pad - layer->size) / layer->stride + 1;
    return 0;
}

static int read_avgpool(const reader *r, amc_layer *layer) {
    if (read_image(r, layer) < 0) return -1;
    layer->out_h = layer->out_w = 1;
    return 0;
}

// A negative stride makes the image smaller, by sums; Darknet mixes channels if that leaves a rest.
static int read_upsample(const reader *r, amc_layer *layer) {
    if (read_image(r, layer) < 0 ||
        read_int(r, "stride", 2, -MAX_FILTER, MAX_FILTER, &layer->stride) < 0)
        return -1;
    int s = abs(layer->stride);
    if (s == 0) return fail(r, "stride", "has stride=0, expected another");
    if (layer->stride < 0 && (layer->h % s || layer->w % s))
        return fail(r, "stride", "has a stride that does not divide its input's height and width");
    if ((int64_t)layer->h * s > AMC_MOST_SIDE || (int64_t)layer->w * s > AMC_MOST_SIDE)
        return fail(r, NULL, "is larger than Darknet can address");
    layer->out_h = layer->stride < 0 ? layer->h / s : layer->h * s;
    layer->out_w = layer->stride < 0 ? layer->w / s : layer->w * s;
    return 0;
}

static int read_crop(const reader *r, amc_layer *layer) {
    if (read_image(r, layer) < 0 || read_int(r, "crop_height", 1, 1, layer->h, &layer->out_h) < 0)
        return -1;
    return read_int(r, "crop_width", 1, 1, layer->w, &layer->out_w);
}

static int read_dropout(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    if (r->index == 0) return fail(r, NULL, "is the first layer, expected a layer before it");
    return 0;
}

static int read_activation(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    return check_activation(r);
}

// ---- layers that combine channels ----

static int read_shortcut(const reader *r, amc_layer *layer) {
    const char *from = amc_cfg_text_get(r->cfg, r->section, "from");
    if (read_image(r, layer) < 0) return -1;
    layer->inputs = amc_memory_resize(layer->inputs, 2, sizeof *layer->inputs);
    layer->n_inputs = 2;
    layer->inputs[1] = layer->inputs[0];
    if (!from) return fail(r, NULL, "has no from=, expected the layer it adds");
    if (check_activation(r) < 0 || resolve(r, "from", from, &layer->inputs[1]) < 0) return -1;
    const amc_layer *other = &r->graph->layers[layer->inputs[1]];
    if (other->flat) return fail(r, "from", "adds a layer without image");
    // Darknet takes every so manieth pixel, the same in both directions: it asserts that.
    if (layer->w / other->out_w != layer->h / other->out_h ||
        other->out_w / layer->w != other->out_h / layer->h)
        return amc_error_set(r->err,
                             "%s:%d: [shortcut] adds %dx%d to %dx%d, expected the same ratio "
                             "of widths as of heights",
                             r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "from"),
                             other->out_w, other->out_h, layer->w, layer->h);
    return 0;
}

// The shape of the layers in a row: images of one size, or else all their numbers.
static int join_shapes(const reader *r, amc_layer *layer) {
    int64_t channels = 0, numbers = 0;
    const amc_layer *layers = r->graph->layers, *first = &layers[layer->inputs[0]];
    bool images = !first->flat;
    for (int i = 0; i < layer->n_inputs; i++) {
        const amc_layer *from = &layers[layer->inputs[i]];
        images =
            images && !from->flat && from->out_h == first->out_h && from->out_w == first->out_w;
        channels += from->out_c;
        numbers += (int64_t)from->out_c * from->out_h * from->out_w;
    }
    if (numbers > AMC_MOST_FLOATS) return fail(r, "layers", "is larger than Darknet can address");
    layer->c = first->out_c;
    layer->h = first->out_h;
    layer->w = first->out_w;
    same_shape(layer);
    layer->out_c = (int)channels;
    if (images) return 0;
    layer->flow = AMC_FLOW_NEEDS;
    flat_output(layer, (int)numbers);
    return 0;
}

static int read_route(const reader *r, amc_layer *layer) {
    const char *list = amc_cfg_text_get(r->cfg, r->section, "layers");
    if (!list) return fail(r, NULL, "has no layers=, expected the layers it joins");
    for (const char *item = list; item; item = next_item(item)) {
        layer->inputs = amc_memory_resize(layer->inputs, (size_t)layer->n_inputs + 1, sizeof(int));
        if (resolve(r, "layers", item, &layer->inputs[layer->n_inputs]) < 0) return -1;
        layer->n_inputs++;
    }
    return join_shapes(r, layer);
}

// Darknet's reorg writes past its output where the stride leaves a rest.
static int shape_reorg(const reader *r, amc_layer *layer, bool reverse) {
    int s = layer->stride;
    bool divides = layer->c % (s * s) == 0 && (reverse || (layer->h % s == 0 && layer->w % s == 0));
    if (!divides)
        return amc_error_set(r->err,
                             "%s:%d: [reorg] has stride=%d on %dx%dx%d, expected stride squared to "
                             "divide the channels%s",
                             r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "stride"), s,
                             layer->w, layer->h, layer->c,
                             reverse ? "" : " and stride to divide height and width");
    layer->out_c = reverse ? layer->c / (s * s) : layer->c * s * s;
    layer->out_h = reverse ? layer->h * s : layer->h / s;
    layer->out_w = reverse ? layer->w * s : layer->w / s;
    return 0;
}

// extra=n appends n numbers that nothing sets; flatten=1 reads pixel by pixel instead.
static int read_reorg(const reader *r, amc_layer *layer) {
    bool reverse, flatten;
    int extra;
    if (read_image(r, layer) < 0 || read_int(r, "stride", 1, 1, 64, &layer->stride) < 0 ||
        read_switch(r, "reverse", &reverse) < 0 || read_switch(r, "flatten", &flatten) < 0 ||
        read_int(r, "extra", 0, 0, AMC_MOST_SIDE, &extra) < 0)
        return -1;
    if (flatten && extra)
        return fail(r, "extra", "has flatten= and extra=, with which Darknet reads past its input");
    int numbers = layer->c * layer->h * layer->w;
    layer->flow = reverse ? AMC_FLOW_GATHERS : AMC_FLOW_SPREADS;
    if (extra || flatten) layer->flow = AMC_FLOW_NEEDS;
    if (!extra) return shape_reorg(r, layer, reverse);
    flat_output(layer, numbers + extra);
    return 0;
}

// ---- layers that need every channel ----

static int read_normalization(const reader *r, amc_layer *layer) {
    int size;
    if (read_image(r, layer) < 0 || read_int(r, "size", 5, 1, AMC_MOST_SIDE, &size) < 0) return -1;
    if (size / 2 <= layer->c) return 0;
    return amc_error_set(r->err, "%s:%d: [%s] sums %d channels of %d, where Darknet reads too far",
                         r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "size"),
                         r->cfg->sections[r->section].type, size, layer->c);
}

static int read_l2norm(const reader *r, amc_layer *layer) {
    return read_image(r, layer);
}

static int read_softmax(const reader *r, amc_layer *layer) {
    int groups;
    read_previous(r, layer);
    if (read_int(r, "groups", 1, 1, AMC_MOST_FLOATS, &groups) < 0) return -1;
    flat_output(layer, layer->c * layer->h * layer->w);
    if (layer->out_c % groups)
        return fail(r, "groups", "has groups= that do not divide its inputs");
    return 0;
}

static int read_logistic(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    return 0;
}

static int read_cost(const reader *r, amc_layer *layer) {
    read_previous(r, layer);
    flat_output(layer, layer->c * layer->h * layer->w);
    return 0;
}

// Of a layer that finds objects: what it reads has to have just so many numbers.
static int check_count(const reader *r, const char *what, int64_t found, int64_t expected) {
    if (found == expected) return 0;
    return amc_error_set(r->err, "%s:%d: [%s] reads %lld %s, expected %lld", r->cfg->path,
                         amc_cfg_text_line(r->cfg, r->section, NULL),
                         r->cfg->sections[r->section].type, (long long)found, what,
                         (long long)expected);
}

// Darknet writes as many as there are into an array of two an anchor box.
static int check_anchors(const reader *r, int boxes) {
    if (amc_cfg_text_count(r->cfg, r->section, "anchors") <= 2 * boxes) return 0;
    return amc_error_set(r->err, "%s:%d: [%s] has more anchors= than two for each of num=%d boxes",
                         r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "anchors"),
                         r->cfg->sections[r->section].type, boxes);
}

static int read_detection(const reader *r, amc_layer *layer) {
    int coords, classes, num, side;
    read_previous(r, layer);
    if (read_int(r, "coords", 1, 0, AMC_MOST_SIDE, &coords) < 0 ||
        read_int(r, "classes", 1, 0, AMC_MOST_SIDE, &classes) < 0 ||
        read_int(r, "num", 1, 1, AMC_MOST_SIDE, &num) < 0 ||
        read_int(r, "side", 7, 1, MAX_FILTER, &side) < 0)
        return -1;
    flat_output(layer, layer->c * layer->h * layer->w);
    int64_t each = (1 + (int64_t)coords) * num + classes;
    return check_count(r, "numbers", layer->out_c, each * side * side);
}

static int read_region(const reader *r, amc_layer *layer) {
    int coords, classes, num;
    if (read_image(r, layer) < 0 || read_int(r, "coords", 4, 0, AMC_MOST_SIDE, &coords) < 0 ||
        read_int(r, "classes", 20, 0, AMC_MOST_SIDE, &classes) < 0 ||
        read_int(r, "num", 1, 1, AMC_MOST_SIDE, &num) < 0 || check_anchors(r, num) < 0)
        return -1;
    if (classes + coords == 0)
        return fail(r, "classes", "has classes=0 and coords=0, expected some of either");
    return check_count(r, "channels", layer->c, num * ((int64_t)classes + coords + 1));
}

// mask=: which of the anchors a box may have. Returns how many there are; -1 with err set.
static int read_mask(const reader *r, int num) {
    const char *mask = amc_cfg_text_get(r->cfg, r->section, "mask");
    if (!mask) return num;
    for (const char *item = mask; item; item = next_item(item)) {
        char *end;
        long anchor = strtol(item, &end, 10);
        if (end == item || (*end && *end != ',') || anchor < 0 || anchor >= num)
            return amc_error_set(r->err, "%s:%d: mask=%s, expected numbers from 0 to %d (num= - 1)",
                                 r->cfg->path, amc_cfg_text_line(r->cfg, r->section, "mask"), mask,
                                 num - 1);
    }
    return amc_cfg_text_count(r->cfg, r->section, "mask");
}

static int read_yolo(const reader *r, amc_layer *layer) {
    int classes, num;
    if (read_image(r, layer) < 0 || read_int(r, "classes", 20, 0, AMC_MOST_SIDE, &classes) < 0 ||
        read_int(r, "num", 1, 1, AMC_MOST_SIDE, &num) < 0 || check_anchors(r, num) < 0)
        return -1;
    int boxes = read_mask(r, num);
    return boxes < 0 ? -1 : check_count(r, "channels", layer->c, boxes * ((int64_t)classes + 5));
}

// ---- all kinds ----

typedef struct layer_kind {
    const char *name;  // in messages and the .cfg
    const char *alias; // Darknet's short name; NULL if none
    amc_channel_flow flow;
    int (*read)(const reader *r, amc_layer *layer);
} layer_kind;

static const layer_kind kinds[AMC_LAYER_TYPES] = {
    [AMC_CONVOLUTIONAL] = {"convolutional", "conv", AMC_FLOW_MAKES, read_convolutional},
    [AMC_DECONVOLUTIONAL] = {"deconvolutional", "deconv", AMC_FLOW_NEEDS, read_deconvolutional},
    [AMC_LOCAL] = {"local", NULL, AMC_FLOW_NEEDS, read_local},
    [AMC_CONNECTED] = {"connected", "conn", AMC_FLOW_MAKES, read_connected},
    [AMC_MAXPOOL] = {"maxpool", "max", AMC_FLOW_PASSES, read_maxpool},
    [AMC_AVGPOOL] = {"avgpool", "avg", AMC_FLOW_PASSES, read_avgpool},
    [AMC_UPSAMPLE] = {"upsample", NULL, AMC_FLOW_PASSES, read_upsample},
    [AMC_REORG] = {"reorg", NULL, AMC_FLOW_SPREADS, read_reorg},
    [AMC_CROP] = {"crop", NULL, AMC_FLOW_PASSES, read_crop},
    [AMC_SHORTCUT] = {"shortcut", NULL, AMC_FLOW_ADDS, read_shortcut},
    [AMC_ROUTE] = {"route", NULL, AMC_FLOW_JOINS, read_route},
    [AMC_ACTIVATION] = {"activation", NULL, AMC_FLOW_PASSES, read_activation},
    [AMC_DROPOUT] = {"dropout", NULL, AMC_FLOW_PASSES, read_dropout},
    [AMC_BATCHNORM] = {"batchnorm", NULL, AMC_FLOW_NEEDS, read_batchnorm},
    [AMC_NORMALIZATION] = {"normalization", "lrn", AMC_FLOW_NEEDS, read_normalization},
    [AMC_L2NORM] = {"l2norm", NULL, AMC_FLOW_NEEDS, read_l2norm},
    [AMC_SOFTMAX] = {"softmax", "soft", AMC_FLOW_NEEDS, read_softmax},
    [AMC_LOGISTIC] = {"logistic", NULL, AMC_FLOW_NEEDS, read_logistic},
    [AMC_COST] = {"cost", NULL, AMC_FLOW_NEEDS, read_cost},
    [AMC_DETECTION] = {"detection", NULL, AMC_FLOW_NEEDS, read_detection},
    [AMC_REGION] = {"region", NULL, AMC_FLOW_NEEDS, read_region},
    [AMC_YOLO] = {"yolo", NULL, AMC_FLOW_NEEDS, read_yolo},
};

const char *amc_layer_type_name(amc_layer_type type) {
    return kinds[type].name;
}

static int find_kind(const reader *r) {
    const char *type = r->cfg->sections[r->section].type;
    for (int i = 0; i < AMC_LAYER_TYPES; i++)
        if (strcmp(type, kinds[i].name) == 0 || (kinds[i].alias && !strcmp(type, kinds[i].alias)))
            return i;
    if (strcmp(type, "iseg") == 0) return fail(r, NULL, "is not supported");
    return fail(r, NULL, "is not a layer that Darknet has");
}

// Sizes that overflow Darknet's ints further on; in double, since they overflow int64_t too.
static int check_size(const reader *r, const amc_layer *layer) {
    double positions = (double)layer->out_h * layer->out_w, filter = 0; // a filter's inputs
    double copies = layer->type == AMC_LOCAL ? positions : 1;           // of each filter
    if (layer->type == AMC_CONNECTED) filter = (double)layer->c * layer->h * layer->w;
    if (layer->type == AMC_CONVOLUTIONAL || layer->type == AMC_LOCAL)
        filter = (double)layer->c * layer->size * layer->size;
    if (layer->type == AMC_DECONVOLUTIONAL) {
        filter = (double)layer->c * layer->size * layer->size;
        positions = fmax(positions, (double)layer->h * layer->w * layer->out_c / layer->c);
    }
    if (positions * layer->out_c > AMC_MOST_FLOATS || filter * positions > AMC_MOST_FLOATS ||
        filter * copies * layer->out_c / layer->groups > AMC_MOST_FLOATS)
        return fail(r, NULL, "is larger than Darknet can address");
    return 0;
}

int amc_layer_reader_read(const amc_cfg_text *cfg, int index, const amc_layer_graph *graph,
                          amc_layer *layer, amc_error *err) {
    reader r = {.cfg = cfg, .section = index + 1, .index = index, .graph = graph, .err = err};
    layer->line = amc_cfg_text_line(cfg, r.section, NULL);
    layer->groups = 1;
    int kind = find_kind(&r);
    if (kind < 0) return -1;
    layer->type = (amc_layer_type)kind;
    layer->flow = kinds[kind].flow;
    if (index && graph->layers[index - 1].type == AMC_COST)
        return fail(&r, NULL, "follows a [cost] layer, which must be the last");
    return kinds[kind].read(&r, layer) < 0 ? -1 : check_size(&r, layer);
}

int amc_layer_reader_refuse_recurrent(const amc_cfg_text *cfg, amc_error *err) {
    static const char *recurrent[] = {"rnn", "gru", "lstm", "crnn"};
    reader r = {.cfg = cfg, .err = err};
    for (r.section = 0; r.section < cfg->n_sections; r.section++)
        for (size_t i = 0; i < sizeof recurrent / sizeof *recurrent; i++)
            if (strcmp(cfg->sections[r.section].type, recurrent[i]) == 0)
                return fail(&r, NULL,
                            "is a recurrent layer, expected a network without recurrence");
    return 0;
}
