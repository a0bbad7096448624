// Every gradient of deep networks, of weights, biases, scales and the input, against differences of
// the loss: through Darknet's own passes, with our kernels and with its own where those are right.

#include "host/training.h"
#include "kernels/depthwise.h"
#include "kernels/direct.h"
#include "kernels/winograd.h"
#include "support/networks.h"

#include <network.h>

static const double LIMIT = 1e-2;

// ---- networks -----------------------------------------------------------------------------------

// 21 layers with weights on maps of 9x17, 7x15, 4x8 and 2x4 pixels, wide enough for every kernel.
// `a` and `b` are activations; `branch` makes 12 channels of what a shortcut reads as well, and
// `halving` 24 of half the height and width. What the first layer makes, and what a depthwise
// convolution with batch normalization reads, is tanh's: the scales of a relu there have next to no
// gradient, which rounding would hide.
// clang-format off
#define NETWORK(a, b, branch, halving, pool)                                                       \
    NET(3, 9, 17) "batch=24\n"                                                                     \
    CONV(12, 3, 1, tanh)                                                                           \
    BARE_CONV(16, 3, 1, b)                                                                         \
    CONV(16, 1, 1, tanh)                                                                           \
    GROUPED(16, 16, 3, 1, b)                                                                       \
    branch                                                                                         \
    CONV(16, 3, 1, a)                                                                              \
    SHORTCUT(-3, linear)                                                                           \
    halving                                                                                        \
    GROUPED(24, 24, 3, 1, a)                                                                       \
    CONV(24, 3, 1, b)                                                                              \
    GROUPED(24, 3, 3, 1, a)                                                                        \
    SHORTCUT(-3, b)                                                                                \
    CONV(20, 3, 1, linear)                                                                         \
    CONV(16, 5, 1, a)                                                                              \
    CONV(18, 3, 1, b)                                                                              \
    BARE_CONV(20, 1, 1, tanh)                                                                      \
    GROUPED(20, 20, 3, 2, b)                                                                       \
    CONV(24, 3, 1, a)                                                                              \
    GROUPED(24, 3, 3, 1, b)                                                                        \
    CONV(18, 3, 1, b)                                                                              \
    ROUTE(-1, -3)                                                                                  \
    CONV(24, 3, 1, b)                                                                              \
    pool                                                                                           \
    CONNECTED(20, b)                                                                               \
    CONNECTED(5, linear)                                                                           \
    SOFTMAX()

// Two smooth activations of Darknet's own, and the two that our kernels finish their sums with.
#define SMOOTH(branch, halving) NETWORK(tanh, elu, branch, halving, AVGPOOL())
#define BENT(branch, halving) NETWORK(relu, leaky, branch, halving, MAXPOOL(2, 1) AVGPOOL())
// 1x1 convolutions in the two places where stock Darknet gets them wrong, and 3x3 ones.
#define POINTWISE CONV(12, 1, 1, tanh), CONV(24, 1, 2, tanh)
#define SPATIAL CONV(12, 3, 1, tanh), CONV(24, 3, 2, tanh)
// Expanded, so that each of those counts for two.
#define EXPANDED(kind, places) kind(places)
static const char *const smooth = EXPANDED(SMOOTH, POINTWISE);
static const char *const bent = EXPANDED(BENT, POINTWISE);
static const char *const smooth_spatial = EXPANDED(SMOOTH, SPATIAL);
static const char *const bent_spatial = EXPANDED(BENT, SPATIAL);
// clang-format on

// A network that has seen its batch forward and backward.
static network *trained_network(const char *cfg, bool hooks) {
    network *net = training_network(cfg, hooks, 2);
    net->delta = amc_memory_alloc((size_t)net->inputs * net->batch, sizeof *net->delta);
    net->train = 1;
    forward_network(net);
    backward_network(net);
    return net;
}

static void trained_network_free(network *net) {
    free(net->delta);
    net->delta = NULL;
    fixture_darknet_free(net);
}

// ---- differences of the loss -------------------------------------------------------------------

// Darknet's forward pass from layer `first` on, those before it being as they should, to the input
// of the softmax layer.
static void forward_from(const network *net, int first) {
    network pass = *net;
    for (int i = first < 0 ? 0 : first; i < net->n - 1; i++) {
        pass.index = i;
        pass.input = i > 0 ? net->layers[i - 1].output : net->input;
        net->layers[i].forward(net->layers[i], pass);
    }
}

// Cross entropy of the batch when layer `first` and what follows are computed anew, in double from
// the softmax layer's input: the loss that Darknet's gradients belong to, without the rounding of
// its own.
static double loss_of(const network *net, int first) {
    forward_from(net, first);
    const float *x = net->layers[net->n - 2].output;
    double loss = 0;
    for (int b = 0; b < net->batch; b++, x += net->outputs) {
        double sum = exp((double)x[0]);
        for (int i = 1; i < net->outputs; i++) sum += exp((double)x[i]);
        loss += log(sum) - x[b % net->outputs];
    }
    return loss;
}

