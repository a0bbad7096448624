// Networks on a GPU: they compute, calibrate and train as on the CPU, one image or many at a time.
// Skipped where the build has no GPU=1 or the machine no GPU.

#include "host/calibrator.h"
#include "host/gpu.h"
#include "host/gpu_network.h"
#include "host/hooks.h"
#include "host/host_model.h"
#include "host/host_network.h"
#include "model/slice.h"

#include "support/exact.h"

#include <network.h>

enum { IMAGES = 5, BATCHES = 3 };
#define TOLERANCE 1e-3 // they add up in other orders, and normalize by sqrt(v + 1e-5)

static const networks_text gpu_only[] = {
    {"local", NET(3, 12, 12) CONV(9, 3, 1, relu) LOCAL(6, 3, 2, leaky) BATCHNORM()
                  CONV(8, 1, 1, leaky) LOCAL(4, 2, 1, linear)},
    {"padded 1x1",
     NET(3, 9, 9) "[convolutional]\nbatch_normalize=1\nfilters=6\nsize=1\npadding=2\nactivation="
                  "leaky\n" GROUPED(12, 3, 1, 2, relu) CONV(5, 3, 2, linear)},
    {"deconvolutional",
     NET(3, 7, 6) DECONV(6, 3, 2, leaky) CONV(12, 3, 1, relu) BN_DECONV(5, 3, 2, leaky)},
    {"softmax", NET(3, 12, 12) CONV(12, 3, 2, leaky) CONV(10, 1, 1, linear) AVGPOOL() SOFTMAX()},
};
enum { GPU_ONLY = sizeof gpu_only / sizeof *gpu_only };

// What is made from now on computes there; a network has to be freed where it was made.
static void use(int gpu) {
    amc_error err;
    amc_gpu_choose(gpu);
    if (amc_gpu_start(&err) < 0) fail_msg("%s", err.text);
}

static void need_gpu(void) {
    amc_error err;
    amc_gpu_choose(0);
    if (!amc_gpu_built() || amc_gpu_start(&err) < 0) skip();
}

static void assert_close(const char *name, const char *what, int layer, const float *gpu,
                         const float *cpu, int n, double tolerance) {
    double worst = 0, size = 1e-12;
    for (int i = 0; i < n; i++) {
        worst = fmax(worst, isfinite(gpu[i]) ? fabs((double)gpu[i] - cpu[i]) : INFINITY);
        size = fmax(size, fabs(cpu[i]));
    }
    if (!(worst < tolerance * size))
        fail_msg("%s, layer %d: %s differ by %g of %g", name, layer, what, worst, size);
}

// ---- plans carried out in memory ----------------------------------------------------------------

static amc_host_model *model_new(const networks_net *net, int gpu) {
    amc_error err;
    use(gpu);
    amc_host_model *model = amc_host_model_new(net->path, net->graph, 1, &err);
    if (!model) fail_msg("%s", err.text);
    return model;
}

static void assert_predicts_alike(const char *name, amc_host_model *gpu, amc_host_model *cpu,
                                  const amc_layer_graph *graph, const amc_weights *weights) {
    float *input = fixture_input(graph->c * graph->h * graph->w, 3);
    amc_host_model_apply(gpu, graph, weights);
    amc_host_model_apply(cpu, graph, weights);
    amc_host_model_predict(cpu, 0, 1, input);
    amc_host_model_predict(gpu, 0, 1, input);
    for (int i = 0; i < graph->n; i++) {
        const amc_layer *layer = &graph->layers[i];
        if (layer->type == AMC_COST) continue;
        assert_close(name, "outputs", i, amc_host_model_output(gpu, 0, i),
                     amc_host_model_output(cpu, 0, i), layer->out_c * layer->out_h * layer->out_w,
                     TOLERANCE);
    }
    free(input);
}

// The whole network, a smaller one, and the whole one again.
static void check_plans(const networks_text *text) {
    networks_net net = networks_new(text->cfg, 1);
    amc_rng rng;
    amc_rng_init(&rng, 2);
    amc_prune_plan *plan = networks_random_plan(net.groups, &rng);
    exact_pruned small = exact_prune(&net, plan);
    amc_host_model *cpu = model_new(&net, -1), *gpu = model_new(&net, 0);
    assert_predicts_alike(text->name, gpu, cpu, net.graph, net.weights);
    assert_predicts_alike(text->name, gpu, cpu, small.graph, small.weights);
    assert_predicts_alike(text->name, gpu, cpu, net.graph, net.weights);
    amc_host_model_free(gpu);
    use(-1);
    amc_host_model_free(cpu);
    exact_free_pruned(small);
    amc_prune_plan_free(plan);
    networks_free(net);
}

static void plans_compute_as_on_the_cpu(void **state) {
    (void)state;
    need_gpu();
    for (int i = 0; i < NETWORKS; i++) check_plans(&networks_all[i]);
    for (int i = 0; i < GPU_ONLY; i++) check_plans(&gpu_only[i]);
}

// ---- several images at a time -------------------------------------------------------------------

