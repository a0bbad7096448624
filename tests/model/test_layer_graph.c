// The graph of a .cfg: the shapes and edges that Darknet's parser gives, and one sentence with the
// line for everything that Darknet would crash on, misread or replace by a default.

#include "model/cost_model.h"
#include "support/networks.h"

#define IMAGE NET(3, 8, 8)                                    // lines 1 to 4
#define FILTERS "[convolutional]\nfilters=6\nsize=3\npad=1\n" // four lines more

// ---- as Darknet's parser ----

// Darknet keeps their number for convolutional and deconvolutional layers only.
static int weights_in_darknet(const layer *l) {
    if (l->type == CONVOLUTIONAL || l->type == DECONVOLUTIONAL) return l->nweights;
    if (l->type == LOCAL) return l->size * l->size * l->c * l->n * l->out_w * l->out_h;
    return l->type == CONNECTED ? l->inputs * l->outputs : 0;
}

static void check_edges(const amc_layer *layer, const struct layer *l, int index) {
    if (layer->type == AMC_ROUTE) {
        assert_int_equal(layer->n_inputs, l->n);
        for (int i = 0; i < l->n; i++) assert_int_equal(layer->inputs[i], l->input_layers[i]);
        return;
    }
    assert_int_equal(layer->n_inputs, layer->type == AMC_SHORTCUT ? 2 : 1);
    assert_int_equal(layer->inputs[0], index - 1);
    if (layer->type == AMC_SHORTCUT) assert_int_equal(layer->inputs[1], l->index);
}

static bool has_windows(const amc_layer *layer) {
    return layer->type == AMC_CONVOLUTIONAL || layer->type == AMC_DECONVOLUTIONAL ||
           layer->type == AMC_LOCAL || layer->type == AMC_MAXPOOL;
}

// Whether Darknet notes the shape of what the layer reads in its c, h and w.
static bool knows_input(const amc_layer *layer) {
    static const amc_layer_type others[] = {AMC_CONNECTED, AMC_SHORTCUT, AMC_ROUTE,
                                            AMC_DROPOUT,   AMC_COST,     AMC_SOFTMAX,
                                            AMC_DETECTION, AMC_AVGPOOL};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (layer->type == others[i]) return false;
    return layer->type == AMC_REORG || !layer->flat;
}

static void check_strides(const amc_layer *layer, const struct layer *l) {
    if (has_windows(layer)) {
        assert_int_equal(layer->size, l->size);
        assert_int_equal(layer->stride, l->stride);
        assert_int_equal(layer->pad, l->pad);
    } else if (layer->type == AMC_UPSAMPLE) {
        assert_int_equal(layer->stride, l->reverse ? -l->stride : l->stride);
    } else if (layer->type == AMC_REORG) {
        assert_int_equal(layer->stride, l->stride);
        amc_channel_flow flow = l->reverse ? AMC_FLOW_GATHERS : AMC_FLOW_SPREADS;
        assert_int_equal(layer->flow, l->flatten || l->extra ? AMC_FLOW_NEEDS : flow);
    }
}

static void check_layer(const amc_layer *layer, const struct layer *l, int index) {
    static const LAYER_TYPE types[AMC_LAYER_TYPES] = {
        [AMC_CONVOLUTIONAL] = CONVOLUTIONAL,
        [AMC_DECONVOLUTIONAL] = DECONVOLUTIONAL,
        [AMC_LOCAL] = LOCAL,
        [AMC_CONNECTED] = CONNECTED,
        [AMC_MAXPOOL] = MAXPOOL,
        [AMC_AVGPOOL] = AVGPOOL,
        [AMC_UPSAMPLE] = UPSAMPLE,
        [AMC_REORG] = REORG,
        [AMC_CROP] = CROP,
        [AMC_SHORTCUT] = SHORTCUT,
        [AMC_ROUTE] = ROUTE,
        [AMC_ACTIVATION] = ACTIVE,
        [AMC_DROPOUT] = DROPOUT,
        [AMC_BATCHNORM] = BATCHNORM,
        [AMC_NORMALIZATION] = NORMALIZATION,
        [AMC_L2NORM] = L2NORM,
        [AMC_SOFTMAX] = SOFTMAX,
        [AMC_LOGISTIC] = LOGXENT,
        [AMC_COST] = COST,
        [AMC_DETECTION] = DETECTION,
        [AMC_REGION] = REGION,
        [AMC_YOLO] = YOLO,
    };
    assert_int_equal(types[layer->type], l->type);
    assert_int_equal(layer->out_c * layer->out_h * layer->out_w, l->outputs);
    assert_int_equal(amc_layer_weight_count(layer), weights_in_darknet(l));
    assert_int_equal(layer->batch_normalize, l->batch_normalize || l->type == BATCHNORM);
    check_edges(layer, l, index);
    if (!layer->flat) {
        assert_int_equal(layer->out_c, l->out_c);
        assert_int_equal(layer->out_h, l->out_h);
        assert_int_equal(layer->out_w, l->out_w);
    } else if (l->type != DROPOUT) { // which takes over what it was never given
        assert_int_equal(l->out_c * l->out_h * l->out_w, 0);
    }
    if (layer->type == AMC_CONVOLUTIONAL) assert_int_equal(layer->groups, l->groups);
    if (knows_input(layer)) {
        assert_int_equal(layer->c, l->c);
        assert_int_equal(layer->h, l->h);
        assert_int_equal(layer->w, l->w);
    }
    check_strides(layer, l);
    if (layer->type == AMC_CONNECTED) assert_int_equal(layer->c * layer->h * layer->w, l->inputs);
}

// Has Darknet parse the .cfg for a batch of one image.
static network *parse(const amc_cfg_text *cfg) {
    amc_error err = {""};
    amc_cfg_text *single = amc_cfg_text_copy(cfg);
    amc_cfg_text_set_int(single, 0, "batch", 1);
    amc_cfg_text_set_int(single, 0, "subdivisions", 1);
    char *path = fixture_path("single.cfg");
    assert_int_equal(amc_cfg_text_save(single, path, &err), 0);
    int kept = fixture_redirect("/dev/null");
    network *net = parse_network_cfg(path);
    fixture_unredirect(kept);
    amc_cfg_text_free(single);
    free(path);
    return net;
}