static double length_of(const float *x, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return sqrt(sum);
}

// Numbers that the loss depends on, and what Darknet has for their gradient.
typedef struct tensor {
    const char *name;
    int layer; // that has them; -1 is the input
    int n;
    float *values;        // (n)
    const float *updates; // (n) the gradient with its sign turned
} tensor;

// Puts values + step * direction in place; returns how far that goes along the gradient, with each
// sum as it was rounded.
static double move(const tensor *t, const float *values, double step, const float *direction) {
    double along = 0;
    for (int i = 0; i < t->n; i++) {
        t->values[i] = (float)(values[i] + step * direction[i]);
        along -= ((double)t->values[i] - values[i]) * t->updates[i];
    }
    return along;
}

// How to choose the directions in which the loss is differentiated.
//
// ANY: each number by a normal one. The squared error of such a derivative is, on average, that of
// the whole gradient, so nothing hides; but a unit that crosses the bend of its activation within
// the step costs more accuracy than the limit leaves, so this is for smooth activations.
//
// DOWNHILL: each number by a random part of its own gradient. All terms of the derivative have the
// same sign then, and what the crossing units do, which is of any sign, is small beside it. Wrong
// signs, places, masks and factors show up all the same.
typedef enum aim { ANY, DOWNHILL } aim;

static void choose_direction(const tensor *t, aim aim, amc_rng *rng, float *direction) {
    for (int i = 0; i < t->n; i++)
        direction[i] =
            (float)(aim == ANY ? amc_rng_normal(rng) : amc_rng_uniform(rng) * t->updates[i]);
}

// The root mean square, over some directions, of the difference between both derivatives, relative
// to that of the derivatives (ANY: to what that is on average over all directions).
static double error_at(const network *net, const tensor *t, aim aim, int directions, double step) {
    float *values = amc_memory_copy(t->values, (size_t)t->n, sizeof *values);
    float *direction = amc_memory_alloc((size_t)t->n, sizeof *direction);
    double slope = length_of(t->updates, t->n), error = 0, size = 0;
    double distance = step * length_of(values, t->n);
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int d = 0; d < directions; d++) {
        choose_direction(t, aim, &rng, direction);
        double scale = distance / length_of(direction, t->n);
        double expected = move(t, values, scale, direction), change = loss_of(net, t->layer);
        expected -= move(t, values, -scale, direction);
        change -= loss_of(net, t->layer);
        error += (change - expected) * (change - expected);
        size += aim == ANY ? 4 * distance * distance * slope * slope / t->n : expected * expected;
    }
    memcpy(t->values, values, (size_t)t->n * sizeof *values);
    free(values);
    free(direction);
    return sqrt(error / size);
}

// Large steps suffer from curvature and bends, small ones from rounding, each layer's from others;
// a wrong gradient fails with all. The smallest error, or the first within the limit.
static double error_of(const network *net, const tensor *t, aim aim, int directions) {
    static const double steps[] = {3e-4, 1e-3, 1e-4, 3e-5, 3e-3};
    double least = INFINITY;
    for (size_t s = 0; s < sizeof steps / sizeof *steps && !(least < LIMIT); s++)
        least = fmin(least, error_at(net, t, aim, directions, steps[s]));
    forward_from(net, t->layer); // as it was, for the tensors of other layers
    return least;
}

// ---- all tensors of a network -------------------------------------------------------------------

// Those of layer i, or of the input for i = -1; returns how many there are.
static int tensors_of(const network *net, int i, tensor tensors[3]) {
    if (i < 0) {
        tensors[0] = (tensor){"input", i, net->inputs * net->batch, net->input, net->delta};
        return 1;
    }
    const layer *l = &net->layers[i];
    if (l->type != CONVOLUTIONAL && l->type != CONNECTED) return 0;
    tensors[0] = (tensor){"weights", i, training_weights_of(l), l->weights, l->weight_updates};
    tensors[1] = (tensor){"biases", i, l->out_c, l->biases, l->bias_updates};
    tensors[2] = (tensor){"scales", i, l->out_c, l->scales, l->scale_updates};
    return l->scales ? 3 : 2;
}