// Leaves room for the patches of two images only, so that a batch takes several turns.
static void shrink_workspace(network *net) {
    for (int i = 0; i < net->n; i++)
        if (net->layers[i].type == CONVOLUTIONAL)
            net->layers[i].workspace_size = net->layers[i].workspace_size * 2 / IMAGES;
}

static void check_batch(const networks_text *text, bool shrink) {
    networks_net net = networks_new(text->cfg, 1);
    amc_error err;
    amc_host_model *one = model_new(&net, 0);
    network *many = amc_host_network_new(net.path, net.graph, IMAGES, &err);
    int inputs = net.graph->c * net.graph->h * net.graph->w;
    float *input = fixture_input(inputs * IMAGES, 4);
    amc_host_model_apply(one, net.graph, net.weights);
    amc_host_network_apply(many, net.graph, net.weights);
    if (shrink) shrink_workspace(many);
    for (int n = IMAGES; n >= 1; n -= 2) {
        set_batch_network(many, n);
        const float *outputs = network_predict(many, input);
        for (int i = 0; i < n; i++)
            assert_close(text->name, "outputs", i, outputs + (size_t)i * many->outputs,
                         amc_host_model_predict(one, 0, 1, input + (size_t)i * inputs),
                         many->outputs, TOLERANCE);
    }
    free(input);
    amc_host_network_free(many);
    amc_host_model_free(one);
    networks_free(net);
}

static void batches_compute_as_images(void **state) {
    (void)state;
    need_gpu();
    for (int i = 0; i < NETWORKS; i++) check_batch(&networks_all[i], i % 2);
    for (int i = 0; i < GPU_ONLY; i++) check_batch(&gpu_only[i], i % 2);
}

// ---- calibration --------------------------------------------------------------------------------

// Bright all over: Darknet's GPU and CPU code differ where a channel's variance is near 1e-5.
static unsigned char *noise(int n, uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    unsigned char *pixels = amc_memory_alloc((size_t)n, 1);
    for (int i = 0; i < n; i++) pixels[i] = (unsigned char)amc_rng_below(&rng, 256);
    return pixels;
}

static amc_dataset *images_new(const amc_layer_graph *graph) {
    amc_dataset *dataset = amc_memory_alloc(1, sizeof *dataset);
    dataset->n = IMAGES;
    dataset->images = amc_memory_alloc(IMAGES, sizeof *dataset->images);
    dataset->list = amc_memory_alloc(1, sizeof *dataset->list);
    dataset->list->path = amc_memory_text("made-up.list");
    for (int i = 0; i < IMAGES; i++)
        dataset->images[i] = (amc_image){
            .side = graph->w < graph->h ? graph->w : graph->h,
            .pixels = noise(3 * graph->w * graph->h, (uint64_t)i),
        };
    return dataset;
}

static amc_weights *calibrated(const networks_net *net, const amc_dataset *images, int gpu) {
    amc_error err;
    use(gpu);
    amc_weights *weights = amc_weights_copy(net->weights);
    amc_calibrator *calibrator =
        amc_calibrator_new(net->path, net->graph, images, AMC_CALIBRATOR_BYTES, &err);
    if (!calibrator) fail_msg("%s", err.text);
    amc_calibrator_run(calibrator, net->graph, weights, NULL, NULL);
    amc_calibrator_free(calibrator);
    return weights;
}

static void check_calibration(const networks_text *text) {
    networks_net net = networks_new(text->cfg, 1);
    if (net.graph->c == 3) {
        amc_dataset *images = images_new(net.graph);
        amc_weights *gpu = calibrated(&net, images, 0), *cpu = calibrated(&net, images, -1);
        for (int i = 0; i < gpu->n; i++) {
            const amc_layer_weights *a = &gpu->layers[i], *b = &cpu->layers[i];
            if (!a->means) continue;
            assert_close(text->name, "means", i, a->means, b->means, a->n, 2 * TOLERANCE);
            assert_close(text->name, "variances", i, a->variances, b->variances, a->n,
                         2 * TOLERANCE);
        }
        amc_weights_free(gpu), amc_weights_free(cpu);
        amc_dataset_free(images);
    }
    networks_free(net);
}

static void calibrates_as_on_the_cpu(void **state) {
    (void)state;
    need_gpu();
    for (int i = 0; i < NETWORKS; i++) check_calibration(&networks_all[i]);
    for (int i = 0; i < GPU_ONLY; i++) check_calibration(&gpu_only[i]);
}

// ---- training -----------------------------------------------------------------------------------

// 1x1 convolutions before and behind shortcuts, strided and not, in groups and alone.
static const char training_cfg[] =
    "[net]\nbatch=5\nheight=12\nwidth=12\nchannels=3\nlearning_rate=0.02\ndecay=0.001\n" CONV(
        8, 3, 1, leaky) CONV(12, 1, 2, leaky) CONV(12, 1, 1, leaky) CONV(12, 3, 1, leaky)
        SHORTCUT(-3, leaky) BARE_CONV(12, 1, 1, leaky) SHORTCUT(-2, leaky) DEPTHWISE(12, 1)
            GROUPED(12, 3, 3, 1, leaky) GROUPED(12, 2, 1, 2, leaky) CONV(5, 1, 1, linear) AVGPOOL()
                SOFTMAX();

