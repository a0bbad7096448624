// Plans applied in memory: bit for bit what Darknet computes from the emitted .cfg and .weights,
// for every kind of layer and with our kernels as with Darknet's; and no memory that grows.

#include "host/hooks.h"
#include "host/host_model.h"
#include "model/slice.h"

#include "host/fixture.h"

#include <malloc.h>

// Shapes and couplings of every kind: strides, groups, depthwise, a shortcut between unequal
// channel counts and one with a stride, routes of one and two layers, dropout, connected layers
// with and without batch normalization, activations that our kernels have and don't have.
static const char mixed_cfg[] =
    "[net]\nbatch=128\nsubdivisions=2\nheight=20\nwidth=24\nchannels=3\nadam=1\n"
    "policy=steps\nsteps=1,2\nscales=.1,.1\n"
    "[convolutional]\nbatch_normalize=1\nfilters=12\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nfilters=16\nsize=3\nstride=1\npad=1\nactivation=relu\ntruth=1\n"
    "[convolutional]\nbatch_normalize=1\nfilters=12\nsize=1\nstride=1\nactivation=elu\n"
    "[shortcut]\nfrom=-3\nactivation=linear\n"
    "[shortcut]\nfrom=2\nactivation=leaky\n"
    "[convolutional]\nbatch_normalize=1\nfilters=12\ngroups=12\nsize=3\nstride=1\npad=1\n"
    "activation=logistic\n"
    "[convolutional]\nbatch_normalize=1\nfilters=20\ngroups=2\nsize=3\nstride=1\npad=1\n"
    "activation=tanh\n"
    "[route]\nlayers=-1,4\n"
    "[convolutional]\nbatch_normalize=1\nfilters=14\nsize=5\nstride=2\npad=1\nactivation=relu\n"
    "[shortcut]\nfrom=3\nactivation=relu\n"
    "[route]\nlayers=-1\n"
    "[maxpool]\nsize=2\nstride=1\n"
    "[dropout]\nprobability=.5\n"
    "[connected]\noutput=30\nbatch_normalize=1\nactivation=leaky\n"
    "[dropout]\nprobability=.3\n"
    "[connected]\noutput=7\nactivation=linear\n"
    "[softmax]\n"
    "[cost]\ntype=sse\n";

// Ends, as VGG-like nets do, in an average pool; no cost layer.
static const char pooled_cfg[] =
    "[net]\nheight=16\nwidth=16\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=24\nsize=3\nstride=1\npad=1\nactivation=relu\n"
    "[convolutional]\nbatch_normalize=1\nfilters=32\nsize=3\nstride=2\npad=1\nactivation=relu\n"
    "[convolutional]\nbatch_normalize=1\nfilters=9\nsize=1\nstride=1\nactivation=linear\n"
    "[avgpool]\n"
    "[softmax]\n";

// Every other layer that hands channels on or reads all of them, most of them twice.
static const char others_cfg[] =
    "[net]\nbatch=8\nheight=24\nwidth=20\nchannels=3\n"
    "[crop]\ncrop_height=20\ncrop_width=16\nflip=1\n"
    "[convolutional]\nbatch_normalize=1\nfilters=16\nsize=3\npad=1\nactivation=leaky\n"
    "[activation]\nactivation=tanh\n"
    "[batchnorm]\n"
    "[convolutional]\nfilters=12\nsize=3\npad=1\nactivation=relu\n"
    "[reorg]\nstride=2\n"
    "[convolutional]\nbatch_normalize=1\nfilters=20\nsize=3\npad=1\nactivation=leaky\n"
    "[upsample]\nscale=.5\n"
    "[route]\nlayers=-1,4\n"
    "[crop]\ncrop_height=16\ncrop_width=12\nnoadjust=1\n"
    "[upsample]\nstride=-2\n"
    "[convolutional]\nfilters=16\nsize=1\nactivation=leaky\n"
    "[normalization]\nsize=4\nkappa=2\nalpha=.1\n"
    "[convolutional]\nbatch_normalize=1\nfilters=16\nsize=3\npad=1\nactivation=relu\n"
    "[reorg]\nstride=2\nreverse=1\n"
    "[convolutional]\nfilters=9\nsize=3\npad=1\nactivation=linear\n"
    "[l2norm]\n"
    "[local]\nfilters=6\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
    "[convolutional]\nfilters=8\nsize=1\nactivation=elu\n"
    "[local]\nfilters=5\nsize=2\nactivation=elu\n"
    "[dropout]\nprobability=.5\n"
    "[logistic]\n"
    "[reorg]\nextra=6\n"
    "[connected]\noutput=28\nactivation=relu\n"
    "[activation]\nactivation=leaky\n"
    "[softmax]\ngroups=4\n"
    "[connected]\noutput=7\nactivation=linear\n"
    "[batchnorm]\n"
    "[route]\nlayers=-1\n"
    "[softmax]\n"
    "[cost]\ntype=sse\n";

