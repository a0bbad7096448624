// Batch normalization re-estimated: the statistics are those of the network that has them, computed
// here in double from its layers' inputs, for every kind of layer before and between; nothing else
// of the weights changes; the same bits whatever the threads and whatever ran before.

#include "host/calibrator.h"
#include "host/hooks.h"
#include "host/host_model.h"
#include "kernels/conv.h"
#include "model/slice.h"

#include "support/networks.h"

#include <malloc.h>
#include <omp.h>

enum { IMAGES = 9 };

typedef struct subject {
    networks_net net;
    amc_dataset *images;
    amc_calibrator *calibrator;
} subject;

// ---- images ----

// Random images in memory, some of another size than the network's.
static amc_dataset *dataset_new(int n, int w, int h) {
    amc_dataset *dataset = amc_memory_alloc(1, sizeof *dataset);
    dataset->n = n;
    dataset->images = amc_memory_alloc((size_t)n, sizeof *dataset->images);
    dataset->list = amc_memory_alloc(1, sizeof *dataset->list);
    dataset->list->path = amc_memory_text("made-up.list");
    for (int i = 0; i < n; i++) {
        amc_image *image = &dataset->images[i];
        image->side = (w < h ? w : h) + i % 3;
        image->pixels = fixture_pixels(image->side, image->side, 3, (uint64_t)i);
    }
    return dataset;
}

static amc_calibrator *calibrator_new(const networks_net *net, const amc_dataset *images) {
    amc_error err = {""};
    amc_calibrator *calibrator =
        amc_calibrator_new(net->path, net->graph, images, AMC_CALIBRATOR_BYTES, &err);
    if (!calibrator) fail_msg("%s", err.text);
    return calibrator;
}

static subject subject_new(const char *text) {
    subject s = {.net = networks_new(text, 1)};
    s.images = dataset_new(IMAGES, s.net.graph->w, s.net.graph->h);
    s.calibrator = calibrator_new(&s.net, s.images);
    return s;
}

static void subject_free(subject s) {
    amc_calibrator_free(s.calibrator);
    amc_dataset_free(s.images);
    networks_free(s.net);
}

// ---- a plan carried out ----

typedef struct pruned {
    amc_layer_graph *graph;
    amc_weights *weights;
} pruned;

static pruned pruned_new(const networks_net *net, uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    amc_prune_plan *plan = networks_random_plan(net->groups, &rng);
    pruned small = {amc_slice_graph(net->graph, net->groups, plan),
                    amc_slice_weights(net->graph, net->groups, plan, net->weights)};
    amc_prune_plan_free(plan);
    return small;
}

static void pruned_free(pruned small) {
    amc_weights_free(small.weights);
    amc_layer_graph_free(small.graph);
}

// The same weights as the calibrator leaves them, new memory.
static amc_weights *calibrated(amc_calibrator *calibrator, const amc_layer_graph *graph,
                               const amc_weights *weights) {
    amc_weights *copy = amc_weights_copy(weights);
    amc_calibrator_run(calibrator, graph, copy, NULL, NULL);
    return copy;
}

// ---- what the statistics should be ----

// Every pixel of the input adds a window of each filter's to the output.
static void compute_deconvolution(const amc_layer *layer, const float *weights, const float *x,
                                  float *y) {
    int size = layer->size, taps = size * size, pixels = layer->h * layer->w;
    int out_pixels = layer->out_h * layer->out_w;
    double *sums = amc_memory_alloc((size_t)layer->out_c * out_pixels, sizeof *sums);
    for (int c = 0; c < layer->c; c++)
        for (int p = 0; p < pixels; p++)
            for (int i = 0; i < layer->out_c * taps; i++) {
                int row = p / layer->w * layer->stride - layer->pad + i % taps / size;
                int col = p % layer->w * layer->stride - layer->pad + i % size;
                if (row < 0 || row >= layer->out_h || col < 0 || col >= layer->out_w) continue;
                sums[i / taps * out_pixels + row * layer->out_w + col] +=
                    (double)weights[c * layer->out_c * taps + i] * x[c * pixels + p];
            }
    for (int i = 0; i < layer->out_c * out_pixels; i++) y[i] = (float)sums[i];
    free(sums);
}

