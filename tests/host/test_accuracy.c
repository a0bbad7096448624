// Counting: the numbers that `darknet classifier valid` would print, whatever the threads.

#include "host/accuracy.h"
#include "host/hooks.h"

#include "host/fixture.h"

#include <math.h>

static const char cfg_text[] =
    "[net]\nheight=12\nwidth=12\nchannels=3\n"
    "[convolutional]\nbatch_normalize=1\nfilters=8\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
    "[maxpool]\nsize=2\nstride=2\n"
    "[convolutional]\nfilters=5\nsize=1\nstride=1\nactivation=linear\n"
    "[avgpool]\n"
    "[softmax]\n";

enum { IMAGES = 120, CLASSES = 5 };

static const char *const labels[CLASSES] = {"cat", "dog", "owl", "fox", "bee"};

typedef struct subject {
    char *paths[IMAGES];
    char *cfg;
    amc_data_file *data;
    amc_dataset *dataset;
    amc_layer_graph *graph;
    amc_weights *weights;
} subject;

// Images of three sizes, so that some are resized.
static subject subject_new(void) {
    amc_error err = {""};
    subject s = {.cfg = fixture_write("net.cfg", cfg_text)};
    char *list_path = fixture_path("list");
    FILE *list = fopen(list_path, "w");
    for (int i = 0; i < IMAGES; i++) {
        char *name = amc_memory_text("%s%d.png", labels[i % CLASSES], i);
        s.paths[i] = fixture_image(name, 12 + i % 3, 12, i % 2 ? 1 : 3, (uint64_t)i);
        fprintf(list, "%s\n", s.paths[i]);
        free(name);
    }
    fclose(list);
    free(fixture_write("labels", "cat\ndog\nowl\nfox\nbee\n"));
    char *text = amc_memory_text("classes=5\nlabels=%s/labels\nvalid=%s\ntop=2\n", fixture_folder,
                                 list_path);
    char *path = fixture_write("test.data", text);
    s.data = amc_data_file_load(path, &err);
    s.dataset = amc_dataset_load(s.data, AMC_DATASET_TEST, 0, 1, 2, &err);
    if (!s.dataset) fail_msg("%s", err.text);
    s.graph = fixture_graph(s.cfg);
    s.weights = fixture_weights(s.graph, 4);
    free(path), free(text), free(list_path);
    return s;
}

static void subject_free(subject s) {
    for (int i = 0; i < IMAGES; i++) free(s.paths[i]);
    amc_weights_free(s.weights);
    amc_layer_graph_free(s.graph);
    amc_dataset_free(s.dataset);
    amc_data_file_free(s.data);
    free(s.cfg);
}

// The loop of Darknet's validate_classifier_single.
static amc_accuracy count_as_darknet(const subject *s, int k) {
    amc_error err;
    amc_accuracy count = {.images = IMAGES};
    char *path = fixture_path("net.weights");
    assert_int_equal(amc_weights_save(s->weights, s->graph, path, &err), 0);
    network *net = fixture_darknet(s->cfg, path);
    int *indexes = amc_memory_alloc((size_t)k, sizeof *indexes);
    for (int i = 0; i < IMAGES; i++) {
        image im = load_image_color(s->paths[i], 0, 0);
        image crop = center_crop_image(im, net->w, net->h);
        float *pred = network_predict(net, crop.data);
        top_k(pred, CLASSES, k, indexes);
        int class = 0;
        while (!strstr(s->paths[i], labels[class])) class ++;
        count.top1 += indexes[0] == class;
        for (int j = 0; j < k; j++) count.topk += indexes[j] == class;
        count.certain += pred[class];
        free_image(im);
        free_image(crop);
    }
    free(indexes);
    fixture_darknet_free(net);
    free(path);
    return count;
}

// In parts, however large, a dataset measures the same to the last bit.
static void assert_parts(amc_host_model *model, const amc_dataset *dataset, int k,
                         amc_accuracy whole) {
    amc_accuracy sum = {0};
    for (int n = 1; sum.images < IMAGES; n = 2 * n + 1) {
        int left = IMAGES - sum.images;
        amc_accuracy_add(&sum, model, dataset, sum.images, n < left ? n : left, k);
    }
    assert_int_equal(sum.images, IMAGES);
    assert_int_equal(sum.top1, whole.top1);
    assert_int_equal(sum.topk, whole.topk);
    assert_true(sum.certain == whole.certain);
    assert_true(sum.seconds > 0);
}

static void assert_counts(const subject *s) {
    amc_error err = {""};
    for (int k = 1; k <= CLASSES + 2; k++) {
        amc_accuracy expected = count_as_darknet(s, k);
        double certain = 0;
        for (int threads = 1; threads <= 3; threads++) {
            amc_host_model *model = amc_host_model_new(s->cfg, s->graph, threads, &err);
            assert_non_null(model);
            assert_int_equal(amc_accuracy_check(model, s->data, s->cfg, &err), 0);
            amc_host_model_apply(model, s->graph, s->weights);
            amc_accuracy measured = amc_accuracy_measure(model, s->dataset, k);
            assert_int_equal(measured.images, IMAGES);
            assert_int_equal(measured.top1, expected.top1);
            assert_int_equal(measured.topk, expected.topk);
            if (threads == 1) certain = measured.certain;
            assert_true(measured.certain == certain);
            assert_true(fabs(certain - expected.certain) < 1e-4 * IMAGES);
            assert_true(measured.seconds > 0 && measured.seconds < 60);
            assert_parts(model, s->dataset, k, measured);
            amc_host_model_free(model);
        }
    }
}