// As in yolov3-tiny, with a region and routes of two sizes besides.
static const char finders_cfg[] =
    "[net]\nbatch=2\nheight=16\nwidth=16\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=10\nsize=3\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nbatch_normalize=1\nfilters=14\nsize=3\npad=1\nactivation=leaky\n"
    "[convolutional]\nfilters=27\nsize=1\nactivation=linear\n"
    "[yolo]\nmask=3,4,5\nanchors=1,2,3,4,5,6,7,8,9,10,11,12\nclasses=4\nnum=6\n"
    "[route]\nlayers=-3\n"
    "[upsample]\nstride=2\n"
    "[route]\nlayers=-1,0\n"
    "[convolutional]\nfilters=9\nsize=3\npad=1\nactivation=leaky\n"
    "[convolutional]\nfilters=18\nsize=1\nactivation=linear\n"
    "[region]\nclasses=4\nnum=2\nsoftmax=1\nanchors=1,2,3,4\n"
    "[route]\nlayers=8\n"
    "[convolutional]\nfilters=18\nsize=1\nactivation=linear\n"
    "[yolo]\nclasses=4\nnum=2\n"
    "[route]\nlayers=4,10,13,1\n"
    "[connected]\noutput=7\nactivation=linear\n";

// As in yolov1.
static const char detection_cfg[] =
    "[net]\nheight=14\nwidth=14\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=10\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
    "[convolutional]\nbatch_normalize=1\nfilters=12\nsize=3\npad=1\nactivation=leaky\n"
    "[local]\nsize=3\npad=1\nfilters=6\nactivation=leaky\n"
    "[dropout]\nprobability=.5\n"
    "[connected]\noutput=686\nactivation=linear\n"
    "[detection]\nsoftmax=1\nnum=2\ncoords=4\nclasses=4\n";

static const char deconvolutional_cfg[] =
    "[net]\nbatch=3\nheight=7\nwidth=6\nchannels=3\nadam=1\n"
    "[deconvolutional]\nfilters=6\nsize=3\nstride=2\nactivation=leaky\n"
    "[convolutional]\nbatch_normalize=1\nfilters=12\nsize=3\npad=1\nactivation=relu\n"
    "[convolutional]\nfilters=9\nsize=3\npad=1\nactivation=leaky\n"
    "[deconvolutional]\nbatch_normalize=1\nfilters=5\nsize=4\nstride=3\npadding=2\n"
    "activation=elu\n"
    "[convolutional]\nfilters=7\nsize=1\nactivation=linear\n"
    "[avgpool]\n";

typedef struct subject {
    char *path;
    amc_cfg_text *cfg;
    amc_layer_graph *graph;
    amc_channel_groups *groups;
    amc_weights *weights;
    float *input;
} subject;

static subject subject_new(const char *text) {
    amc_error err;
    subject s = {.path = fixture_write("net.cfg", text)};
    s.cfg = amc_cfg_text_load(s.path, &err);
    s.graph = fixture_graph(s.path);
    s.groups = amc_channel_groups_new(s.graph);
    s.weights = fixture_weights(s.graph, 1);
    for (int i = 0; i < s.graph->n; i++) // whose biases no file holds
        if (s.graph->layers[i].type == AMC_BATCHNORM)
            memset(s.weights->layers[i].biases, 0, (size_t)s.weights->layers[i].n * sizeof(float));
    s.input = fixture_input(s.graph->c * s.graph->h * s.graph->w, 2);
    return s;
}

static void subject_free(subject s) {
    free(s.input);
    amc_weights_free(s.weights);
    amc_channel_groups_free(s.groups);
    amc_layer_graph_free(s.graph);
    amc_cfg_text_free(s.cfg);
    free(s.path);
}