// x (inputs) * weights = y (n, pixels): what a layer normalizes.
static void compute_sums(const amc_layer *layer, const amc_layer_weights *weights, const float *x,
                         float *y) {
    if (layer->type == AMC_BATCHNORM) {
        memcpy(y, x, (size_t)layer->c * layer->h * layer->w * sizeof *y);
        return;
    }
    if (layer->type == AMC_DECONVOLUTIONAL) {
        compute_deconvolution(layer, weights->weights, x, y);
        return;
    }
    if (layer->type == AMC_CONVOLUTIONAL) {
        amc_conv_shape shape =
            amc_conv_shape_make(layer->c, layer->h, layer->w, layer->out_c, layer->size,
                                layer->stride, layer->pad, layer->groups);
        amc_conv_forward_reference(&shape, 1, x, weights->weights, NULL, y);
        return;
    }
    int inputs = layer->c * layer->h * layer->w;
    for (int o = 0; o < layer->out_c; o++) {
        double sum = 0;
        for (int i = 0; i < inputs; i++)
            sum += (double)weights->weights[(size_t)o * inputs + i] * x[i];
        y[o] = (float)sum;
    }
}

static double square(double x) {
    return x * x;
}

// Compares the statistics of channel c with those of its values in y (IMAGES, out_c, pixels).
static void assert_channel(const amc_layer *layer, const amc_layer_weights *weights, int l, int c,
                           const float *y) {
    int pixels = layer->out_h * layer->out_w;
    double mean = 0, variance = 0, count = (double)IMAGES * pixels;
    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < pixels; p++)
            mean += y[((size_t)i * layer->out_c + c) * pixels + p] / count;
    for (int i = 0; i < IMAGES; i++)
        for (int p = 0; p < pixels; p++)
            variance += square(y[((size_t)i * layer->out_c + c) * pixels + p] - mean) / (count - 1);
    double off = fabs(weights->means[c] - mean) / (fabs(mean) + sqrt(variance) + 1e-6);
    if (!(off < 1e-4))
        fail_msg("layer %d, channel %d: mean %g, expected %g", l, c, weights->means[c], mean);
    if (!(fabs(weights->variances[c] - variance) <= 1e-4 * variance))
        fail_msg("layer %d, channel %d: variance %g, expected %g", l, c, weights->variances[c],
                 variance);
}

// Layer l's sums over all images, its inputs as inference with `weights` makes them one by one.
static void assert_layer(const subject *s, const amc_layer_graph *graph, const amc_weights *weights,
                         amc_host_model *model, int l) {
    const amc_layer *layer = &graph->layers[l];
    size_t outputs = (size_t)layer->out_c * layer->out_h * layer->out_w;
    float *image = amc_memory_alloc((size_t)graph->c * graph->h * graph->w, sizeof *image);
    float *y = amc_memory_alloc(IMAGES * outputs, sizeof *y);
    for (int i = 0; i < IMAGES; i++) {
        amc_dataset_input(s->images, i, graph->h, graph->w, image);
        amc_host_model_predict(model, 0, 1, image);
        int from = layer->inputs[0];
        const float *x = from == AMC_NETWORK_INPUT ? image : amc_host_model_output(model, 0, from);
        compute_sums(layer, &weights->layers[l], x, y + (size_t)i * outputs);
    }
    for (int c = 0; c < layer->out_c; c++) assert_channel(layer, &weights->layers[l], l, c, y);
    free(y);
    free(image);
}

static void assert_statistics(const subject *s, const amc_layer_graph *graph,
                              const amc_weights *weights) {
    amc_error err = {""};
    amc_host_model *model = amc_host_model_new(s->net.path, s->net.graph, 1, &err);
    if (!model) fail_msg("%s", err.text);
    amc_host_model_apply(model, graph, weights);
    for (int l = 0; l < graph->n; l++)
        if (weights->layers[l].means) assert_layer(s, graph, weights, model, l);
    amc_host_model_free(model);
}