static void check_with_darknet(const amc_cfg_text *cfg, const amc_layer_graph *graph) {
    network *net = parse(cfg);
    assert_int_equal(graph->n, net->n);
    assert_int_equal(graph->c, net->c);
    assert_int_equal(graph->h, net->h);
    assert_int_equal(graph->w, net->w);
    for (int i = 0; i < graph->n; i++) check_layer(&graph->layers[i], &net->layers[i], i);
    const struct layer *output = &net->layers[amc_layer_graph_output(graph)];
    assert_ptr_equal(net->output, output->output);
    fixture_darknet_free(net);
}

static void check_text(const char *text) {
    amc_error err = {""};
    char *path = fixture_write("net.cfg", text);
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    amc_layer_graph *graph = cfg ? amc_layer_graph_new(cfg, &err) : NULL;
    if (!graph) fail_msg("%s: %s", text, err.text);
    check_with_darknet(cfg, graph);
    amc_layer_graph_free(graph);
    amc_cfg_text_free(cfg);
    free(path);
}

static void test_couplings_as_darknet(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) check_text(networks_all[i].cfg);
}

// Sizes, strides and paddings of all kinds, on sides that they don't divide.
static void test_windows_as_darknet(void **state) {
    (void)state;
    static const char *kinds[] = {"[convolutional]\nfilters=4\n", "[maxpool]\n"};
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int i = 0; i < 300; i++) {
        uint32_t size = 1 + amc_rng_below(&rng, 7), stride = 1 + amc_rng_below(&rng, 4);
        uint32_t padding = amc_rng_below(&rng, 5);
        char *text = amc_memory_text(
            "[net]\nheight=%u\nwidth=%u\nchannels=2\n%ssize=%u\nstride=%u\n%s%s%u\n" AVGPOOL(),
            7 + amc_rng_below(&rng, 20), 7 + amc_rng_below(&rng, 20), kinds[i % 2], size, stride,
            amc_rng_below(&rng, 2) ? "pad=1\n" : "", amc_rng_below(&rng, 2) ? "padding=" : "#",
            padding);
        check_text(text);
        free(text);
    }
}

static uint32_t between(amc_rng *rng, uint32_t low, uint32_t high) {
    return low + amc_rng_below(rng, high - low + 1);
}

// Local layers pad by half of their size or not at all.
static char *random_local(amc_rng *rng) {
    uint32_t size = between(rng, 1, 7);
    bool padded = size % 2 && amc_rng_below(rng, 2);
    return amc_memory_text("[net]\nheight=%u\nwidth=%u\nchannels=2\n"
                           "[local]\nfilters=3\nsize=%u\nstride=%u\npad=%u\n",
                           between(rng, 7, 20), between(rng, 7, 20), size, between(rng, 1, 4),
                           padded ? size / 2 : 0);
}

// Deconvolutions of at least 3 x 3 pixels, so that no padding leaves nothing.
static char *random_deconvolutional(amc_rng *rng) {
    uint32_t size = between(rng, 3, 7), padding = between(rng, 0, size / 2);
    return amc_memory_text("[net]\nheight=%u\nwidth=%u\nchannels=2\nadam=%u\n[deconv]\nfilters=3\n"
                           "size=%u\nstride=%u\npadding=%u\npad=%u\nbatch_normalize=%u\n",
                           between(rng, 3, 9), between(rng, 3, 9), between(rng, 0, 1), size,
                           between(rng, 1, 4), padding, between(rng, 0, 1), between(rng, 0, 1));
}

static char *random_upsample(amc_rng *rng) {
    uint32_t stride = between(rng, 1, 4), h = between(rng, 1, 6), w = between(rng, 1, 6);
    bool smaller = amc_rng_below(rng, 2);
    return amc_memory_text("[net]\nheight=%u\nwidth=%u\nchannels=5\n[upsample]\nstride=%s%u\n",
                           smaller ? h * stride : h, smaller ? w * stride : w, smaller ? "-" : "",
                           stride);
}

static char *random_reorg(amc_rng *rng) {
    uint32_t stride = between(rng, 1, 4), h = between(rng, 1, 5), w = between(rng, 1, 5);
    uint32_t blocks = between(rng, 1, 3), reverse = between(rng, 0, 1);
    return amc_memory_text("[net]\nheight=%u\nwidth=%u\nchannels=%u\n[reorg]\nstride=%u\n"
                           "reverse=%u\nflatten=%u\n",
                           reverse ? h : h * stride, reverse ? w : w * stride,
                           blocks * stride * stride, stride, reverse, amc_rng_below(rng, 4) == 0);
}

static char *random_crop(amc_rng *rng) {
    uint32_t h = between(rng, 1, 20), w = between(rng, 1, 20);
    return amc_memory_text("[net]\nheight=%u\nwidth=%u\nchannels=3\n[crop]\n"
                           "crop_height=%u\ncrop_width=%u\nflip=1\n",
                           h, w, between(rng, 1, h), between(rng, 1, w));
}

// The other layers that change an image's size.
static void test_other_sizes_as_darknet(void **state) {
    (void)state;
    static char *(*const kinds[])(amc_rng *) = {random_local, random_deconvolutional,
                                                random_upsample, random_reorg, random_crop};
    amc_rng rng;
    amc_rng_init(&rng, 2);
    for (int i = 0; i < 500; i++) {
        char *text = kinds[i % 5](&rng), *whole = amc_memory_text("%s" AVGPOOL(), text);
        check_text(whole);
        free(text), free(whole);
    }
}