static void check_all(const char *cfg, bool hooks, aim aim, int directions) {
    network *net = trained_network(cfg, hooks);
    tensor tensors[3];
    int layers = 0, wrong = 0;
    for (int i = -1; i < net->n; i++) {
        int n = tensors_of(net, i, tensors);
        for (int k = 0; k < n; k++) {
            double error = error_of(net, &tensors[k], aim, directions);
            if (error < LIMIT) continue;
            print_error("layer %d: the gradient of its %s is off by %g\n", i, tensors[k].name,
                        error);
            wrong++;
        }
        layers += i >= 0 && n > 0;
    }
    trained_network_free(net);
    assert_true(layers >= 20);
    assert_int_equal(wrong, 0);
}

static void smooth_gradients_equal_differences(void **state) {
    (void)state;
    check_all(smooth, true, ANY, 4);
}

static void bent_gradients_equal_differences(void **state) {
    (void)state;
    check_all(bent, true, DOWNHILL, 4);
}

// Where stock Darknet is right, the same measure says so.
static void stock_gradients_equal_differences(void **state) {
    (void)state;
    check_all(smooth_spatial, false, ANY, 1);
    check_all(bent_spatial, false, DOWNHILL, 1);
}

// ---- whether it could fail ----------------------------------------------------------------------

static void networks_take_every_kernel(void **state) {
    (void)state;
    network *net = trained_network(smooth, true);
    int depthwise = 0, whole = 0, ragged = 0, direct = 0, panels = 0;
    for (int i = 0; i < net->n; i++) {
        const layer *l = &net->layers[i];
        if (l->type != CONVOLUTIONAL) continue;
        amc_conv_shape s =
            amc_conv_shape_make(l->c, l->h, l->w, l->n, l->size, l->stride, l->pad, l->groups);
        if (amc_depthwise_fits(&s))
            depthwise++;
        else if (amc_winograd_fits(&s))
            *(s.out_h % 4 || s.out_w % 4 ? &ragged : &whole) += 1;
        else if (amc_direct_fits(&s))
            direct++;
        else
            panels++;
    }
    trained_network_free(net);
    assert_true(depthwise >= 3);
    assert_true(whole >= 3); // tiles of 4x4 pixels
    assert_true(ragged >= 2);
    assert_true(direct >= 3);
    assert_true(panels >= 3);
}

// Layers of every kind: 3x3 on ragged tiles, depthwise, 3x3 on whole tiles, grouped, connected.
static const int spoiled[] = {1, 3, 9, 10, 24};

// Spoils `n` of a tensor's gradient from `from` on by a factor, and asks whether that is seen.
static void check_found(const network *net, const tensor *t, aim aim, int from, int n,
                        float factor) {
    float *updates = amc_memory_copy(t->updates, (size_t)t->n, sizeof *updates);
    for (int i = from; i < from + n; i++) updates[i] *= factor;
    tensor wrong = {t->name, t->layer, t->n, t->values, updates};
    double error = error_of(net, &wrong, aim, 4);
    free(updates);
    if (!(error > LIMIT)) fail_msg("%s off by %g pass for right", t->name, factor - 1.0);
}

// Where the filter with the longest gradient starts; each has `size` weights.
static int steepest_filter(const tensor *t, int size) {
    int most = 0;
    for (int i = 0; i < t->n; i += size)
        if (length_of(t->updates + i, size) > length_of(t->updates + most, size)) most = i;
    return most;
}

static void check_spoiled(const char *cfg, aim aim) {
    network *net = trained_network(cfg, true);
    for (size_t s = 0; s < sizeof spoiled / sizeof *spoiled; s++) {
        tensor tensors[3];
        int n = tensors_of(net, spoiled[s], tensors);
        int filter = tensors[0].n / tensors[1].n;
        assert_true(n >= 2);
        for (int k = 0; k < n; k++) check_found(net, &tensors[k], aim, 0, tensors[k].n, 1.1F);
        int from = steepest_filter(&tensors[0], filter);
        check_found(net, &tensors[0], aim, from, filter, -1); // one filter's sign
    }
    trained_network_free(net);
}

static void spoiled_gradients_are_found(void **state) {
    (void)state;
    check_spoiled(smooth, ANY);
    check_spoiled(bent, DOWNHILL);
}

// Stock Darknet's faults with 1x1 convolutions, as the gradient by the input has them.
static void stock_faults_are_found(void **state) {
    (void)state;
    network *net = trained_network(smooth, false);
    tensor tensors[3];
    tensors_of(net, -1, tensors); // the input
    assert_true(error_of(net, &tensors[0], ANY, 2) > 10 * LIMIT);
    trained_network_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth_gradients_equal_differences),
        cmocka_unit_test(bent_gradients_equal_differences),
        cmocka_unit_test(stock_gradients_equal_differences),
        cmocka_unit_test(networks_take_every_kernel),
        cmocka_unit_test(spoiled_gradients_are_found),
        cmocka_unit_test(stock_faults_are_found),
    };
    return cmocka_run_group_tests_name("gradients", tests, fixture_setup, fixture_teardown);
}