// ---- comparing weights ----

static bool same_floats(const float *a, const float *b, int64_t n) {
    return !a == !b && (!a || memcmp(a, b, (size_t)n * sizeof *a) == 0);
}

static bool same_statistics(const amc_weights *a, const amc_weights *b) {
    for (int l = 0; l < a->n; l++) {
        const amc_layer_weights *x = &a->layers[l], *y = &b->layers[l];
        if (!same_floats(x->means, y->means, x->n) ||
            !same_floats(x->variances, y->variances, x->n))
            return false;
    }
    return true;
}

static bool same_besides_statistics(const amc_weights *a, const amc_weights *b) {
    for (int l = 0; l < a->n; l++) {
        const amc_layer_weights *x = &a->layers[l], *y = &b->layers[l];
        if (!same_floats(x->biases, y->biases, x->n) || !same_floats(x->scales, y->scales, x->n) ||
            !same_floats(x->weights, y->weights, x->n_weights))
            return false;
    }
    return true;
}

// ---- tests ----

static void check_pruned(const subject *s, const amc_layer_graph *graph,
                         const amc_weights *weights) {
    amc_weights *after = calibrated(s->calibrator, graph, weights);
    assert_true(same_besides_statistics(weights, after));
    assert_false(same_statistics(weights, after));
    assert_statistics(s, graph, after);
    amc_weights_free(after);
}

// Whole and pruned in some ways.
static void check_network(const char *text) {
    subject s = subject_new(text);
    check_pruned(&s, s.net.graph, s.net.weights);
    for (uint64_t seed = 1; seed <= 3; seed++) {
        pruned small = pruned_new(&s.net, seed);
        check_pruned(&s, small.graph, small.weights);
        pruned_free(small);
    }
    subject_free(s);
}

// Images have three channels.
static bool takes_images(const networks_text *text) {
    return strstr(text->cfg, "channels=3\n") != NULL;
}

static void test_statistics(void **state) {
    (void)state;
    int checked = 0;
    amc_hooks_install();
    for (int i = 0; i < NETWORKS; i++) {
        if (!takes_images(&networks_all[i]) || !networks_is_computed(networks_all[i].cfg)) continue;
        check_network(networks_all[i].cfg);
        checked++;
    }
    assert_true(checked >= 12);
}

// The other layers in front of one that is normalized. An image's crop is chosen by chance in
// Darknet's training, so is what dropout drops; here neither is.
static const networks_text others[] = {
    {"crop", NET(3, 16, 14) "[crop]\ncrop_height=11\ncrop_width=9\nflip=1\n" CONV(8, 3, 1, leaky)
                 CROP(7, 8) CONV(6, 3, 1, relu) DROPOUT() CONV(5, 1, 1, linear)},
    {"batchnorm",
     NET(3, 10, 10) BATCHNORM() BARE_CONV(8, 3, 1, leaky) BATCHNORM() ACTIVATE(tanh)
         CONV(6, 3, 2, relu) BATCHNORM() CONNECTED(7, relu) BATCHNORM() CONNECTED(5, linear)},
    {"local", NET(3, 10, 10) CONV(6, 3, 1, leaky) LOCAL(7, 3, 2, leaky) BATCHNORM()
                  CONV(8, 3, 1, relu) BN_CONNECTED(5, linear)},
    {"deconvolutional", NET(3, 6, 7) CONV(9, 3, 1, leaky) BN_DECONV(5, 4, 3, leaky)
                            CONV(8, 3, 1, relu) DECONV(6, 3, 2, relu) CONV(5, 3, 2, linear)},
    {"mixed",
     NET(3, 12, 12) CONV(12, 3, 1, relu) LRN(5) CONV(8, 3, 1, leaky) REORG(2) CONV(12, 3, 1, leaky)
         UPSAMPLE(2) ROUTE(-1, 0) REORG_BACK(2) CONV(9, 3, 2, linear) L2NORM() CONV(8, 1, 1, elu)
             BATCHNORM() LOGISTIC_LOSS() BN_CONNECTED(6, relu) SOFTMAX() BN_CONNECTED(4, linear)},
    {"yolo", NET(3, 16, 16) CONV(10, 3, 1, leaky) MAXPOOL(2, 2) CONV(12, 3, 1, leaky)
                 CONV(18, 1, 1, linear) "[yolo]\nmask=1,3\nnum=4\nclasses=4\n" ROUTE(-3)
                     CONV(8, 1, 1, leaky) UPSAMPLE(2) ROUTE(-1, 0) CONV(9, 3, 1, leaky)
                         CONV(9, 1, 1, linear) "[yolo]\nclasses=4\n" BATCHNORM()},
    {"region", NET(3, 10, 10) CONV(10, 3, 1, leaky) CONV(
                   18, 1, 1, linear) "[region]\nnum=2\nclasses=4\nsoftmax=1\n" CONV(7, 3, 1, leaky)
                   BATCHNORM() CONV(5, 1, 1, linear)},
    {"detection", NET(3, 14, 14) CONV(10, 3, 2, leaky) BN_CONNECTED(98, linear)
                      DROPOUT() "[detection]\ncoords=0\nsoftmax=1\n" BN_CONNECTED(5, linear)},
};
enum { OTHERS = sizeof others / sizeof *others };

