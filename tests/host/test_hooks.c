// Our kernels inside Darknet: they train and infer like stock Darknet where that is right, and mend
// what it does wrongly with 1x1 convolutions, [batchnorm], [local] and [deconvolutional].

#include "host/training.h"
#include "kernels/conv.h"

#include <convolutional_layer.h>
#include <math.h>
#include <network.h>
#ifdef _OPENMP
#include <omp.h>
#endif

enum { BATCH = 4, CLASSES = 5 };

// clang-format off
#define NET "[net]\nbatch=4\nheight=12\nwidth=12\nchannels=3\nlearning_rate=0.1\ndecay=0.001\n"
#define CONV(filters, size, stride, more)                                                          \
    "[convolutional]\nfilters=" #filters "\nsize=" #size "\nstride=" #stride "\npad=1\n" more "\n"
#define BN "batch_normalize=1\n"
#define ACT(name) "activation=" #name "\n"
#define SHORTCUT(from) "[shortcut]\nfrom=" #from "\n" ACT(linear)
#define HEAD CONV(5, 1, 1, ACT(linear)) "[avgpool]\n[softmax]\n"

// Only what stock Darknet computes correctly: no 1x1 convolution at all.
static const char *const sound = NET
    CONV(8, 3, 1, BN ACT(leaky))
    CONV(12, 3, 2, BN ACT(relu))
    CONV(12, 3, 1, BN "groups=3\n" ACT(linear))
    CONV(12, 5, 1, "groups=12\n" ACT(logistic))
    SHORTCUT(-2)
    "[maxpool]\nsize=2\nstride=2\n"
    "[connected]\noutput=20\n" BN ACT(leaky)
    "[connected]\noutput=5\n" ACT(linear)
    "[softmax]\n";

// Couplings whose gradient stock Darknet gets wrong.
#define MENDED(act) NET                                                                            \
    CONV(6, 3, 1, BN ACT(act))                                                                     \
    CONV(8, 1, 2, BN ACT(act))                                                                     \
    CONV(8, 1, 1, BN ACT(act))                                                                     \
    CONV(8, 3, 1, BN ACT(act))                                                                     \
    SHORTCUT(-3)                                                                                   \
    CONV(8, 1, 1, ACT(act))                                                                        \
    SHORTCUT(-2)                                                                                   \
    CONV(8, 3, 1, BN "groups=8\n" ACT(act))                                                        \
    HEAD

// What stock Darknet doesn't survive, in the middle.
static const char *const batchnorms = NET
    CONV(6, 3, 2, ACT(tanh))
    "[batchnorm]\n"
    CONV(8, 3, 1, BN ACT(tanh)) // a bias right before a [batchnorm] has no gradient
    "[batchnorm]\n"
    HEAD;
static const char *const locals = NET
    CONV(4, 3, 2, BN ACT(tanh))
    "[local]\nfilters=5\nsize=3\nstride=2\npad=1\n" ACT(tanh)
    "[local]\nfilters=4\nsize=2\n" ACT(linear)
    HEAD;
// clang-format on

// The largest difference relative to b's largest magnitude.
static double difference(const float *a, const float *b, int n) {
    double worst = 0, size = 1e-12;
    for (int i = 0; i < n; i++) {
        worst = fmax(worst, isnan(a[i]) ? INFINITY : fabs((double)a[i] - b[i]));
        size = fmax(size, fabs(b[i]));
    }
    return worst / size;
}

static void assert_same(const char *what, int i, const float *a, const float *b, int n) {
    assert_true(!a == !b);
    if (!a) return;
    double d = difference(a, b, n);
    if (!(d < 1e-4)) fail_msg("layer %d, %s: off by %g", i, what, d);
}

