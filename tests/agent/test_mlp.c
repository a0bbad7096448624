// Gradients against finite differences, Adam against a step by hand, learning.

#include "agent/mlp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 5 };

static const int SIZES[] = {3, 7, 6, 2};

static amc_mlp *make(bool sigmoid, uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    return amc_mlp_new(3, SIZES, sigmoid, 0.5f, BATCH, &rng);
}

static void fill(float *x, int count, uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    for (int i = 0; i < count; i++) x[i] = (float)amc_rng_normal(&rng);
}

// The network computed plainly, in double: sum over batch and outputs of y * c, whose derivative
// with respect to y is c. x (BATCH, 3), c (BATCH, 2).
static double reference_loss(const amc_mlp *net, const float *x, const float *c) {
    double loss = 0;
    for (int row = 0; row < BATCH; row++) {
        double in[8] = {0}, out[8] = {0};
        const float *w = net->weights;
        for (int i = 0; i < SIZES[0]; i++) in[i] = x[row * SIZES[0] + i];
        for (int l = 0; l < 3; l++) {
            const float *b = w + SIZES[l] * SIZES[l + 1];
            for (int o = 0; o < SIZES[l + 1]; o++) {
                out[o] = b[o];
                for (int i = 0; i < SIZES[l]; i++) out[o] += (double)w[o * SIZES[l] + i] * in[i];
                if (l < 2)
                    out[o] = fmax(out[o], 0);
                else if (net->sigmoid)
                    out[o] = 1 / (1 + exp(-out[o]));
            }
            w = b + SIZES[l + 1];
            memcpy(in, out, sizeof in);
        }
        for (int o = 0; o < 2; o++) loss += in[o] * c[row * 2 + o];
    }
    return loss;
}

// d reference_loss / d *value by central differences with a step that float holds exactly.
static double slope(const amc_mlp *net, const float *x, const float *c, float *value) {
    float kept = *value, step = 0x1p-12f;
    *value = kept + step;
    double up = reference_loss(net, x, c), upper = *value;
    *value = kept - step;
    double down = reference_loss(net, x, c), lower = *value;
    *value = kept;
    return (up - down) / (upper - lower);
}

static void check_gradients(bool sigmoid) {
    amc_mlp *net = make(sigmoid, 4);
    float x[BATCH * 3], c[BATCH * 2], loss = 0;
    fill(x, BATCH * 3, 8);
    fill(c, BATCH * 2, 9);
    const float *y = amc_mlp_forward(net, x, BATCH);
    for (int i = 0; i < BATCH * 2; i++) loss += y[i] * c[i];
    assert_true(fabs(loss - reference_loss(net, x, c)) < 1e-5);

    amc_mlp_backward(net, c, BATCH);
    for (size_t i = 0; i < net->count; i++)
        assert_true(fabs(net->grads[i] - slope(net, x, c, &net->weights[i])) < 1e-3);
    const float *dx = amc_mlp_input_grads(net, c, BATCH);
    for (int i = 0; i < BATCH * 3; i++) assert_true(fabs(dx[i] - slope(net, x, c, &x[i])) < 1e-3);
    amc_mlp_free(net);
}

static void test_gradients(void **state) {
    (void)state;
    check_gradients(false);
    check_gradients(true);
    amc_mlp_free(NULL);
}

static void test_initial_weights(void **state) {
    (void)state;
    const int sizes[] = {16, 300, 1};
    amc_rng rng;
    amc_rng_init(&rng, 1);
    amc_mlp *net = amc_mlp_new(2, sizes, false, 3e-3f, 1, &rng);
    assert_int_equal(net->count, 17 * 300 + 301);
    float widest = 0, widest_last = 0;
    for (int i = 0; i < 17 * 300; i++) widest = fmaxf(widest, fabsf(net->weights[i]));
    for (int i = 0; i < 301; i++)
        widest_last = fmaxf(widest_last, fabsf(net->weights[17 * 300 + i]));
    assert_true(widest <= 0.25f && widest > 0.24f);
    assert_true(widest_last <= 3e-3f && widest_last > 2.9e-3f);
    amc_mlp_free(net);
}

// Two steps with gradients 1 and 3 on one weight:
//   m 0.1, v 0.001: both 1 without bias      -> w -= rate
//   m 0.39, v 0.009999: 2.052632, 5.001001   -> w -= rate * 2.052632 / 2.236292
static void test_adam_by_hand(void **state) {
    (void)state;
    amc_mlp *net = make(false, 1);
    memset(net->grads, 0, net->count * sizeof *net->grads);
    float before = net->weights[0] = 0.5f, other = net->weights[1];
    net->grads[0] = 1;
    amc_mlp_adam(net, 0.01);
    assert_true(fabs(net->weights[0] - (before - 0.01)) < 1e-6);
    net->grads[0] = 3;
    amc_mlp_adam(net, 0.01);
    assert_true(fabs(net->mean[0] - 0.39) < 1e-6 && fabs(net->square[0] - 0.009999) < 1e-6);
    double expected = before - 0.01 - 0.01 * (0.39 / 0.19) / sqrt(0.009999 / (1 - 0.999 * 0.999));
    assert_true(fabs(net->weights[0] - expected) < 1e-6);
    assert_true(net->weights[1] == other); // no gradient, no step
    amc_mlp_free(net);
}

static void test_soft_update(void **state) {
    (void)state;
    amc_mlp *target = make(false, 1), *online = make(false, 2);
    float old = target->weights[3];
    amc_mlp_soft_update(target, online, 0.25);
    assert_true(fabs(target->weights[3] - (0.25 * online->weights[3] + 0.75 * old)) < 1e-7);
    amc_mlp_soft_update(target, online, 1);
    assert_memory_equal(target->weights, online->weights, online->count * sizeof(float));
    amc_mlp_free(target);
    amc_mlp_free(online);
}

// Descends on (y - goal)^2.
static void train(amc_mlp *net, int steps) {
    float x[BATCH * 3], goal[BATCH * 2], grads[BATCH * 2];
    fill(x, BATCH * 3, 20);
    fill(goal, BATCH * 2, 21);
    for (int step = 0; step < steps; step++) {
        const float *y = amc_mlp_forward(net, x, BATCH);
        for (int i = 0; i < BATCH * 2; i++) grads[i] = 2 * (y[i] - goal[i]);
        amc_mlp_backward(net, grads, BATCH);
        amc_mlp_adam(net, 0.01);
    }
    const float *y = amc_mlp_forward(net, x, BATCH);
    for (int i = 0; steps > 500 && i < BATCH * 2; i++) assert_true(fabsf(y[i] - goal[i]) < 0.01f);
}

static void test_learns(void **state) {
    (void)state;
    amc_mlp *net = make(false, 6);
    train(net, 1500);
    amc_mlp_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),    cmocka_unit_test(test_initial_weights),
        cmocka_unit_test(test_adam_by_hand), cmocka_unit_test(test_soft_update),
        cmocka_unit_test(test_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