static void test_counts(void **state) {
    (void)state;
    amc_hooks_install();
    subject s = subject_new();
    // Centred outputs, so that no class always wins.
    amc_layer_weights *last = &s.weights->layers[2];
    memset(last->biases, 0, (size_t)last->n * sizeof *last->biases);
    assert_counts(&s);
    amc_accuracy some = count_as_darknet(&s, 2);
    assert_true(some.top1 > 0 && some.top1 < some.topk && some.topk < IMAGES);
    subject_free(s);
}

// Outputs that aren't probabilities are taken at their word: right or wrong.
static void test_other_outputs(void **state) {
    (void)state;
    amc_error err = {""};
    subject s = subject_new();
    char *text = amc_memory_text("%.*s", (int)(strstr(cfg_text, "[softmax]") - cfg_text), cfg_text);
    char *cfg = fixture_write("linear.cfg", text);
    amc_layer_graph *graph = fixture_graph(cfg);
    amc_weights *weights = fixture_weights(graph, 4);
    amc_host_model *model = amc_host_model_new(cfg, graph, 2, &err);
    amc_host_model_apply(model, graph, weights);
    amc_accuracy measured = amc_accuracy_measure(model, s.dataset, 1);
    assert_true(measured.top1 > 0 && measured.certain == measured.top1);
    amc_host_model_free(model);
    amc_weights_free(weights);
    amc_layer_graph_free(graph);
    free(cfg), free(text);
    subject_free(s);
}

// A network that computes no numbers is certain of nothing.
static void test_no_numbers(void **state) {
    (void)state;
    amc_error err = {""};
    subject s = subject_new();
    s.weights->layers[0].weights[0] = NAN;
    amc_host_model *model = amc_host_model_new(s.cfg, s.graph, 1, &err);
    amc_host_model_apply(model, s.graph, s.weights);
    assert_true(amc_accuracy_measure(model, s.dataset, 1).certain == 0);
    amc_host_model_free(model);
    subject_free(s);
}

// Image by image, in any order and any part: what the counts are made of.
static void test_images(void **state) {
    (void)state;
    amc_error err = {""};
    subject s = subject_new();
    amc_layer_weights *last = &s.weights->layers[2];
    memset(last->biases, 0, (size_t)last->n * sizeof *last->biases);
    int order[IMAGES], top1 = count_as_darknet(&s, 1).top1;
    for (int i = 0; i < IMAGES; i++) order[i] = (7 * i + 3) % IMAGES;
    bool expected[IMAGES]; // one at a time
    for (int threads = 1; threads <= 3; threads++) {
        amc_host_model *model = amc_host_model_new(s.cfg, s.graph, threads, &err);
        amc_host_model_apply(model, s.graph, s.weights);
        for (int i = 0; threads == 1 && i < IMAGES; i++)
            amc_accuracy_images(model, s.dataset, &i, 1, &expected[i]);
        bool right[IMAGES];
        amc_accuracy_images(model, s.dataset, order, 50, right);
        amc_accuracy_images(model, s.dataset, order + 50, IMAGES - 50, right + 50);
        int sum = 0;
        for (int i = 0; i < IMAGES; i++) {
            assert_int_equal(right[i], expected[order[i]]);
            sum += right[i];
        }
        assert_int_equal(sum, top1);
        amc_host_model_free(model);
    }
    assert_in_range(top1, 1, IMAGES - 1);
    subject_free(s);
}

// Equal outputs, all of them or some: Darknet's order decides.
static void test_ties(void **state) {
    (void)state;
    subject s = subject_new();
    amc_layer_weights *last = &s.weights->layers[2];
    memset(last->weights, 0, (size_t)last->n_weights * sizeof *last->weights);
    for (int pattern = 0; pattern < 1 << CLASSES; pattern += 3) {
        for (int i = 0; i < CLASSES; i++) last->biases[i] = (float)(pattern >> i & 1);
        assert_counts(&s);
    }
    subject_free(s);
}

static void assert_misfit(const char *cfg, const amc_data_file *data, const char *message) {
    amc_error err = {""};
    char *path = fixture_write("misfit.cfg", cfg);
    amc_layer_graph *graph = fixture_graph(path);
    amc_host_model *model = amc_host_model_new(path, graph, 1, &err);
    assert_non_null(model);
    assert_int_equal(amc_accuracy_check(model, data, path, &err), -1);
    if (!strstr(err.text, message)) fail_msg("%s", err.text);
    amc_host_model_free(model);
    amc_layer_graph_free(graph);
    free(path);
}

static void test_misfits(void **state) {
    (void)state;
    subject s = subject_new();
    static const char layer[] = "[connected]\noutput=5\n[softmax]\n";
    char *gray = amc_memory_text("[net]\nheight=4\nwidth=4\nchannels=1\n%s", layer);
    char *flat = amc_memory_text("[net]\nheight=1\nwidth=4\nchannels=3\n%s", layer);
    assert_misfit(gray, s.data, "misfit.cfg: channels=1, expected 3");
    assert_misfit(flat, s.data, "misfit.cfg: height=1, expected at least 2");
    s.data->classes = 6;
    assert_misfit(cfg_text, s.data, "misfit.cfg: has 5 outputs, expected 6 (classes= in ");
    free(flat), free(gray);
    subject_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),     cmocka_unit_test(test_other_outputs),
        cmocka_unit_test(test_no_numbers), cmocka_unit_test(test_images),
        cmocka_unit_test(test_ties),       cmocka_unit_test(test_misfits),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
