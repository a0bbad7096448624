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
    if (has_windows(layer)) {
        assert_int_equal(layer->c, l->c);
        assert_int_equal(layer->h, l->h);
        assert_int_equal(layer->w, l->w);
        assert_int_equal(layer->size, l->size);
        assert_int_equal(layer->stride, l->stride);
        assert_int_equal(layer->pad, l->pad);
    }
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

static void test_short_names_and_defaults(void **state) {
    (void)state;
    check_text(IMAGE FILTERS "[softmax]\n[connected]\noutput=4\n[conv]\n");
    check_text("# c\n[network]\nheight= 9\nwidth =9\nchannels=3\nlearning_rate=.1\n"
               "[conv]\n[max]\n[conv]\nfilters=8 # eight\nsize=3\n[max]\nstride=2\n[conn]\n[conn]\n"
               "output=5\n[dropout]\n[soft]\n[cost]\n");
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
        {IMAGE FILTERS "[route]\nlayers=0,\n", 10, "layers=0, names no earlier layer"},
        {IMAGE FILTERS "[route]\nlayers=0,,0\n", 10, "layers=0,,0 names no earlier layer"},
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
        cmocka_unit_test(test_short_names_and_defaults),
        cmocka_unit_test(test_files_as_darknet),
        cmocka_unit_test(test_refused_net),
        cmocka_unit_test(test_refused_convolutional),
        cmocka_unit_test(test_refused_other_layers),
        cmocka_unit_test(test_refused_edges),
        cmocka_unit_test(test_shortcut_ratios),
        cmocka_unit_test(test_refused_endless_routes),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