static void trains_like_stock(void **state) {
    (void)state;
    network *ours = training_network(sound, true, 1), *stock = training_network(sound, false, 1);
    for (int step = 0; step < 3; step++) {
        float loss = train_network_datum(ours);
        assert_float_equal(loss, train_network_datum(stock), 1e-4 * loss);
        for (int i = 0; i < ours->n; i++) {
            const layer *a = &ours->layers[i], *b = &stock->layers[i];
            int c = a->out_c;
            assert_same("output", i, a->output, b->output, a->outputs * BATCH);
            assert_same("delta", i, a->delta, b->delta, a->outputs * BATCH);
            assert_same("weights", i, a->weights, b->weights, training_weights_of(a));
            assert_same("momentum", i, a->weight_updates, b->weight_updates,
                        training_weights_of(a));
            assert_same("biases", i, a->biases, b->biases, c);
            assert_same("scales", i, a->scales, b->scales, c);
            assert_same("means", i, a->rolling_mean, b->rolling_mean, c);
            assert_same("variances", i, a->rolling_variance, b->rolling_variance, c);
        }
    }
    fixture_darknet_free(ours);
    fixture_darknet_free(stock);
}

static void infers_like_stock(void **state) {
    (void)state;
    network *ours = training_network(sound, true, 2), *stock = training_network(sound, false, 2);
    forward_network(ours);
    forward_network(stock);
    for (int i = 0; i < ours->n; i++)
        assert_same("output", i, ours->layers[i].output, stock->layers[i].output,
                    ours->layers[i].outputs * BATCH);
    fixture_darknet_free(ours);
    fixture_darknet_free(stock);
}

// The loss of a batch, summed in double.
static double loss_of(network *net) {
    net->train = 1;
    forward_network(net);
    double loss = 0;
    for (int b = 0; b < BATCH; b++) loss -= log(net->output[b * CLASSES + b % CLASSES]);
    return loss;
}

// How far the n gradients, which are Darknet's updates with the sign turned, are from differences
// of the loss: the length of the difference, relative to that of the gradient.
static double gradient_error(network *net, double step, float *values, const float *updates,
                             int n) {
    double error = 0, size = 1e-12;
    for (int i = 0; i < n; i++) {
        float kept = values[i];
        values[i] = (float)(kept + step);
        double up = loss_of(net), width = values[i];
        values[i] = (float)(kept - step);
        double slope = (up - loss_of(net)) / (width - values[i]);
        values[i] = kept;
        error += (slope + updates[i]) * (slope + updates[i]);
        size += slope * slope;
    }
    return sqrt(error / size);
}

// How many biases a layer of those with gradients has.
static int biases_of(const layer *l) {
    if (l->type == LOCAL) return l->outputs;
    return l->type == CONVOLUTIONAL || l->type == BATCHNORM ? l->out_c : 0;
}

// All gradients of the first pass; the largest error of any layer's weights, biases and scales.
static double worst_gradient(network *net, double step) {
    double worst = 0;
    loss_of(net);
    backward_network(net);
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        int n = biases_of(l);
        if (n == 0) continue;
        double w = gradient_error(net, step, l->weights, l->weight_updates, training_weights_of(l));
        double b = gradient_error(net, step, l->biases, l->bias_updates, n);
        double s = l->scales ? gradient_error(net, step, l->scales, l->scale_updates, n) : 0;
        worst = fmax(worst, fmax(w, fmax(b, s)));
    }
    return worst;
}

static void check_gradients(const char *text, double step, double tolerance) {
    network *net = training_network(text, true, 3);
    double worst = worst_gradient(net, step);
    if (!(worst < tolerance)) fail_msg("a gradient is off by %g of its length", worst);
    fixture_darknet_free(net);
}

static void gradients_equal_differences(void **state) {
    (void)state;
    check_gradients(MENDED(tanh), 1e-2, 1e-2);
}

// Units that cross zero within the step cost the differences their accuracy here.
static void leaky_gradients_equal_differences(void **state) {
    (void)state;
    check_gradients(MENDED(leaky), 1e-3, 5e-2);
}