// Keeps a random part of each group that may be pruned.
static amc_prune_plan *random_plan(const subject *s, uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    amc_prune_plan *plan = amc_prune_plan_new(s->groups);
    double *score = amc_memory_alloc((size_t)s->groups->n_units, sizeof *score);
    for (int i = 0; i < s->groups->n_units; i++) score[i] = amc_rng_uniform(&rng);
    for (int g = 0; g < s->groups->n; g++) {
        int units = s->groups->groups[g].n_units;
        if (s->groups->groups[g].prunable)
            amc_prune_plan_keep_best(plan, s->groups, g,
                                     1 + (int)amc_rng_below(&rng, (uint32_t)units), score);
    }
    free(score);
    return plan;
}

// Compares the last predict of a replica with a network of Darknet's, layer for layer.
static void assert_same_outputs(const amc_host_model *model, int thread, const network *net) {
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        const float *output = amc_host_model_output(model, thread, i);
        if (l->type == COST) continue;
        if (memcmp(output, l->output, (size_t)l->outputs * sizeof *output) != 0)
            fail_msg("layer %d differs", i);
    }
}

static bool has_deconvolutional(const network *net) {
    for (int i = 0; i < net->n; i++)
        if (net->layers[i].type == DECONVOLUTIONAL) return true;
    return false;
}

static void fill(float *to, const float *from, int64_t n) {
    assert_true(!to == !from || n == 0);
    if (from) memcpy(to, from, (size_t)n * sizeof *to);
}

// What Darknet's load_weights would do, which stops at a deconvolutional layer.
static void fill_by_hand(network *net, const amc_weights *weights) {
    for (int i = 0; i < net->n; i++) {
        const amc_layer_weights *w = &weights->layers[i];
        layer *l = &net->layers[i];
        if (w->n == 0) continue;
        fill(l->biases, w->biases, w->n);
        fill(l->scales, w->scales, w->n);
        fill(l->rolling_mean, w->means, w->n);
        fill(l->rolling_variance, w->variances, w->n);
        fill(l->weights, w->weights, w->n_weights);
    }
}

static network *parse_alone(const char *path) {
    int kept = fixture_redirect("/dev/null");
    network *net = parse_network_cfg((char *)path);
    set_batch_network(net, 1);
    fixture_unredirect(kept);
    return net;
}

// What Darknet makes of the graph and weights, written to files and read back by it.
static network *through_files(const amc_cfg_text *cfg, const amc_layer_graph *graph,
                              const amc_weights *weights) {
    amc_error err;
    char *cfg_path = fixture_path("emitted.cfg"), *weights_path = fixture_path("emitted.weights");
    assert_int_equal(amc_cfg_text_save(cfg, cfg_path, &err), 0);
    assert_int_equal(amc_weights_save(weights, graph, weights_path, &err), 0);
    network *net = parse_alone(cfg_path);
    if (has_deconvolutional(net)) {
        fill_by_hand(net, weights);
    } else {
        fixture_darknet_free(net);
        net = fixture_darknet(cfg_path, weights_path);
    }
    for (int i = 0; i < net->n; i++) net->layers[i].truth = 0; // Darknet would compute losses
    free(cfg_path), free(weights_path);
    return net;
}

static void assert_predicts(amc_host_model *model, network *net, float *input) {
    network_predict(net, input);
    for (int t = 0; t < amc_host_model_threads(model); t++) {
        const float *output = amc_host_model_predict(model, t, 1, input);
        assert_memory_equal(output, net->output, (size_t)net->outputs * sizeof *output);
        assert_same_outputs(model, t, net);
    }
}

static void check_plan(amc_host_model *model, const subject *s, uint64_t seed) {
    amc_prune_plan *plan = random_plan(s, seed);
    amc_layer_graph *small = amc_slice_graph(s->graph, s->groups, plan);
    amc_weights *weights = amc_slice_weights(s->graph, s->groups, plan, s->weights);
    amc_cfg_text *cfg = amc_slice_cfg(s->cfg, s->graph, small);
    network *net = through_files(cfg, small, weights);
    amc_host_model_apply(model, small, weights);
    assert_predicts(model, net, s->input);
    fixture_darknet_free(net);
    amc_cfg_text_free(cfg);
    amc_weights_free(weights);
    amc_layer_graph_free(small);
    amc_prune_plan_free(plan);
}