static void test_statistics_of_others(void **state) {
    (void)state;
    for (int hooks = 0; hooks < 2; hooks++) {
        amc_hooks_enable(hooks);
        for (int i = 0; i < OTHERS; i++) check_network(others[i].cfg);
    }
}

// Whatever Darknet's generator, which crop asks, would give; and Darknet's losses, which yolo and
// region add up in training only, say nothing.
static void test_no_chance(void **state) {
    (void)state;
    for (int i = 0; i < OTHERS; i++) {
        subject s = subject_new(others[i].cfg);
        srand(1);
        amc_weights *first = calibrated(s.calibrator, s.net.graph, s.net.weights);
        for (unsigned seed = 2; seed < 8; seed++) {
            srand(seed);
            amc_weights *again = calibrated(s.calibrator, s.net.graph, s.net.weights);
            if (!same_statistics(first, again)) fail_msg("%s", others[i].name);
            amc_weights_free(again);
        }
        amc_weights_free(first);
        subject_free(s);
    }
}

#define WITH_CONNECTED(probability)                                                                \
    NET(3, 10, 10)                                                                                 \
    CONV(8, 3, 1, leaky)                                                                           \
    "[dropout]\nprobability=" #probability "\n" CONV(9, 1, 1, elu) MAXPOOL(2, 2)                   \
        BN_CONNECTED(12, relu) "[dropout]\nprobability=" #probability                              \
                               "\n" BN_CONNECTED(7, linear) "[softmax]\n[cost]\ntype=sse\n"

// As with AMC_STOCK=1.
static void test_darknet_kernels(void **state) {
    (void)state;
    amc_hooks_enable(false);
    check_network(WITH_CONNECTED(.5));
    amc_hooks_install();
}

static void test_dropout(void **state) {
    (void)state;
    subject dropping = subject_new(WITH_CONNECTED(.9)), whole = subject_new(WITH_CONNECTED(0));
    amc_weights *a = calibrated(dropping.calibrator, dropping.net.graph, dropping.net.weights);
    amc_weights *b = calibrated(whole.calibrator, whole.net.graph, whole.net.weights);
    assert_true(same_statistics(a, b));
    amc_weights_free(a), amc_weights_free(b);
    subject_free(dropping), subject_free(whole);
}

// Large enough that every kernel shares its work out.
static const char wide_cfg[] =
    NET(3, 40, 40) CONV(24, 3, 1, leaky) MAXPOOL(2, 2) CONV(70, 3, 1, relu) CONV(40, 1, 1, logistic)
        DEPTHWISE(40, 1) CONV(64, 3, 2, relu) BN_CONNECTED(200, leaky) BN_CONNECTED(10, linear);