// The two faults, one at a time, as they are in stock Darknet and no longer in ours.
static void pointwise_stride_is_heeded(void **state) {
    (void)state;
    static const char *const text = NET CONV(6, 1, 2, ACT(linear)) HEAD;
    network *ours = training_network(text, true, 4), *stock = training_network(text, false, 4);
    const layer *l = &ours->layers[0];
    amc_conv_shape shape = amc_conv_shape_make(3, 12, 12, 6, 1, 2, 0, 1);
    amc_finish finish = {NULL, NULL, l->biases, AMC_LINEAR};
    float *expected = amc_memory_alloc((size_t)BATCH * l->outputs, sizeof *expected);
    amc_conv_forward_reference(&shape, BATCH, ours->input, l->weights, &finish, expected);
    forward_network(ours);
    forward_network(stock);
    assert_true(difference(l->output, expected, BATCH * l->outputs) < 1e-5);
    assert_true(difference(stock->layers[0].output, expected, BATCH * l->outputs) > 0.1);
    free(expected);
    fixture_darknet_free(ours);
    fixture_darknet_free(stock);
}

// Padding around a 1x1 kernel gives a rim of bare biases. Darknet's workspace would be too small.
static void pointwise_padding_is_heeded(void **state) {
    (void)state;
    static const char *const text =
        NET "[convolutional]\nfilters=2\nsize=1\npadding=1\nactivation=linear\n" HEAD;
    network *net = training_network(text, true, 5);
    const layer *l = &net->layers[0];
    forward_network(net);
    assert_int_equal(l->out_w, 14);
    for (int i = 0; i < 14; i++) assert_float_equal(l->output[i], l->biases[0], 1e-6);
    assert_true(fabs(l->output[15] - l->biases[0]) > 1e-3);
    fixture_darknet_free(net);
}

static void pointwise_backward_adds_to_delta(void **state) {
    (void)state;
    static const char *const text =
        NET CONV(6, 3, 1, ACT(tanh)) CONV(6, 1, 1, ACT(tanh)) SHORTCUT(-2) HEAD;
    network *ours = training_network(text, true, 6), *stock = training_network(text, false, 6);
    assert_true(worst_gradient(ours, 1e-2) < 1e-2);
    assert_true(worst_gradient(stock, 1e-2) > 0.1);
    fixture_darknet_free(ours);
    fixture_darknet_free(stock);
}

// ---- [batchnorm] and [local] ----

// A network that has computed its batch, which stays in its input.
static network *run_alone(const char *text, bool hooks, bool train) {
    network *net = training_network(text, hooks, 10);
    net->train = train;
    net->truth[0] = 1;
    forward_network(net);
    return net;
}

// Channel c of layer l's input, normalized in double.
static void check_normalized(const layer *l, const float *input, int c, const float *mean,
                             const float *variance) {
    int pixels = l->out_h * l->out_w;
    for (int b = 0; b < l->batch; b++)
        for (int p = 0; p < pixels; p++) {
            int i = (b * l->out_c + c) * pixels + p;
            double x = (input[i] - mean[c]) / (sqrt(variance[c]) + 1e-6);
            assert_float_equal(l->output[i], x * l->scales[c] + l->biases[c], 1e-4);
        }
}

// Of channel c's values less `from`, to a power; of squares as Darknet's variance, over n - 1.
static double mean_of(const layer *l, const float *input, int c, double power, double from) {
    int pixels = l->out_h * l->out_w;
    double sum = 0;
    for (int b = 0; b < l->batch; b++)
        for (int p = 0; p < pixels; p++)
            sum += pow(input[(b * l->out_c + c) * pixels + p] - from, power);
    return sum / (l->batch * pixels - (power > 1));
}