static void test_short_names_and_defaults(void **state) {
    (void)state;
    check_text(IMAGE FILTERS "[softmax]\n[connected]\noutput=4\n[conv]\n");
    check_text("# c\n[network]\nheight= 9\nwidth =9\nchannels=3\nlearning_rate=.1\n"
               "[conv]\n[max]\n[conv]\nfilters=8 # eight\nsize=3\n[max]\nstride=2\n[conn]\n[conn]\n"
               "output=5\n[dropout]\n[soft]\n[cost]\n");
    check_text(IMAGE FILTERS FILTERS "[route]\nlayers=-1, 0 # both\n"
                                     "[route]\nlayers=0;\n[shortcut]\nfrom=-1 # twice\n");
    check_text("[net]\nheight=9\nwidth=9\nchannels=3\nbatch=6\nsubdivisions=3\npolicy=steps\n"
               "steps=1,2,3\nscales=.1,.1,.1\ninputs=243\n[conv]\nfilters=8\n[avg]\n");
    for (const char *const *policy =
             (const char *[]){"constant", "poly", "exp", "sigmoid", "step", "random", NULL};
         *policy; policy++) {
        char *text =
            amc_memory_text("[net]\nheight=2\nwidth=2\nchannels=1\npolicy=%s\n[conv]\n", *policy);
        check_text(text);
        free(text);
    }
}

static void test_image_layers_as_darknet(void **state) {
    (void)state;
    check_text(IMAGE LOCAL(4, 3, 2, relu) LOCAL(5, 1, 1, linear) "[local]\n");
    check_text(IMAGE "[local]\npad=1\nsize=3\nstride=2\n[local]\nsize=4\n");
    check_text(IMAGE DECONV(4, 3, 2, relu) BN_DECONV(6, 5, 3, leaky) "[deconv]\n");
    check_text(IMAGE "[deconvolutional]\nsize=2\nstride=2\npadding=1\n");
    check_text(IMAGE BATCHNORM() FILTERS BATCHNORM() BATCHNORM());
    check_text(IMAGE LRN(3) FILTERS "[lrn]\n" LRN(13));
    check_text(IMAGE L2NORM() FILTERS L2NORM());
    check_text(IMAGE ACTIVATE(elu) FILTERS "[activation]\n" ACTIVATE(lhtan));
    check_text(IMAGE FILTERS "[upsample]\n" UPSAMPLE(-2) UPSAMPLE(1) UPSAMPLE(3) UPSAMPLE(-8));
    check_text(IMAGE CROP(7, 6) FILTERS "[crop]\ncrop_width=5\nnoadjust=1\n[crop]\n");
    check_text(NET(16, 8, 8) "[reorg]\n" REORG(2) REORG(4) REORG_BACK(2) REORG_BACK(4) "[avg]\n");
    check_text(NET(4, 8, 6) REORG(2) "[reorg]\nstride=2\nreverse=-1\nflatten=7\n" FILTERS);
    check_text(IMAGE "[reorg]\nstride=2\nextra=5\n[connected]\n");
    check_text(IMAGE "[reorg]\nextra=5\nstride=8\nreverse=1\n[softmax]\n"); // whatever its stride
}

// What has numbers without a shape behind it, and what can go on from there.
static void test_flat_layers_as_darknet(void **state) {
    (void)state;
    static const char *flat[] = {SOFTMAX(), "[softmax]\ngroups=4\nspatial=1\n",
                                 "[detection]\nside=8\nclasses=4\n", MAXPOOL(2, 2) ROUTE(-1, 0),
                                 "[reorg]\nextra=384\n"};
    static const char *next[] = {SOFTMAX(),
                                 LOGISTIC_LOSS(),
                                 ACTIVATE(relu),
                                 DROPOUT(),
                                 ROUTE(-1),
                                 DROPOUT() ROUTE(-1, 0) ACTIVATE(tanh) DROPOUT(),
                                 CONNECTED(4, relu) FILTERS L2NORM(),
                                 COST()};
    for (size_t i = 0; i < sizeof flat / sizeof *flat; i++)
        for (size_t j = 0; j < sizeof next / sizeof *next; j++) {
            char *text = amc_memory_text("%s%s%s", IMAGE FILTERS, flat[i], next[j]);
            check_text(text);
            free(text);
        }
    check_text(IMAGE FILTERS CROP(7, 8) ROUTE(-1, 0) SOFTMAX()); // of other heights only
    check_text(IMAGE FILTERS CROP(8, 7) ROUTE(0, -1) SOFTMAX());
    check_text(IMAGE FILTERS SOFTMAX() "[detection]\nside=4\nnum=6\nclasses=12\n");
    check_text(IMAGE SOFTMAX()); // of the image itself
    check_text(IMAGE LOGISTIC_LOSS() FILTERS LOGISTIC_LOSS() COST());
}

static void test_finders_as_darknet(void **state) {
    (void)state;
    // 3 of 6 anchors, 4 classes: 27 channels; no mask: 2 boxes.
    check_text(IMAGE CONV(
        27, 1, 1, linear) "[yolo]\nmask=0,5,3\nclasses=4\nnum=6\n"
                          "anchors=1,2,3,4,5,6,7,8,9,10,11,12\n" UPSAMPLE(2)
                              CONV(18, 1, 1, linear) "[yolo]\nnum=2\nclasses=4\nanchors=1,2,3\n");
    check_text(IMAGE CONV(25, 1, 1, linear) "[yolo]\n");
    check_text(IMAGE CONV(5, 1, 1, linear) "[yolo]\nclasses=0\nmask=0\n" CONV(5, 1, 1, linear));
    check_text(IMAGE CONV(25, 1, 1, linear) "[region]\n");
    check_text(IMAGE CONV(30, 1, 1, linear) "[region]\nanchors=1,2,3,4,5,6\nclasses=4\ncoords=5\n"
                                            "num=3\nsoftmax=1\n" CONV(5, 1, 1, linear) AVGPOOL());
    check_text(IMAGE CONV(14, 1, 1, linear) "[detection]\nclasses=4\ncoords=4\nnum=2\nside=8\n");
    check_text(IMAGE CONNECTED(98, linear) "[detection]\ncoords=0\n" DROPOUT() CONNECTED(5, relu));
}

