// How far outputs diverge: not at all from themselves, the more the more weights are changed, by
// the formula, and the same bits whatever the threads.

#include "host/divergence.h"
#include "host/hooks.h"
#include "host/mended.h"

#include <omp.h>

static const char cfg_text[] = NET(3, 10, 10) CONV(8, 3, 1, leaky) CONV(6, 3, 2, relu)
    BARE_CONV(5, 1, 1, linear) AVGPOOL() SOFTMAX();

// What the network says once its first layer's weights have been multiplied by a factor.
static float *outputs_of(const networks_net *net, const amc_dataset *images, float factor) {
    amc_weights *weights = amc_weights_copy(net->weights);
    for (int i = 0; i < 3 * 9 * 8; i++) weights->layers[0].weights[i] *= factor;
    float *outputs = mended_outputs(net, images, net->graph, weights);
    amc_weights_free(weights);
    return outputs;
}

static double measure(const networks_net *net, const amc_dataset *images, int most, float factor,
                      int threads) {
    amc_error err = {""};
    amc_host_model *model = amc_host_model_new(net->path, net->graph, threads, &err);
    if (!model) fail_msg("%s", err.text);
    amc_host_model_apply(model, net->graph, net->weights);
    amc_divergence *divergence = amc_divergence_new(model, images, most);
    amc_weights *weights = amc_weights_copy(net->weights);
    for (int i = 0; i < 3 * 9 * 8; i++) weights->layers[0].weights[i] *= factor;
    amc_host_model_apply(model, net->graph, weights);
    double diverges = amc_divergence_measure(divergence);
    amc_weights_free(weights);
    amc_divergence_free(divergence);
    amc_host_model_free(model);
    return diverges;
}

static void test_formula(void **state) {
    (void)state;
    networks_net net = networks_new(cfg_text, 1);
    amc_dataset *images = mended_images(net.graph);
    float *before = outputs_of(&net, images, 1), *after = outputs_of(&net, images, 0.5f);
    double expected = 0;
    int half = MENDED_IMAGES / 2; // every other image
    for (int i = 0; i < half; i++)
        for (int k = 0; k < 5; k++) {
            double p = before[2 * i * 5 + k], q = after[2 * i * 5 + k];
            expected += p * log(p / q);
        }
    double found = measure(&net, images, half, 0.5f, 1);
    if (!(fabs(found - expected / half) < 1e-5))
        fail_msg("%g, expected %g", found, expected / half);
    free(before), free(after);
    amc_dataset_free(images);
    networks_free(net);
}

static void test_order(void **state) {
    (void)state;
    networks_net net = networks_new(cfg_text, 2);
    amc_dataset *images = mended_images(net.graph);
    assert_true(measure(&net, images, 1000, 1, 2) == 0);
    double last = 0;
    for (int k = 1; k <= 4; k++) {
        double now = measure(&net, images, 1000, 1 - 0.2f * (float)k, 2);
        assert_true(now > last);
        assert_true(now == measure(&net, images, 1000, 1 - 0.2f * (float)k, 3));
        last = now;
    }
    amc_dataset_free(images);
    networks_free(net);
}

int main(void) {
    amc_hooks_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