// Alone and as the first layer, where stock Darknet writes through a pointer that it never set.
static void batchnorm_computes(void **state) {
    (void)state;
    for (int hooks = 0; hooks < 2; hooks++)
        for (int train = 0; train < 2; train++) {
            network *net = run_alone(NET "[batchnorm]\n", hooks, train);
            const layer *l = &net->layers[0];
            for (int c = 0; c < 3; c++) {
                check_normalized(l, net->input, c, train ? l->mean : l->rolling_mean,
                                 train ? l->variance : l->rolling_variance);
                if (!train) continue;
                assert_float_equal(l->mean[c], mean_of(l, net->input, c, 1, 0), 1e-5);
                assert_float_equal(l->variance[c], mean_of(l, net->input, c, 2, l->mean[c]), 1e-5);
            }
            fixture_darknet_free(net);
        }
}

static void batchnorm_trains(void **state) {
    (void)state;
    // Scales in front of one nearly cancel, and Darknet differentiates a variance over n values
    // where it divided by n - 1.
    check_gradients(batchnorms, 1e-2, 5e-2);
    network *net = training_network(batchnorms, true, 3);
    float first = train_network_datum(net), last = first;
    for (int step = 0; step < 30; step++) last = train_network_datum(net);
    assert_true(last < 0.9F * first);
    fixture_darknet_free(net);
}

// One filter at one position, in double.
static double local_sum(const layer *l, const float *input, int filter, int position) {
    int locations = l->out_h * l->out_w, taps = l->c * l->size * l->size;
    const float *weights = l->weights + ((size_t)position * l->n + filter) * taps;
    double sum = l->biases[filter * locations + position];
    for (int tap = 0; tap < taps; tap++) {
        int c = tap / (l->size * l->size);
        int y = position / l->out_w * l->stride - l->pad + tap / l->size % l->size;
        int x = position % l->out_w * l->stride - l->pad + tap % l->size;
        if (y >= 0 && y < l->h && x >= 0 && x < l->w)
            sum += (double)weights[tap] * input[(c * l->h + y) * l->w + x];
    }
    return sum;
}

// Its workspace has room for the patches of one image.
static void check_local(const char *text, bool hooks) {
    network *net = run_alone(text, hooks, false);
    const layer *l = &net->layers[0];
    int locations = l->out_h * l->out_w;
    assert_int_equal(l->workspace_size,
                     (size_t)locations * l->c * l->size * l->size * sizeof(float));
    for (int b = 0; b < BATCH; b++)
        for (int i = 0; i < l->outputs; i++)
            assert_float_equal(
                l->output[b * l->outputs + i],
                local_sum(l, net->input + b * l->inputs, i / locations, i % locations), 1e-4);
    fixture_darknet_free(net);
}

static void local_computes(void **state) {
    (void)state;
    for (int hooks = 0; hooks < 2; hooks++) {
        check_local(NET "[local]\nfilters=7\nsize=3\n" ACT(linear), hooks);
        check_local(NET "[local]\nfilters=5\nsize=5\nstride=2\npad=2\n" ACT(linear), hooks);
        check_local(NET "[local]\nfilters=2\nsize=4\nstride=3\n" ACT(linear), hooks);
        check_local(NET "[local]\nfilters=3\n" ACT(linear), hooks);
    }
}

static void local_trains(void **state) {
    (void)state;
    check_gradients(locals, 1e-2, 1e-2);
    network *net = training_network(locals, true, 3);
    float first = train_network_datum(net), last = first;
    for (int step = 0; step < 30; step++) last = train_network_datum(net);
    assert_true(last < 0.9F * first);
    fixture_darknet_free(net);
}

// ---- shortcuts ----