// Every network that comes with Darknet or the project has Darknet's shapes, or is recurrent. Those
// with many weights take Darknet seconds to make.
#ifdef AMC_SAN
enum { MOST_PARAMS = 3000000 };
#else
enum { MOST_PARAMS = 18000000 };
#endif
static int accepted, compared;

static void check_file(const char *path) {
    amc_error err = {""};
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    assert_non_null(cfg);
    amc_layer_graph *graph = amc_layer_graph_new(cfg, &err);
    if (!graph) {
        if (!strstr(err.text, "is a recurrent layer")) fail_msg("%s", err.text);
        assert_int_equal(strncmp(err.text, path, strlen(path)), 0);
    } else {
        accepted++;
        if (amc_cost_params(graph) < MOST_PARAMS) {
            check_with_darknet(cfg, graph);
            compared++;
        }
    }
    amc_layer_graph_free(graph);
    amc_cfg_text_free(cfg);
}

static void test_files_as_darknet(void **state) {
    (void)state;
    int files = networks_each_cfg(check_file);
    assert_int_equal(accepted, files - 3); // rnn, rnn.train and gru
    assert_true(compared >= 5);
}

// ---- refusals ----

typedef struct refusal {
    const char *cfg;
    int line; // 0: of the whole file
    const char *phrase;
} refusal;

static void check_refusals(const refusal *bad, size_t n) {
    for (size_t i = 0; i < n; i++) {
        amc_error err = {""};
        char *path = fixture_write("bad.cfg", bad[i].cfg);
        amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
        if (!cfg) fail_msg("%s", err.text);
        amc_layer_graph *graph = amc_layer_graph_new(cfg, &err);
        if (graph) fail_msg("not refused: %s", bad[i].cfg);
        networks_assert_error(&err, path, bad[i].line, bad[i].phrase);
        amc_cfg_text_free(cfg);
        free(path);
    }
}
#define CHECK_REFUSALS(table) check_refusals(table, sizeof table / sizeof *table)

static void test_refused_net(void **state) {
    (void)state;
    static const refusal bad[] = {
        {"[net]\nheight=8\nwidth=8\n" FILTERS, 1, "[net] has no height, width and channels"},
        {"\n[net]\ninputs=64\n[connected]\n", 2, "[net] has no height, width and channels"},
        {"[net]\nheight=0\nwidth=8\nchannels=3\n" FILTERS, 2,
         "height=0, expected an integer from 1"},
        {"[net]\nheight=8\nwidth=-8\nchannels=3\n" FILTERS, 3, "width=-8, expected an integer"},
        {"[net]\nheight=8\nwidth=8\nchannels=x\n" FILTERS, 4, "channels=x, expected an integer"},
        {"[net]\nheight=65536\nwidth=65536\nchannels=1\n" FILTERS, 3,
         "input is larger than Darknet"},
        {"[net]\nheight=70000\nwidth=1\nchannels=1\n" FILTERS, 2, "height=70000, expected"},
        {IMAGE "inputs=191\n" FILTERS, 5,
         "inputs=191, expected height*width*channels, which is 192"},
        {IMAGE "batch=0\n" FILTERS, 5, "batch=0, expected"},
        {IMAGE "subdivisions=0\n" FILTERS, 5, "subdivisions=0, expected"},
        {IMAGE "batch=8\nsubdivisions=3\n" FILTERS, 5, "batch=8, expected a multiple of subdiv"},
        {IMAGE "batch=2\nsubdivisions=4\n" FILTERS, 5, "batch=2, expected a multiple of subdiv"},
        {IMAGE "time_steps=3\n" FILTERS, 5, "time_steps=3, expected"},
        {IMAGE "policy=cosine\n" FILTERS, 5, "policy=cosine, expected constant, poly, step"},
        {IMAGE "policy=steps\n" FILTERS, 5, "expected as many steps= as scales="},
        {IMAGE "policy=steps\nsteps=1,2\n" FILTERS, 5, "expected as many steps= as scales="},
        {IMAGE "scales=1\npolicy=steps\n" FILTERS, 6, "expected as many steps= as scales="},
        {IMAGE "policy=steps\nsteps=1,2\nscales=.1\n" FILTERS, 5, "as many steps= as scales="},
        {IMAGE, 0, "has 0 layers, expected 1 to"},
        {IMAGE "[cost]\n", 0, "has only a [cost] layer, expected a network"},
    };
    CHECK_REFUSALS(bad);
}

static void test_refused_convolutional(void **state) {
    (void)state;
#define OPTION(text) IMAGE "[convolutional]\nsize=3\n" text "\n"
    static const refusal bad[] = {
        {OPTION("filters=0"), 7, "filters=0, expected an integer from 1"},
        {OPTION("filters=-4"), 7, "filters=-4, expected an integer from 1"},
        {OPTION("filters=3.5"), 7, "filters=3.5, expected an integer"},
        {OPTION("filters=100000000000"), 7, "filters=100000000000, expected an integer"},
        {OPTION("stride=0"), 7, "stride=0, expected"},
        {OPTION("stride=-1"), 7, "stride=-1, expected"},
        {OPTION("groups=0"), 7, "groups=0, expected"},
        {OPTION("groups=2"), 7, "groups=2, expected a divisor of its 3 input channels and its 1 f"},
        {OPTION("groups=3\nfilters=4"), 7, "groups=3, expected a divisor of its 3 input channels"},
        {OPTION("padding=-1"), 7, "padding=-1, expected"},
        {OPTION("pad=yes"), 7, "pad=yes, expected"},
        {OPTION("batch_normalize=2"), 7, "batch_normalize=2, expected"},
        {OPTION("activation=swish"), 7,
         "activation=swish in [convolutional] is read by other forks"},
        {OPTION("activation=leaky # note"), 7, "activation=leaky#note, expected one that"},
        {OPTION("activation=Relu"), 7, "activation=Relu, expected one that Darknet has"},
        {OPTION("dontload=1"), 7, "dontload=1 is not supported"},
        {OPTION("numload=5"), 7, "numload=5 is not supported"},
        {OPTION("flipped=1"), 7, "flipped=1 is not supported"},
        {OPTION("dontloadscales=1"), 7, "dontloadscales=1 is not supported"},
        {OPTION("binary=1"), 7, "binary=1 is not supported"},
        {OPTION("xnor=1"), 7, "xnor=1 is not supported"},
        {IMAGE "[convolutional]\nsize=0\n", 6, "size=0, expected"},
        {IMAGE "[convolutional]\nsize=9\n", 6, "has a filter larger than its padded input"},
        {NET(1, 8, 65536) "[convolutional]\nfilters=65536\nsize=1\n", 5, "is larger than Darknet"},
        {NET(65536, 1, 1) "[convolutional]\nfilters=65536\n", 5, "is larger than Darknet"},
        {NET(64, 999, 999) "[convolutional]\nsize=31\npad=1\n", 5, "is larger than Darknet"},
        {NET(1, 1, 1) "[convolutional]\npadding=65536\n", 5, "is larger than Darknet"},
    };
    CHECK_REFUSALS(bad);
}