// Smaller, smaller in another way, and whole again.
static void check_network_with(const char *text, bool hooks, int threads, uint64_t plans) {
    amc_error err = {""};
    amc_hooks_enable(hooks);
    subject s = subject_new(text);
    amc_host_model *model = amc_host_model_new(s.path, s.graph, threads, &err);
    if (!model) fail_msg("%s", err.text);
    network *whole = through_files(s.cfg, s.graph, s.weights);
    amc_host_model_apply(model, s.graph, s.weights);
    assert_predicts(model, whole, s.input);
    for (uint64_t seed = 1; seed <= plans; seed++) check_plan(model, &s, seed);
    amc_host_model_apply(model, s.graph, s.weights);
    assert_predicts(model, whole, s.input);
    fixture_darknet_free(whole);
    amc_host_model_free(model);
    subject_free(s);
}

static void check_network(const char *text, uint64_t plans) {
    for (int threads = 1; threads <= 2; threads++) {
        check_network_with(text, false, threads, plans);
        check_network_with(text, true, threads, plans);
    }
}

#ifdef AMC_SAN
enum { PLANS = 3 };
#else
enum { PLANS = 10 };
#endif

static void test_as_darknet(void **state) {
    (void)state;
    check_network(mixed_cfg, PLANS);
    check_network(pooled_cfg, PLANS);
}

static void test_other_layers_as_darknet(void **state) {
    (void)state;
    check_network(others_cfg, PLANS);
    check_network(finders_cfg, PLANS);
    check_network(detection_cfg, PLANS);
    check_network(deconvolutional_cfg, PLANS);
}

// One layer alone: nothing else lends it memory. Stock Darknet stops at the first for want of an
// array, and writes past its workspace in the second.
static void test_lone_layers_as_darknet(void **state) {
    (void)state;
#define SMALL "[net]\nheight=6\nwidth=5\nchannels=8\n"
    static const char *layers[] = {
        SMALL "[batchnorm]\n",
        SMALL "[local]\nfilters=4\nsize=3\nactivation=leaky\n",
        SMALL "[local]\nfilters=40\nsize=5\npad=2\nactivation=relu\n",
        SMALL "[deconvolutional]\nfilters=3\nsize=3\nstride=2\nactivation=linear\n",
        SMALL "[deconvolutional]\nbatch_normalize=1\nfilters=9\nsize=2\nactivation=linear\n",
        SMALL "[normalization]\nsize=17\n",
        SMALL "[normalization]\nsize=1\n",
        SMALL "[l2norm]\n",
        SMALL "[upsample]\nstride=3\n",
        SMALL "[upsample]\nstride=-1\n",
        SMALL "[crop]\n",
        SMALL "[crop]\ncrop_height=3\ncrop_width=5\n",
        SMALL "[reorg]\nstride=2\nreverse=1\n",
        SMALL "[reorg]\nstride=1\n",
        SMALL "[reorg]\nstride=2\nreverse=1\nflatten=1\n",
        SMALL "[reorg]\nextra=9\n",
        SMALL "[activation]\nactivation=elu\n",
        SMALL "[logistic]\n",
        SMALL "[softmax]\ngroups=8\n",
        SMALL "[yolo]\nclasses=3\n",
        SMALL "[region]\nclasses=3\n",
        SMALL "[region]\nclasses=3\nsoftmax=1\nbackground=1\n",
        SMALL "[detection]\nside=4\nclasses=13\n",
        SMALL "[connected]\noutput=3\nbatch_normalize=1\nactivation=linear\n",
    };
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) check_network(layers[i], 1);
}

static void test_facts(void **state) {
    (void)state;
    amc_error err = {""};
    int c, h, w;
    subject s = subject_new(mixed_cfg);
    amc_host_model *model = amc_host_model_new(s.path, s.graph, 3, &err);
    assert_non_null(model);
    amc_host_model_input(model, &c, &h, &w);
    assert_int_equal(c, 3);
    assert_int_equal(h, 20);
    assert_int_equal(w, 24);
    assert_int_equal(amc_host_model_threads(model), 3);
    assert_int_equal(amc_host_model_classes(model), 7);
    amc_host_model_free(model);
    amc_host_model_free(NULL);
    subject_free(s);
}