static void test_threads(void **state) {
    (void)state;
    subject s = subject_new(wide_cfg);
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    amc_weights *one = calibrated(s.calibrator, s.net.graph, s.net.weights);
    for (int n = 2; n <= 4; n++) {
        omp_set_num_threads(n);
        amc_weights *many = calibrated(s.calibrator, s.net.graph, s.net.weights);
        assert_true(same_statistics(one, many));
        amc_weights_free(many);
    }
    omp_set_num_threads(threads);
    amc_weights_free(one);
    subject_free(s);
}

// What ran before leaves no trace: a smaller network, another one, statistics that were there.
static void check_traces(const networks_text *text) {
    subject s = subject_new(text->cfg);
    pruned small = pruned_new(&s.net, 5);
    amc_weights *first = calibrated(s.calibrator, s.net.graph, s.net.weights);
    amc_weights *smaller = calibrated(s.calibrator, small.graph, small.weights);
    amc_weights *again = calibrated(s.calibrator, s.net.graph, first);
    amc_calibrator *fresh = calibrator_new(&s.net, s.images);
    amc_weights *alone = calibrated(fresh, small.graph, small.weights);
    if (!same_statistics(first, again) || !same_statistics(smaller, alone))
        fail_msg("%s", text->name);
    amc_calibrator_free(fresh);
    amc_weights_free(first), amc_weights_free(smaller);
    amc_weights_free(again), amc_weights_free(alone);
    pruned_free(small);
    subject_free(s);
}

static void test_traces(void **state) {
    (void)state;
    for (int i = 0; i < OTHERS; i++) check_traces(&others[i]);
    for (int i = 0; i < NETWORKS; i++)
        if (takes_images(&networks_all[i])) check_traces(&networks_all[i]);
}

// ---- memory ----

static size_t memory_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void test_memory_of_run(void **state) {
    (void)state;
    subject s = subject_new(WITH_CONNECTED(.5));
    size_t before = 0;
    for (int i = 0; i < 1100; i++) {
        if (i == 100) before = memory_in_use(); // the allocator's caches are full
        pruned small = pruned_new(&s.net, (uint64_t)i);
        amc_calibrator_run(s.calibrator, small.graph, small.weights, NULL, NULL);
        pruned_free(small);
    }
    assert_true(memory_in_use() < before + 4096); // four bytes a run
    subject_free(s);
}

static void test_memory_of_calibrators(void **state) {
    (void)state;
    networks_net net = networks_new(WITH_CONNECTED(.5), 1);
    amc_dataset *images = dataset_new(IMAGES, 10, 10);
    size_t before = 0;
    for (int i = 0; i < 60; i++) {
        if (i == 20) before = memory_in_use();
        amc_calibrator *calibrator = calibrator_new(&net, images);
        amc_calibrator_run(calibrator, net.graph, net.weights, NULL, NULL);
        amc_calibrator_free(calibrator);
    }
    assert_true(memory_in_use() < before + 4096); // a hundred bytes a calibrator
    amc_dataset_free(images);
    networks_free(net);
}

static int count_images(const char *text, int images) {
    networks_net net = networks_new(text, 1);
    amc_dataset *dataset = dataset_new(images, net.graph->w, net.graph->h);
    amc_calibrator *calibrator = calibrator_new(&net, dataset);
    int n = amc_calibrator_images(calibrator);
    amc_calibrator_free(calibrator);
    amc_dataset_free(dataset);
    networks_free(net);
    return n;
}

// An image of this network takes 64 MiB of outputs and as much to normalize, and 24 KiB besides.
static const char huge_cfg[] = NET(3, 32, 32) CONV(16384, 1, 1, relu) CONV(2, 1, 1, linear);