// With weights of their own for both inputs, one of which may be the layer right before.
#define WEIGHTED(from, act) "[shortcut]\nalpha=0.5\nbeta=2\nfrom=" #from "\n" ACT(act)
// clang-format off
static const char *const shortcuts = NET
    CONV(6, 3, 1, BN ACT(leaky))
    CONV(6, 3, 1, BN ACT(relu))
    WEIGHTED(-2, relu)
    CONV(6, 3, 1, ACT(linear))
    WEIGHTED(-1, leaky)
    CONV(9, 3, 1, ACT(linear))
    WEIGHTED(-3, relu) // from fewer channels
    CONV(9, 3, 2, ACT(linear))
    WEIGHTED(-3, tanh) // and from a larger image
    HEAD;
// clang-format on

static void shortcuts_train_like_stock(void **state) {
    (void)state;
    network *ours = training_network(shortcuts, true, 9),
            *stock = training_network(shortcuts, false, 9);
    for (int step = 0; step < 3; step++) {
        float loss = train_network_datum(ours);
        assert_float_equal(loss, train_network_datum(stock), 1e-4 * loss);
        for (int i = 0; i < ours->n; i++) {
            const layer *a = &ours->layers[i], *b = &stock->layers[i];
            assert_same("output", i, a->output, b->output, a->outputs * BATCH);
            assert_same("weights", i, a->weights, b->weights,
                        a->weights ? training_weights_of(a) : 0);
        }
    }
    fixture_darknet_free(ours);
    fixture_darknet_free(stock);
}

// ---- images for training ----

enum { PICTURES = 6, DRAWN = 20, SIDE = 24 };

// One batch as `classifier train` draws it, on one thread: then random numbers come in order.
static data load_batch(char **paths, bool hooks, unsigned seed) {
    char *labels[] = {"red", "blue"};
    data batch;
    load_args args = {.threads = 1, .paths = paths, .labels = labels, .n = DRAWN, .m = PICTURES};
    args.w = args.h = args.size = SIDE;
    args.min = SIDE, args.max = 2 * SIDE;
    args.classes = 2;
    args.angle = 10, args.aspect = 1.3F, args.hue = 0.1F, args.saturation = args.exposure = 1.5F;
    args.type = CLASSIFICATION_DATA;
    args.d = &batch;
    amc_hooks_enable(hooks);
    srand(seed);
    pthread_join(load_data(args), NULL);
    return batch;
}

static void batches_load_like_stock(void **state) {
    (void)state;
    char *paths[PICTURES];
    for (int i = 0; i < PICTURES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d_%s.png", i, i % 2 ? "red" : "blue");
        paths[i] = fixture_image(name, 20 + 5 * i, 40 - 3 * i, 3, i);
    }
    for (unsigned seed = 1; seed < 4; seed++) {
        data ours = load_batch(paths, true, seed), stock = load_batch(paths, false, seed);
        for (int i = 0; i < DRAWN; i++) {
            assert_memory_equal(ours.y.vals[i], stock.y.vals[i], 2 * sizeof(float));
            for (int j = 0; j < ours.X.cols; j++)
                assert_float_equal(ours.X.vals[i][j], stock.X.vals[i][j], 1e-5);
        }
        free_data(ours);
        free_data(stock);
    }
    for (int i = 0; i < PICTURES; i++) free(paths[i]);
}

// ---- threads and batches ----

static void set_threads(int n) {
#ifdef _OPENMP
    omp_set_num_threads(n);
#else
    (void)n;
#endif
}

// Every bit of an image's result is the same in a batch of 4 and alone, with 3 threads and with 1.
static void inference_is_independent_of_batch(void **state) {
    (void)state;
    const char *const texts[] = {sound, MENDED(leaky)};
    for (int t = 0; t < 2; t++) {
        network *net = training_network(texts[t], true, 7),
                *alone = training_network(texts[t], true, 7);
        set_threads(3);
        forward_network(net);
        set_threads(1);
        set_batch_network(alone, 1);
        for (int b = 0; b < BATCH; b++) {
            float *result = network_predict(alone, net->input + b * net->inputs);
            assert_memory_equal(result, net->output + b * CLASSES, CLASSES * sizeof(float));
        }
        fixture_darknet_free(net);
        fixture_darknet_free(alone);
    }
}