// What `n` images from the first on give, differs from what each gives alone in so many images.
static int count_differing(amc_host_model *model, int first, int n, const float *expected) {
    int c, h, w, classes = amc_host_model_classes(model), differing = 0;
    amc_host_model_input(model, &c, &h, &w);
    size_t inputs = (size_t)c * h * w;
    float *together = amc_memory_alloc(n * inputs, sizeof *together);
    for (int i = 0; i < n; i++) {
        float *input = fixture_input((int)inputs, (uint64_t)(first + i));
        memcpy(together + i * inputs, input, inputs * sizeof *input);
        free(input);
    }
    const float *output = amc_host_model_predict(model, 1, n, together);
    for (int i = 0; i < n; i++, output += classes)
        differing +=
            memcmp(output, expected + (first + i) * classes, classes * sizeof *output) != 0;
    free(together);
    return differing;
}

// Replicas that run at once, and images that run together, give the bits that one gives alone.
static void check_replicas_at_once(const char *text) {
    enum { RUNS = 64, CLASSES = 7 };
    amc_error err = {""};
    amc_hooks_install();
    subject s = subject_new(text);
    amc_host_model *model = amc_host_model_new(s.path, s.graph, 4, &err);
    amc_host_model_apply(model, s.graph, s.weights);
    int inputs = s.graph->c * s.graph->h * s.graph->w, differing = 0;
    float expected[RUNS][CLASSES];
    for (int i = 0; i < RUNS; i++) {
        float *input = fixture_input(inputs, (uint64_t)i);
        memcpy(expected[i], amc_host_model_predict(model, 0, 1, input), sizeof expected[i]);
        free(input);
    }
#pragma omp parallel for num_threads(4) schedule(static, RUNS / 4) reduction(+ : differing)
    for (int i = 0; i < RUNS; i++) {
        float *input = fixture_input(inputs, (uint64_t)i);
        const float *output = amc_host_model_predict(model, i / (RUNS / 4), 1, input);
        differing += memcmp(output, expected[i], sizeof expected[i]) != 0;
        free(input);
    }
    assert_int_equal(differing, 0);
    assert_true(memcmp(expected[0], expected[1], sizeof expected[0]) != 0);
    assert_int_equal(amc_host_model_batch(model), 16);
    for (int n = 1; n <= 16; n += 5) assert_int_equal(count_differing(model, n, n, expected[0]), 0);
    assert_int_equal(count_differing(model, 1, 3, expected[0] + CLASSES), 3); // it can tell
    amc_host_model_free(model);
    subject_free(s);
}

static void test_replicas_at_once(void **state) {
    (void)state;
    check_replicas_at_once(mixed_cfg);
    check_replicas_at_once(others_cfg);
    check_replicas_at_once(finders_cfg);
    check_replicas_at_once(deconvolutional_cfg);
}

// Bytes in use, some of them by the allocator's caches, which fill up in the first rounds.
static size_t memory_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

// One episode of a search: a plan, its slice, one prediction.
static void episode(amc_host_model *model, const subject *s, uint64_t seed) {
    amc_prune_plan *plan = random_plan(s, seed);
    amc_layer_graph *small = amc_slice_graph(s->graph, s->groups, plan);
    amc_weights *weights = amc_slice_weights(s->graph, s->groups, plan, s->weights);
    amc_host_model_apply(model, small, weights);
    amc_host_model_predict(model, 0, 1, s->input);
    amc_weights_free(weights);
    amc_layer_graph_free(small);
    amc_prune_plan_free(plan);
}

static void check_memory_of_apply(const char *text) {
    amc_error err = {""};
    amc_hooks_install();
    subject s = subject_new(text);
    amc_host_model *model = amc_host_model_new(s.path, s.graph, 2, &err);
    size_t before = 0;
    for (int round = 0; round < 2; round++) {
        before = memory_in_use();
        for (uint64_t i = 0; i < 1000; i++) episode(model, &s, i);
    }
    assert_true(memory_in_use() < before + 4096); // four bytes an episode
    amc_host_model_free(model);
    subject_free(s);
}

static void test_memory_of_apply(void **state) {
    (void)state;
    check_memory_of_apply(mixed_cfg);
    check_memory_of_apply(others_cfg);
}