static void test_cap(void **state) {
    (void)state;
    assert_int_equal(count_images(WITH_CONNECTED(.5), 500), 500);
    assert_int_equal(count_images(huge_cfg, 6), 6);
    assert_int_equal(count_images(huge_cfg, 7), 7);
    assert_int_equal(count_images(huge_cfg, 8), 7);
    assert_int_equal(count_images(huge_cfg, 20), 7);
}

static amc_prune_plan *narrowest_plan(const networks_net *net) {
    amc_prune_plan *plan = amc_prune_plan_new(net->groups);
    double *score = amc_memory_alloc((size_t)net->groups->n_units, sizeof *score);
    for (int g = 0; g < net->groups->n; g++)
        if (net->groups->groups[g].prunable)
            amc_prune_plan_keep_best(plan, net->groups, g, 1, score);
    free(score);
    return plan;
}

// Of a sorted list the cap takes more than the beginning: here black images, without variance.
static void test_capped_choice(void **state) {
    (void)state;
    networks_net net = networks_new(huge_cfg, 1);
    amc_dataset *dataset = dataset_new(14, 32, 32);
    for (int i = 0; i < 7; i++)
        memset(dataset->images[i].pixels, 0,
               (size_t)dataset->images[i].side * dataset->images[i].side * 3);
    amc_calibrator *calibrator = calibrator_new(&net, dataset);
    assert_int_equal(amc_calibrator_images(calibrator), 7);
    amc_prune_plan *plan = narrowest_plan(&net); // quick to run
    amc_layer_graph *graph = amc_slice_graph(net.graph, net.groups, plan);
    amc_weights *weights = amc_slice_weights(net.graph, net.groups, plan, net.weights);
    amc_calibrator_run(calibrator, graph, weights, NULL, NULL);
    assert_true(weights->layers[0].variances[0] > 0);
    amc_weights_free(weights);
    amc_layer_graph_free(graph);
    amc_prune_plan_free(plan);
    amc_calibrator_free(calibrator);
    amc_dataset_free(dataset);
    networks_free(net);
}

// ---- refusals ----

static void assert_refused(const char *text, int images, const char *message) {
    amc_error err = {""};
    networks_net net = networks_new(text, 1);
    amc_dataset *dataset = dataset_new(images, 8, 8);
    assert_null(amc_calibrator_new(net.path, net.graph, dataset, AMC_CALIBRATOR_BYTES, &err));
    if (!strstr(err.text, message)) fail_msg("%s", err.text);
    amc_dataset_free(dataset);
    networks_free(net);
}

static void test_refused(void **state) {
    (void)state;
    amc_error err = {""};
    assert_refused(NET(1, 8, 8) CONV(4, 3, 1, relu), 4, "net.cfg: channels=1, expected 3");
    assert_refused(NET(3, 1, 8) CONV(4, 1, 1, relu), 4, "net.cfg: height=1, expected at least 2");
    assert_refused(NET(3, 8, 8) CONV(4, 1, 1, relu), 1,
                   "made-up.list: 1 image, expected at least 2");
    assert_refused(NET(3, 8, 8) CONV(4, 1, 1, relu) "[softmax]\ntree=data/9k.tree\n", 4,
                   "net.cfg:13: [softmax] has a tree of classes");
    subject s = subject_new(WITH_CONNECTED(.5));
    assert_null(amc_calibrator_new("/nonexistent/net.cfg", s.net.graph, s.images,
                                   AMC_CALIBRATOR_BYTES, &err));
    assert_non_null(strstr(err.text, "/nonexistent/net.cfg"));
    amc_calibrator_free(NULL);
    subject_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics),    cmocka_unit_test(test_statistics_of_others),
        cmocka_unit_test(test_no_chance),     cmocka_unit_test(test_darknet_kernels),
        cmocka_unit_test(test_dropout),       cmocka_unit_test(test_threads),
        cmocka_unit_test(test_traces),        cmocka_unit_test(test_memory_of_run),
        cmocka_unit_test(test_cap),           cmocka_unit_test(test_memory_of_calibrators),
        cmocka_unit_test(test_capped_choice), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
