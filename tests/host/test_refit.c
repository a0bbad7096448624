// Networks refitted after pruning: as the original where nothing is missing, or nothing that
// matters; nearer to the original than reconstruction alone brings any plan's; normalization stays
// true to what it normalizes; the same bits whatever the threads; and what can't be fitted is left
// alone.

#include "host/calibrator.h"
#include "host/hooks.h"
#include "host/mended.h"
#include "host/reconstruction.h"
#include "host/refit.h"
#include "model/slice.h"

#include <omp.h>

// What a plan leaves of a network.
typedef struct pruned {
    amc_layer_graph *graph;
    amc_weights *weights;
} pruned;

static pruned pruned_new(const networks_net *net, const amc_prune_plan *plan) {
    return (pruned){amc_slice_graph(net->graph, net->groups, plan),
                    amc_slice_weights(net->graph, net->groups, plan, net->weights)};
}

static void pruned_free(pruned small) {
    amc_weights_free(small.weights);
    amc_layer_graph_free(small.graph);
}

static void refit(const networks_net *net, const amc_dataset *images, const amc_prune_plan *plan,
                  pruned small) {
    amc_error err = {""};
    amc_refit *refit =
        amc_refit_new(net->path, net->graph, net->groups, net->weights, images, &err);
    if (!refit) fail_msg("%s", err.text);
    amc_refit_run(refit, plan, small.graph, small.weights);
    amc_refit_free(refit);
}

static void reconstruct(const networks_net *net, const amc_dataset *images,
                        const amc_prune_plan *plan, pruned small) {
    amc_error err = {""};
    amc_grams *grams =
        amc_grams_new(net->path, net->graph, net->groups, net->weights, images, &err);
    if (!grams) fail_msg("%s", err.text);
    amc_reconstruct(grams, plan, small.weights);
    amc_grams_free(grams);
}

// Normalization gets the statistics of these images, as a trained network's has those of its.
static void calibrate(const networks_net *net, const amc_dataset *images, pruned small) {
    amc_error err = {""};
    amc_calibrator *calibrator =
        amc_calibrator_new(net->path, net->graph, images, AMC_CALIBRATOR_BYTES, &err);
    if (!calibrator) fail_msg("%s", err.text);
    amc_calibrator_run(calibrator, small.graph, small.weights, NULL, NULL);
    amc_calibrator_free(calibrator);
}

typedef struct distances {
    double reconstructed, refitted; // normalization re-estimated in both
} distances;

static distances measure(const networks_net *net, const amc_dataset *images,
                         const amc_prune_plan *plan) {
    distances d;
    pruned small = pruned_new(net, plan);
    reconstruct(net, images, plan, small);
    amc_weights *before = amc_weights_copy(small.weights);
    calibrate(net, images, small);
    d.reconstructed = mended_distance(net, images, small.graph, small.weights);
    amc_weights_free(small.weights);
    small.weights = before;
    refit(net, images, plan, small);
    d.refitted = mended_distance(net, images, small.graph, small.weights);
    pruned_free(small);
    return d;
}

// A network whose normalization is that of the images.
static networks_net trained_new(const networks_text *text, uint64_t seed, amc_dataset **images) {
    networks_net net = networks_new(text->cfg, seed);
    *images = mended_images(net.graph);
    calibrate(&net, *images, (pruned){net.graph, net.weights});
    return net;
}

// ---- nothing is missing -------------------------------------------------------------------------

static void test_whole(void **state) {
    (void)state;
    int networks = 0;
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        amc_dataset *images;
        networks_net net = trained_new(&networks_all[i], 1, &images);
        amc_prune_plan *plan = amc_prune_plan_new(net.groups);
        distances d = measure(&net, images, plan);
        if (!(d.refitted < 0.003)) fail_msg("%s: %g", networks_all[i].name, d.refitted);
        amc_prune_plan_free(plan);
        amc_dataset_free(images);
        networks_free(net);
        networks++;
    }
    assert_true(networks >= 12);
}