// Nothing is left of a model that was freed, and the batch of the .cfg costs nothing.
static void check_memory_of_models(const char *text) {
    amc_error err = {""};
    char *large = amc_memory_text("[net]\nbatch=60000\n%s", text + strlen("[net]\n"));
    subject s = subject_new(large);
    size_t before = 0, most = 0;
    for (int round = 0; round < 60; round++) {
        if (round == 20) before = memory_in_use();
        amc_host_model *model = amc_host_model_new(s.path, s.graph, 2, &err);
        assert_non_null(model);
        most = memory_in_use();
        amc_host_model_apply(model, s.graph, s.weights);
        amc_host_model_predict(model, 1, 1, s.input);
        amc_host_model_free(model);
    }
    assert_true(memory_in_use() < before + 4096); // a hundred bytes a model
    assert_true(most < before + (16 << 20));
    free(large);
    subject_free(s);
}

static void test_memory_of_models(void **state) {
    (void)state;
    check_memory_of_models(mixed_cfg);
    check_memory_of_models(others_cfg);
    check_memory_of_models(finders_cfg);
    check_memory_of_models(deconvolutional_cfg);
}

static void test_silence(void **state) {
    (void)state;
    amc_error err = {""};
    subject s = subject_new(mixed_cfg);
    char *log = fixture_path("log");
    int kept = fixture_redirect(log);
    amc_host_model *model = amc_host_model_new(s.path, s.graph, 1, &err);
    fprintf(stderr, "after");
    fixture_unredirect(kept);
    size_t length;
    char *text = amc_files_read(log, &length, &err);
    assert_string_equal(text, "after");
    free(text), free(log);
    amc_host_model_free(model);
    subject_free(s);
}

static void test_refused(void **state) {
    (void)state;
    amc_error err = {""};
    subject s = subject_new(mixed_cfg);
    assert_null(amc_host_model_new("/nonexistent/net.cfg", s.graph, 1, &err));
    assert_non_null(strstr(err.text, "/nonexistent/net.cfg"));
    char *other = fixture_write("other.cfg", pooled_cfg);
    assert_null(amc_host_model_new(other, s.graph, 1, &err));
    assert_non_null(strstr(err.text, "Darknet finds 5 layers, expected 19"));
    amc_layer_graph *wider = fixture_graph(other);
    wider->layers[1].out_c++;
    assert_null(amc_host_model_new(other, wider, 1, &err));
    assert_non_null(strstr(err.text, "other.cfg:12: Darknet gives the layer 2048 outputs"));
    amc_layer_graph_free(wider);
    free(other);
    subject_free(s);
}

// Darknet would read the files that they name, and believe them. The graph is fine.
static void test_refused_trees(void **state) {
    (void)state;
    static const struct {
        const char *cfg, *where, *section, *what;
    } cases[] = {
        {SMALL "[softmax]\ngroups=1\ntree=data/9k.tree\n", "net.cfg:7: ", "softmax", "tree"},
        {SMALL "[soft]\ntree=/nonexistent\n", "net.cfg:6: ", "soft", "tree"},
        {SMALL "[region]\nclasses=3\ntree=a\nmap=b\n", "net.cfg:7: ", "region", "tree"},
        {SMALL "[region]\nclasses=3\nmap=b\n", "net.cfg:7: ", "region", "map"},
        {SMALL "[activation]\n\n[yolo]\n map = b\nclasses=3\n", "net.cfg:8: ", "yolo", "map"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        amc_error err = {""};
        subject s = subject_new(cases[i].cfg);
        assert_null(amc_host_model_new(s.path, s.graph, 1, &err));
        char *expected = amc_memory_text("%s[%s] has a %s of classes, with which networks can be "
                                         "pruned but not run here",
                                         cases[i].where, cases[i].section, cases[i].what);
        const char *said = strstr(err.text, "net.cfg:");
        assert_non_null(said);
        assert_string_equal(said, expected);
        free(expected);
        subject_free(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_darknet),
        cmocka_unit_test(test_other_layers_as_darknet),
        cmocka_unit_test(test_lone_layers_as_darknet),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_replicas_at_once),
        cmocka_unit_test(test_memory_of_apply),
        cmocka_unit_test(test_memory_of_models),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_refused_trees),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