static void test_refused_other_layers(void **state) {
    (void)state;
    static const refusal bad[] = {
        {IMAGE FILTERS "[yolo]\n", 9, "[yolo] reads 6 channels, expected 25"},
        {IMAGE FILTERS "[net]\n", 9, "[net] is not a layer that Darknet has"},
        {IMAGE "[Convolutional]\n", 5, "[Convolutional] is not a layer that Darknet has"},
        {"[net]\ninputs=64\ntime_steps=9\n[connected]\n[rnn]\n", 5, "[rnn] is a recurrent layer"},
        {IMAGE "[gru]\n", 5, "[gru] is a recurrent layer"},
        {IMAGE "[lstm]\n", 5, "[lstm] is a recurrent layer"},
        {IMAGE "[crnn]\n", 5, "[crnn] is a recurrent layer"},
        {IMAGE "[connected]\noutput=0\n", 6, "output=0, expected"},
        {IMAGE "[connected]\noutput=-5\n", 6, "output=-5, expected"},
        {IMAGE "[connected]\nactivation=mish\n", 6,
         "activation=mish in [connected] is read by other forks"},
        {IMAGE "[connected]\nflipped=1\n", 6, "flipped=1 is not supported"},
        {NET(9, 999, 999) "[connected]\noutput=999\n", 5, "is larger than Darknet can address"},
        {IMAGE "[maxpool]\nstride=0\n", 6, "stride=0, expected"},
        {IMAGE "[maxpool]\nsize=-2\n", 6, "size=-2, expected"},
        {IMAGE "[maxpool]\nsize=9\npadding=0\n", 6, "has a window larger than its padded input"},
        {IMAGE "[dropout]\n", 5, "is the first layer, expected a layer before it"},
        {IMAGE FILTERS "[softmax]\ngroups=0\n", 10, "groups=0, expected"},
        {IMAGE FILTERS "[softmax]\ngroups=5\n", 10, "has groups= that do not divide its inputs"},
        {IMAGE FILTERS "[softmax]\n[convolutional]\n", 10,
         "[convolutional] works on images, which the [softmax] before it doesn't give"},
        {IMAGE FILTERS "[cost]\n[cost]\n", 10, "follows a [cost] layer, which must be the last"},
        {IMAGE FILTERS "[softmax]\n[cost]\n[avgpool]\n", 11, "follows a [cost] layer"},
    };
    CHECK_REFUSALS(bad);
}

// What works on images only says what stands before it instead.
static void test_refused_without_image(void **state) {
    (void)state;
    static const char *layers[] = {"convolutional", "conv",    "deconvolutional", "local",
                                   "maxpool",       "avgpool", "upsample",        "reorg",
                                   "crop",          "avg",     "normalization",   "lrn",
                                   "batchnorm",     "l2norm",  "region",          "yolo"};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        char *text = amc_memory_text(IMAGE FILTERS "[softmax]\n[%s]\n", layers[i]);
        char *phrase = amc_memory_text("[%s] works on images, which the [softmax] before it "
                                       "doesn't give",
                                       layers[i]);
        check_refusals(&(refusal){text, 10, phrase}, 1);
        free(text), free(phrase);
    }
    static const refusal bad[] = {
        {IMAGE FILTERS "[softmax]\n[shortcut]\nfrom=0\n", 10, "[shortcut] works on images, which"},
        {IMAGE FILTERS "[soft]\n[dropout]\n[activation]\n[crop]\n", 12,
         "[crop] works on images, which the [activation] before it doesn't give"},
        {IMAGE FILTERS "[cost]\n[crop]\n", 10, "follows a [cost] layer"},
        {IMAGE FILTERS "[detection]\nside=8\nclasses=4\n[logistic]\n[l2norm]\n", 13,
         "[l2norm] works on images, which the [logistic] before it doesn't give"},
        {IMAGE "[reorg]\nextra=1\n[upsample]\n", 7, "which the [reorg] before it doesn't give"},
        {IMAGE FILTERS MAXPOOL(2, 2) ROUTE(-1, 0) ROUTE(-1) "[local]\n", 16,
         "[local] works on images, which the [route] before it doesn't give"},
    };
    CHECK_REFUSALS(bad);
}

static void test_refused_local(void **state) {
    (void)state;
#define LOCAL_OPTION(text) IMAGE "[local]\n" text "\n"
    static const refusal bad[] = {
        {LOCAL_OPTION("filters=0"), 6, "filters=0, expected an integer from 1"},
        {LOCAL_OPTION("size=0"), 6, "size=0, expected an integer from 1"},
        {LOCAL_OPTION("stride=0"), 6, "stride=0, expected an integer from 1"},
        {LOCAL_OPTION("pad=-1"), 6, "pad=-1, expected an integer from 0"},
        {LOCAL_OPTION("activation=sine"), 6, "activation=sine, expected one that Darknet has"},
        {LOCAL_OPTION("activation=mish"), 6, "activation=mish in [local] is read by other forks"},
        {LOCAL_OPTION("dontload=1"), 6, "dontload=1 is not supported"},
        {LOCAL_OPTION("size=9"), 6, "[local] has a filter larger than its padded input"},
        {LOCAL_OPTION("stride=2\nsize=3\npad=2"), 8,
         "[local] pads by another width than half its size, which Darknet miscounts"},
        {LOCAL_OPTION("pad=1"), 6, "[local] pads by another width than half its size"},
        {LOCAL_OPTION("size=4\npad=2"), 7, "[local] pads by another width than half its size"},
        {LOCAL_OPTION("size=5\npad=1"), 7, "[local] pads by another width than half its size"},
        // Its weights are too many, not its outputs.
        {NET(8, 512, 512) "[local]\nfilters=11\nsize=5\npad=2\n", 5,
         "[local] is larger than Darknet can address"},
    };
    CHECK_REFUSALS(bad);
}