// Maps of odd sizes, depthwise convolutions strided and of a size of their own, other activations.
static const char odd_cfg[] =
    "[net]\nbatch=5\nheight=11\nwidth=13\nchannels=3\nlearning_rate=0.02\ndecay=0.001\n" CONV(
        8, 3, 1, relu) DEPTHWISE(8, 2) CONV(12, 1, 1, linear) GROUPED(12, 12, 5, 1, relu)
        CONV(10, 3, 1, logistic) DEPTHWISE(10, 1) CONV(5, 1, 1, linear) AVGPOOL() SOFTMAX();

static network *trainee_new(const char *cfg, int gpu) {
    char *path = fixture_write("train.cfg", cfg);
    use(gpu);
    int kept = fixture_redirect("/dev/null");
    srand(1);
    network *net = parse_network_cfg(path);
    fixture_unredirect(kept);
    free(path);
    amc_rng rng;
    amc_rng_init(&rng, 5);
    fixture_randomize(&rng, net->input, net->inputs * net->batch, -1, 1);
    for (int b = 0; b < net->batch; b++) net->truth[b * net->outputs + b % net->outputs] = 1;
    return net;
}

// Darknet's own way from the GPU's memory: what it saves.
static networks_net saved(network *net) {
    char *path = fixture_path("train.weights"), *cfg = fixture_path("train.cfg");
    networks_net files = networks_load(cfg, 1);
    amc_error err;
    int kept = fixture_redirect("/dev/null");
    save_weights(net, path);
    fixture_unredirect(kept);
    amc_weights_free(files.weights);
    files.weights = amc_weights_load(path, files.graph, &err);
    if (!files.weights) fail_msg("%s", err.text);
    free(path), free(cfg);
    return files;
}

static void check_training(const char *cfg, bool shrink) {
    network *cpu = trainee_new(cfg, -1), *gpu = trainee_new(cfg, 0);
    if (shrink) shrink_workspace(gpu);
    for (int i = 0; i < BATCHES; i++) {
        float loss = train_network_datum(cpu);
        assert_float_equal(train_network_datum(gpu), loss, TOLERANCE * loss);
    }
    networks_net a = saved(gpu);
    use(-1);
    networks_net b = saved(cpu);
    for (int i = 0; i < a.graph->n; i++) {
        const amc_layer_weights *x = &a.weights->layers[i], *y = &b.weights->layers[i];
        assert_close("trained", "weights", i, x->weights, y->weights, (int)x->n_weights, TOLERANCE);
        assert_close("trained", "biases", i, x->biases, y->biases, x->n, TOLERANCE);
        if (!x->scales) continue;
        assert_close("trained", "scales", i, x->scales, y->scales, x->n, TOLERANCE);
        assert_close("trained", "means", i, x->means, y->means, x->n, TOLERANCE);
        assert_close("trained", "variances", i, x->variances, y->variances, x->n, TOLERANCE);
    }
    networks_free(a), networks_free(b);
    fixture_darknet_free(cpu);
}

static void trains_as_on_the_cpu(void **state) {
    (void)state;
    need_gpu();
    check_training(training_cfg, false);
    check_training(training_cfg, true);
    check_training(odd_cfg, false);
}

static void check_zeros(const char *cfg) {
    network *gpu = trainee_new(cfg, 0);
    networks_net files = saved(gpu);
    amc_layer_weights *first = &files.weights->layers[0];
    for (int64_t i = 0; i < first->n_weights; i += 2) first->weights[i] = 0;
    char *path = fixture_path("zeros.weights");
    amc_error err;
    if (amc_weights_save(files.weights, files.graph, path, &err) < 0) fail_msg("%s", err.text);
    networks_free(files);
    int kept = fixture_redirect("/dev/null");
    load_weights(gpu, path);
    for (int i = 0; i < BATCHES; i++) train_network_datum(gpu);
    fixture_unredirect(kept);
    files = saved(gpu);
    first = &files.weights->layers[0];
    for (int64_t i = 0; i < first->n_weights; i++)
        assert_true((first->weights[i] == 0) == (i % 2 == 0));
    networks_free(files);
    use(-1);
    free(path);
}

static void zeros_stay_zero(void **state) {
    (void)state;
    need_gpu();
    char *adam = amc_memory_text("[net]\nadam=1\n%s", training_cfg + strlen("[net]\n"));
    check_zeros(training_cfg);
    check_zeros(adam); // by Darknet's own steps
    free(adam);
}

static int setup(void **state) {
    amc_hooks_enable(true);
    return fixture_setup(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_compute_as_on_the_cpu),
        cmocka_unit_test(batches_compute_as_images),
        cmocka_unit_test(calibrates_as_on_the_cpu),
        cmocka_unit_test(trains_as_on_the_cpu),
        cmocka_unit_test(zeros_stay_zero),
    };
    return cmocka_run_group_tests(tests, setup, fixture_teardown);
}
