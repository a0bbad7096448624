// What shortcuts add, read at the places of a layer: with what the layer computes it is what the
// shortcut makes of both, whatever the shapes; and layers that others read, too, have none.

#include "host/addend.h"
#include "host/hooks.h"
#include "host/mended.h"
#include "host/patch_rows.h"

typedef struct run {
    const networks_net *net;
    amc_calibrator *calibrator;
    int checked; // layers
} run;

static run run_new(const networks_net *net, const amc_dataset *images) {
    amc_error err = {""};
    run r = {net, amc_calibrator_new(net->path, net->graph, images, AMC_CALIBRATOR_BYTES, &err), 0};
    if (!r.calibrator) fail_msg("%s", err.text);
    return r;
}

// That the sum at each place of the layer is right.
static void check_layer(const run *r, int l, int shortcut) {
    const amc_layer *layer = &r->net->graph->layers[l];
    int pixels = layer->out_h * layer->out_w, places = pixels < 9 ? pixels : 9, at[9];
    float slope = amc_calibrator_slope(r->calibrator, shortcut);
    const float *computed = amc_calibrator_output(r->calibrator, l);
    const float *sums = amc_calibrator_output(r->calibrator, shortcut);
    float *added = amc_addend_read(r->calibrator, r->net->graph, l, places), *next = added;
    for (int i = 0; i < amc_calibrator_images(r->calibrator); i++) {
        amc_patch_rows_pixels(layer, places, (uint64_t)i, at);
        for (int k = 0; k < places; k++)
            for (int o = 0; o < layer->out_c; o++) {
                size_t index = ((size_t)i * layer->out_c + o) * pixels + at[k];
                float sum = computed[index] + *next++;
                assert_true(fabsf((sum > 0 ? sum : slope * sum) - sums[index]) < 1e-5f);
            }
    }
    free(added);
}

// When the layer after a shortcut is about to run, what both sides computed is still there.
static void check_before(void *context, int next, const float *input) {
    (void)input;
    run *r = context;
    int l = next - 2, shortcut = l < 0 ? -1 : amc_addend_shortcut(r->calibrator, r->net->graph, l);
    if (shortcut < 0) return;
    assert_int_equal(shortcut, l + 1);
    check_layer(r, l, shortcut);
    r->checked++;
}

static void test_sums(void **state) {
    (void)state;
    int layers = 0;
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_dataset *images = mended_images(net.graph);
        run r = run_new(&net, images);
        amc_calibrator_look(r.calibrator, net.graph, net.weights, check_before, &r);
        layers += r.checked;
        amc_calibrator_free(r.calibrator);
        amc_dataset_free(images);
        networks_free(net);
    }
    assert_true(layers >= 8);
}

static int shortcut_after(const char *cfg, int l) {
    networks_net net = networks_new(cfg, 1);
    amc_dataset *images = mended_images(net.graph);
    run r = run_new(&net, images);
    int shortcut = amc_addend_shortcut(r.calibrator, net.graph, l);
    amc_calibrator_free(r.calibrator);
    amc_dataset_free(images);
    networks_free(net);
    return shortcut;
}

#define BLOCK(activation, more)                                                                    \
    NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(6, 3, 1, activation) SHORTCUT(-2, relu) more

static void test_layers_without(void **state) {
    (void)state;
    const char *const end = "[convolutional]\nfilters=5\nsize=1\nactivation=linear\n";
    char *cfgs[] = {amc_memory_text("%s%s", BLOCK(linear, ""), end),
                    amc_memory_text("%s%s", BLOCK(leaky, ""), end), // comes between
                    amc_memory_text("%s%s", BLOCK(linear, "alpha=0\n"), end),
                    amc_memory_text("%s%s%s", BLOCK(linear, ""), "[route]\nlayers=-1,1\n", end)};
    const int expected[] = {2, -1, -1, -1};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(shortcut_after(cfgs[i], 1), expected[i]);
        assert_int_equal(shortcut_after(cfgs[i], 0), -1);
        free(cfgs[i]);
    }
}

static void check_shares(void *context, int l, const float *input) {
    run *r = context;
    if (l != 2) return; // the shortcut
    const float *from = amc_calibrator_output(r->calibrator, 0);
    assert_true(input == amc_calibrator_output(r->calibrator, 1));
    float *added = amc_addend_read(r->calibrator, r->net->graph, 1, 64); // all pixels, in order
    for (int pixel = 0; pixel < 64; pixel++)
        for (int o = 0; o < 6; o++)
            assert_true(fabsf(added[pixel * 6 + o] - 1.5f * from[o * 64 + pixel]) < 1e-5f);
    free(added);
    r->checked++;
}

// What is added is in units of the layer, whatever the shares of both sides.
static void test_shares(void **state) {
    (void)state;
    networks_net net = networks_new(
        BLOCK(linear,
              "alpha=2\nbeta=3\n") "[convolutional]\nfilters=5\nsize=1\nactivation=linear\n",
        1);
    amc_dataset *images = mended_images(net.graph);
    run r = run_new(&net, images);
    amc_calibrator_look(r.calibrator, net.graph, net.weights, check_shares, &r);
    assert_int_equal(r.checked, 1);
    amc_calibrator_free(r.calibrator);
    amc_dataset_free(images);
    networks_free(net);
}

int main(void) {
    amc_hooks_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sums),
        cmocka_unit_test(test_layers_without),
        cmocka_unit_test(test_shares),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