static void test_refused_deconvolutional(void **state) {
    (void)state;
#define DECONV_OPTION(text) IMAGE "[deconvolutional]\n" text "\n"
    static const refusal bad[] = {
        {DECONV_OPTION("filters=0"), 6, "filters=0, expected an integer from 1"},
        {DECONV_OPTION("size=x"), 6, "size=x, expected an integer from 1"},
        {DECONV_OPTION("stride=-2"), 6, "stride=-2, expected an integer from 1"},
        {DECONV_OPTION("padding=-1"), 6, "padding=-1, expected an integer from 0"},
        {DECONV_OPTION("pad=yes"), 6, "pad=yes, expected an integer"},
        {DECONV_OPTION("batch_normalize=2"), 6, "batch_normalize=2, expected"},
        {DECONV_OPTION("activation=sine"), 6, "activation=sine, expected one that Darknet has"},
        {DECONV_OPTION("flipped=1"), 6, "flipped=1 is not supported"},
        {DECONV_OPTION("padding=4"), 5, "[deconvolutional] has more padding than output"},
        {DECONV_OPTION("size=3\npadding=5"), 6, "[deconvolutional] has more padding than output"},
        {DECONV_OPTION("padding=65536"), 5, "[deconvolutional] has more padding than output"},
        {NET(1, 1, 66) "[deconv]\nstride=1024\n", 5, "[deconv] is larger than Darknet can"},
        {NET(1, 66, 1) "[deconv]\nstride=1024\n", 5, "[deconv] is larger than Darknet can"},
        {NET(1, 99, 99) "[deconv]\nstride=300\n", 5, "[deconv] is larger than Darknet can"},
        // What it multiplies to: windows of all filters for each pixel.
        {NET(1, 512, 512) "[deconv]\nsize=64\nfilters=1\n", 5, "[deconv] is larger than Darknet"},
    };
    CHECK_REFUSALS(bad);
}

// Layers that take a part of an image or spread it out.
static void test_refused_sizes(void **state) {
    (void)state;
    static const refusal bad[] = {
        {IMAGE "[upsample]\nstride=0\n", 6, "[upsample] has stride=0, expected another"},
        {IMAGE "[upsample]\nstride=-3\n", 6,
         "[upsample] has a stride that does not divide its input's height and width"},
        {NET(3, 8, 9) UPSAMPLE(-2), 6, "[upsample] has a stride that does not divide"},
        {NET(3, 9, 8) UPSAMPLE(-2), 6, "[upsample] has a stride that does not divide"},
        {IMAGE UPSAMPLE(-16), 6, "[upsample] has a stride that does not divide"},
        {IMAGE UPSAMPLE(1025), 6, "stride=1025, expected an integer from -1024 to 1024"},
        {IMAGE "[upsample]\nstride=two\n", 6, "stride=two, expected an integer"},
        {NET(3, 1, 65) UPSAMPLE(1024), 5, "[upsample] is larger than Darknet can address"},
        {NET(3, 65, 1) UPSAMPLE(1024), 5, "[upsample] is larger than Darknet can address"},
        {NET(3, 64, 64) UPSAMPLE(1000), 5, "[upsample] is larger than Darknet can address"},
        {IMAGE CROP(9, 8), 6, "crop_height=9, expected an integer from 1 to 8"},
        {NET(3, 8, 7) CROP(8, 8), 7, "crop_width=8, expected an integer from 1 to 7"},
        {IMAGE CROP(0, 8), 6, "crop_height=0, expected an integer from 1 to 8"},
        {IMAGE CROP(8, -1), 7, "crop_width=-1, expected an integer from 1 to 8"},
        {NET(4, 8, 8) REORG(0), 6, "stride=0, expected an integer from 1 to 64"},
        {NET(4, 8, 8) REORG(65), 6, "stride=65, expected an integer from 1 to 64"},
        {NET(4, 8, 8) "[reorg]\nreverse=yes\n", 6, "reverse=yes, expected an integer"},
        {NET(4, 8, 8) "[reorg]\nflatten=yes\n", 6, "flatten=yes, expected an integer"},
        {NET(4, 8, 8) "[reorg]\nextra=-1\n", 6, "extra=-1, expected an integer from 0"},
        {NET(4, 8, 8) "[reorg]\nflatten=1\nextra=9\n", 7, "[reorg] has flatten= and extra="},
        {NET(6, 8, 8) REORG(2), 6,
         "[reorg] has stride=2 on 8x8x6, expected stride squared to divide the channels and stride "
         "to divide height and width"},
        {NET(4, 8, 9) REORG(2), 6, "[reorg] has stride=2 on 9x8x4, expected stride squared to"},
        {NET(4, 9, 8) REORG(2), 6, "[reorg] has stride=2 on 8x9x4, expected stride squared to"},
        {NET(2, 9, 8) REORG_BACK(2), 7,
         "[reorg] has stride=2 on 8x9x2, expected stride squared to divide the channels"},
        {NET(6, 8, 8) "[reorg]\nflatten=1\nstride=2\n", 7, "[reorg] has stride=2 on 8x8x6"},
    };
    CHECK_REFUSALS(bad);
    check_text(NET(4, 9, 7) REORG_BACK(2)); // whose sides it doesn't divide
}