static void training_is_independent_of_threads(void **state) {
    (void)state;
    network *many = training_network(MENDED(leaky), true, 8),
            *one = training_network(MENDED(leaky), true, 8);
    for (int step = 0; step < 3; step++) {
        set_threads(3);
        train_network_datum(many);
        set_threads(1);
        train_network_datum(one);
    }
    for (int i = 0; i < many->n; i++) {
        const layer *a = &many->layers[i], *b = &one->layers[i];
        if (a->type == CONVOLUTIONAL)
            assert_memory_equal(a->weights, b->weights, a->nweights * sizeof(float));
    }
    fixture_darknet_free(many);
    fixture_darknet_free(one);
}

static bool is_stock(const char *text) {
    char *path = fixture_write("net.cfg", text);
    int kept = fixture_redirect("/dev/null");
    network *net = parse_network_cfg(path);
    fixture_unredirect(kept);
    bool stock = net->layers[0].forward == forward_convolutional_layer;
    free(path);
    fixture_darknet_free(net);
    return stock;
}

static void environment_keeps_stock(void **state) {
    (void)state;
    setenv("AMC_STOCK", "1", 1);
    amc_hooks_install();
    assert_true(is_stock(sound));
    unsetenv("AMC_STOCK");
    amc_hooks_install();
    assert_false(is_stock(sound));
}

static void binary_layers_stay_stock(void **state) {
    (void)state;
    amc_hooks_enable(true);
    assert_true(is_stock(NET CONV(4, 3, 1, "xnor=1\n" BN ACT(leaky)) HEAD));
    assert_true(is_stock(NET CONV(4, 3, 1, "binary=1\n" BN ACT(leaky)) HEAD));
}

// Darknet divides by their number when it loads weights.
static void deconvolutions_have_a_group(void **state) {
    (void)state;
    network *net =
        training_network(NET "[deconvolutional]\nfilters=4\nsize=2\nstride=2\n", true, 1);
    assert_int_equal(net->layers[0].groups, 1);
    free_network(net);
}

// What another image left in the workspace is nothing to them.
static void deconvolutions_forget(void **state) {
    (void)state;
    network *net = run_alone(NET "[deconvolutional]\nfilters=4\nsize=2\nstride=2\n", true, false);
    const layer *l = &net->layers[0];
    size_t outputs = (size_t)BATCH * l->outputs;
    float *expected = amc_memory_copy(l->output, outputs, sizeof *expected);
    memset(net->workspace, 0xff, l->workspace_size); // NaNs
    forward_network(net);
    assert_memory_equal(l->output, expected, outputs * sizeof *expected);
    free(expected);
    fixture_darknet_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trains_like_stock),
        cmocka_unit_test(infers_like_stock),
        cmocka_unit_test(gradients_equal_differences),
        cmocka_unit_test(leaky_gradients_equal_differences),
        cmocka_unit_test(pointwise_stride_is_heeded),
        cmocka_unit_test(pointwise_padding_is_heeded),
        cmocka_unit_test(pointwise_backward_adds_to_delta),
        cmocka_unit_test(batchnorm_computes),
        cmocka_unit_test(batchnorm_trains),
        cmocka_unit_test(local_computes),
        cmocka_unit_test(local_trains),
        cmocka_unit_test(deconvolutions_have_a_group),
        cmocka_unit_test(deconvolutions_forget),
        cmocka_unit_test(shortcuts_train_like_stock),
        cmocka_unit_test(batches_load_like_stock),
        cmocka_unit_test(inference_is_independent_of_batch),
        cmocka_unit_test(training_is_independent_of_threads),
        cmocka_unit_test(environment_keeps_stock),
        cmocka_unit_test(binary_layers_stay_stock),
    };
    return cmocka_run_group_tests_name("hooks", tests, fixture_setup, fixture_teardown);
}