static void test_twins(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_prune_plan *plan = mended_make_twins(&net);
        amc_dataset *images = mended_images(net.graph);
        calibrate(&net, images, (pruned){net.graph, net.weights});
        distances d = measure(&net, images, plan);
        if (!(d.refitted < 0.03)) // the ridge
            fail_msg("%s: %g, reconstructed %g", networks_all[i].name, d.refitted, d.reconstructed);
        amc_prune_plan_free(plan);
        amc_dataset_free(images);
        networks_free(net);
    }
}

// ---- any plan -----------------------------------------------------------------------------------

static void test_any_plan(void **state) {
    (void)state;
    double sum = 0;
    int nearer = 0, networks = 0;
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        amc_dataset *images;
        networks_net net = trained_new(&networks_all[i], 2, &images);
        amc_prune_plan *plan = networks_random_plan(net.groups, &rng);
        distances d = measure(&net, images, plan);
        nearer += d.refitted < d.reconstructed;
        sum += log(d.refitted / d.reconstructed);
        networks++;
        amc_prune_plan_free(plan);
        amc_dataset_free(images);
        networks_free(net);
    }
    printf("# %d of %d networks nearer, distances %.2f of what they were\n", nearer, networks,
           exp(sum / networks));
    assert_true(networks >= 12 && nearer >= networks * 3 / 4);
    assert_true(exp(sum / networks) < 0.9);
}

// ---- threads ------------------------------------------------------------------------------------

// ---- single weights -----------------------------------------------------------------------------

// Without every other weight: nearer than their absence leaves it, and zeros stay.
static void test_single_weights(void **state) {
    (void)state;
    double sum = 0;
    int networks = 0;
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        amc_dataset *images;
        networks_net net = trained_new(&networks_all[i], 3, &images);
        pruned small = {amc_layer_graph_copy(net.graph), amc_weights_copy(net.weights)};
        for (int l = 0; l < net.graph->n; l++)
            for (int64_t k = 0; k < small.weights->layers[l].n_weights; k += 2)
                small.weights->layers[l].weights[k] = 0;
        calibrate(&net, images, small);
        double before = mended_distance(&net, images, small.graph, small.weights);
        refit(&net, images, NULL, small);
        double after = mended_distance(&net, images, small.graph, small.weights);
        for (int l = 0; l < net.graph->n; l++)
            for (int64_t k = 0; k < small.weights->layers[l].n_weights; k += 2)
                assert_true(small.weights->layers[l].weights[k] == 0);
        sum += log(after / before);
        networks++;
        pruned_free(small);
        amc_dataset_free(images);
        networks_free(net);
    }
    printf("# single weights: %.2f of what it was, on %d networks\n", exp(sum / networks),
           networks);
    assert_true(networks >= 12 && exp(sum / networks) < 0.8);
}

static void test_threads(void **state) {
    (void)state;
    pruned results[2];
    int processors = omp_get_max_threads();
    for (int k = 0; k < 2; k++) {
        omp_set_num_threads(k ? 3 : 1);
        amc_dataset *images;
        networks_net net = trained_new(&networks_all[2], 4, &images);
        amc_rng rng;
        amc_rng_init(&rng, 5);
        amc_prune_plan *plan = networks_random_plan(net.groups, &rng);
        results[k] = pruned_new(&net, plan);
        refit(&net, images, plan, results[k]);
        amc_prune_plan_free(plan);
        amc_dataset_free(images);
        networks_free(net);
    }
    omp_set_num_threads(processors);
    for (int l = 0; l < results[0].weights->n; l++) {
        const amc_layer_weights *a = &results[0].weights->layers[l];
        const amc_layer_weights *b = &results[1].weights->layers[l];
        assert_memory_equal(a->weights, b->weights, (size_t)a->n_weights * sizeof(float));
        assert_memory_equal(a->biases, b->biases, (size_t)a->n * sizeof(float));
        if (a->scales) assert_memory_equal(a->scales, b->scales, (size_t)a->n * sizeof(float));
    }
    pruned_free(results[0]);
    pruned_free(results[1]);
}

int main(void) {
    amc_hooks_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),    cmocka_unit_test(test_twins),
        cmocka_unit_test(test_any_plan), cmocka_unit_test(test_single_weights),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