// Reads as a string, so that the sentence ends there.
static void test_reorg_back_says_nothing_of_sides(void **state) {
    (void)state;
    amc_error err = {""};
    char *path = fixture_write("bad.cfg", NET(2, 9, 8) REORG_BACK(2));
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    assert_null(amc_layer_graph_new(cfg, &err));
    assert_null(strstr(err.text, "height"));
    amc_cfg_text_free(cfg);
    free(path);
}

static void test_refused_boundaries(void **state) {
    (void)state;
    static const refusal bad[] = {
        {IMAGE "[normalization]\nsize=0\n", 6, "size=0, expected an integer from 1"},
        {IMAGE LRN(8), 6, "sums 8 channels of 3, where Darknet reads too far"},
        {IMAGE FILTERS "[lrn]\nsize=14\n", 10, "[lrn] sums 14 channels of 6, where Darknet"},
        {NET(1, 8, 8) "[normalization]\n", 5, "[normalization] sums 5 channels of 1"},
        {IMAGE "[batchnorm]\ndontload=1\n", 6, "dontload=1 is not supported"},
        {IMAGE "[batchnorm]\ndontsave=1\n", 6, "dontsave=1 is not supported"},
        {IMAGE "[activation]\nactivation=sine\n", 6, "activation=sine, expected one that Darknet"},
        {IMAGE "[activation]\nactivation=swish\n", 6,
         "activation=swish in [activation] is read by"},
        {IMAGE FILTERS "[softmax]\ngroups=-2\n", 10, "groups=-2, expected an integer from 1"},
        {IMAGE "[softmax]\ngroups=193\n", 6, "has groups= that do not divide its inputs"},
        {IMAGE FILTERS MAXPOOL(2, 2) ROUTE(-1, 0) "[softmax]\ngroups=7\n", 15,
         "has groups= that do not divide its inputs"},
        {IMAGE "[iseg]\n", 5, "[iseg] is not supported"},
        {IMAGE FILTERS "[lstm]\n", 9, "[lstm] is a recurrent layer, expected a network without"},
        {IMAGE "mosaic=1\nheight=0\n[rnn]\n", 7, "[rnn] is a recurrent layer"}, // above all else
    };
    CHECK_REFUSALS(bad);
}

static void test_refused_finders(void **state) {
    (void)state;
#define YOLO_OPTION(text) IMAGE CONV(27, 1, 1, linear) "[yolo]\nnum=6\nclasses=4\n" text "\n"
#define REGION_OPTION(text) IMAGE CONV(30, 1, 1, linear) "[region]\nnum=3\n" text "\n"
#define DETECTION_OPTION(text) IMAGE CONNECTED(98, linear) "[detection]\n" text "\n"
    static const refusal bad[] = {
        {YOLO_OPTION("mask=0,1"), 12, "[yolo] reads 27 channels, expected 18"},
        {YOLO_OPTION("mask=0,1,2,3"), 12, "[yolo] reads 27 channels, expected 36"},
        {YOLO_OPTION(""), 12, "[yolo] reads 27 channels, expected 54"},
        {YOLO_OPTION("mask=0,6,1"), 15, "mask=0,6,1, expected numbers from 0 to 5 (num= - 1)"},
        {YOLO_OPTION("mask=0,-1,1"), 15, "mask=0,-1,1, expected numbers from 0 to 5"},
        {YOLO_OPTION("mask=,0,1"), 15, "mask=,0,1, expected numbers from 0 to 5"},
        {YOLO_OPTION("mask=0,1,"), 15, "mask=0,1,, expected numbers from 0 to 5"},
        {YOLO_OPTION("mask=a,b,c"), 15, "mask=a,b,c, expected numbers from 0 to 5"},
        {YOLO_OPTION("mask=0,1x,2"), 15, "mask=0,1x,2, expected numbers from 0 to 5"},
        {YOLO_OPTION("mask=0,1,2\nanchors=1,2,3,4,5,6,7,8,9,10,11,12,13"), 16,
         "[yolo] has more anchors= than two for each of num=6 boxes"},
        {IMAGE CONV(9, 1, 1, linear) "[yolo]\nclasses=-1\n", 13, "classes=-1, expected an integer"},
        {IMAGE CONV(9, 1, 1, linear) "[yolo]\nnum=0\n", 13, "num=0, expected an integer from 1"},
        {REGION_OPTION("classes=4"), 12, "[region] reads 30 channels, expected 27"},
        {REGION_OPTION(""), 12, "[region] reads 30 channels, expected 75"},
        {REGION_OPTION("classes=-5"), 14, "classes=-5, expected an integer from 0"},
        {REGION_OPTION("coords=-1"), 14, "coords=-1, expected an integer"},
        {REGION_OPTION("classes=5\nanchors=1,2,3,4,5,6,7"), 15,
         "[region] has more anchors= than two for each of num=3 boxes"},
        {NET(1, 8, 8) "[region]\nclasses=0\ncoords=0\n", 6, "has classes=0 and coords=0"},
        {IMAGE CONV(9, 1, 1, linear) "[region]\nnum=0\n", 13, "num=0, expected an integer from 1"},
        {DETECTION_OPTION(""), 8, "[detection] reads 98 numbers, expected 147"},
        {DETECTION_OPTION("num=0"), 9, "num=0, expected an integer from 1"},
        {DETECTION_OPTION("coords=-1"), 9, "coords=-1, expected an integer from 0"},
        {DETECTION_OPTION("classes=-1"), 9, "classes=-1, expected an integer from 0"},
        {DETECTION_OPTION("side=0"), 9, "side=0, expected an integer from 1 to 1024"},
        {DETECTION_OPTION("side=1025"), 9, "side=1025, expected an integer from 1 to 1024"},
        {DETECTION_OPTION("side=1024\nclasses=65536\nnum=65536\ncoords=65536"), 8,
         "[detection] reads 98 numbers, expected 45"}, // 4.5e15, which no int holds
    };
    CHECK_REFUSALS(bad);
}

static void test_refused_edges(void **state) {
    (void)state;
    static const refusal bad[] = {
        {IMAGE FILTERS "[shortcut]\n", 9, "has no from="},
        {IMAGE FILTERS "[shortcut]\nfrom=1\n", 10,
         "from=1 names no earlier layer, expected 0 to 0"},
        {IMAGE FILTERS "[shortcut]\nfrom=7\n", 10, "from=7 names no earlier layer"},
        {IMAGE FILTERS "[shortcut]\nfrom=-2\n", 10, "from=-2 names no earlier layer"},
        {IMAGE FILTERS "[shortcut]\nfrom=x\n", 10, "from=x names no earlier layer"},
        {IMAGE FILTERS "[shortcut]\nfrom=99999999999999999999\n", 10, "names no earlier layer"},
        {IMAGE FILTERS "[shortcut]\nfrom=-1\nactivation=none\n", 11, "activation=none, expected"},
        {IMAGE "[shortcut]\nfrom=-1\n", 6, "from=-1 names no earlier layer"},
        {IMAGE FILTERS "[route]\n", 9, "has no layers="},
        {IMAGE FILTERS "[route]\nlayers=1\n", 10, "layers=1 names no earlier layer"},
        {IMAGE FILTERS "[route]\nlayers=0,-2\n", 10, "layers=0,-2 names no earlier layer"},
        {IMAGE FILTERS "[route]\nlayers=,0\n", 10, "layers=,0 names no earlier layer"},
        {IMAGE FILTERS "[route]\nlayers=0,\n", 10, "layers=0, names no earlier layer"},
        {IMAGE FILTERS "[route]\nlayers=0,,0\n", 10, "layers=0,,0 names no earlier layer"},
        {IMAGE FILTERS "[route]\nlayers=0 # one, not two\n", 10, "names no earlier layer"},
        {IMAGE FILTERS "[route]\nlayers=a\n", 10, "layers=a names no earlier layer"},
        {IMAGE FILTERS "[maxpool]\nstride=2\n[route]\nlayers=-1,0\n[maxpool]\n", 13,
         "[maxpool] works on images, which the [route] before it doesn't give"},
        {IMAGE FILTERS "[softmax]\n[route]\nlayers=0\n[shortcut]\nfrom=1\n", 13,
         "[shortcut] adds a layer without image"},
    };
    CHECK_REFUSALS(bad);
}

// Darknet's shortcut asserts that widths and heights have the same whole ratio. Not square images
// and pools that pad can spoil that; sizes that are no multiples are fine.
static void test_shortcut_ratios(void **state) {
    (void)state;
    static const refusal bad[] = {
        {NET(3, 8, 9) FILTERS "[maxpool]\nstride=3\npadding=0\n[shortcut]\nfrom=0\n", 13,
         "[shortcut] adds 9x8 to 3x2, expected the same ratio"},
        {NET(3, 9, 8) "[maxpool]\nstride=3\npadding=0\n" FILTERS "[route]\nlayers=0\n"
                      "[convolutional]\nsize=2\npadding=8\nstride=2\n[shortcut]\nfrom=1\n",
         19, "[shortcut] adds 2x3 to 9x9, expected the same ratio"},
    };
    CHECK_REFUSALS(bad);
    check_text(NET(2048, 1, 1) "[maxpool]\nsize=16\n"); // a window has no weights to count
    check_text(NET(3, 11, 9) FILTERS MAXPOOL(5, 2) SHORTCUT(0, relu)); // to 5x6
    check_text(NET(3, 11, 9) FILTERS MAXPOOL(5, 2) FILTERS ROUTE(0) SHORTCUT(2, relu));
}

// Sums of channels that no int holds.
static void test_refused_endless_routes(void **state) {
    (void)state;
    char text[8192] = NET(65536, 1, 1) "[maxpool]\n";
    for (int i = 0; i < 12; i++) strcat(text, "[route]\nlayers=-1,-1\n");
    strcat(text, "[route]\nlayers=-1,-1,-1,-1,-1,-1,-1,-1\n");
    const refusal bad = {text, 31, "[route] is larger than Darknet can address"};
    check_refusals(&bad, 1);
}

static void test_copy(void **state) {
    (void)state;
    networks_net net = networks_new(networks_all[7].cfg, 1);
    amc_layer_graph *copy = amc_layer_graph_copy(net.graph);
    assert_string_equal(copy->path, net.graph->path);
    assert_int_equal(copy->n, net.graph->n);
    for (int i = 0; i < copy->n; i++) {
        amc_layer *x = &copy->layers[i], *y = &net.graph->layers[i];
        assert_memory_equal(x->inputs, y->inputs, (size_t)x->n_inputs * sizeof(int));
        assert_ptr_not_equal(x->inputs, y->inputs);
        assert_string_equal(amc_layer_type_name(x->type), amc_layer_type_name(y->type));
    }
    amc_layer_graph_free(copy);
    amc_layer_graph_free(NULL);
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_couplings_as_darknet),
        cmocka_unit_test(test_windows_as_darknet),
        cmocka_unit_test(test_other_sizes_as_darknet),
        cmocka_unit_test(test_short_names_and_defaults),
        cmocka_unit_test(test_image_layers_as_darknet),
        cmocka_unit_test(test_flat_layers_as_darknet),
        cmocka_unit_test(test_finders_as_darknet),
        cmocka_unit_test(test_files_as_darknet),
        cmocka_unit_test(test_refused_net),
        cmocka_unit_test(test_refused_convolutional),
        cmocka_unit_test(test_refused_other_layers),
        cmocka_unit_test(test_refused_without_image),
        cmocka_unit_test(test_refused_local),
        cmocka_unit_test(test_refused_deconvolutional),
        cmocka_unit_test(test_refused_sizes),
        cmocka_unit_test(test_reorg_back_says_nothing_of_sides),
        cmocka_unit_test(test_refused_boundaries),
        cmocka_unit_test(test_refused_finders),
        cmocka_unit_test(test_refused_edges),
        cmocka_unit_test(test_shortcut_ratios),
        cmocka_unit_test(test_refused_endless_routes),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
