// The truth of a batch is, in part, what the teacher says of its images; whatever the teacher's
// batches and threads.

#include "host/teacher.h"

#include "host/fixture.h"

#include <blas.h>
#include <math.h>

enum { IMAGES = 37, OFFSET = 3, CLASSES = 5, SIDE = 12, INPUTS = 3 * SIDE * SIDE };

// clang-format off
static const char *const text =
    "[net]\nbatch=4\nheight=12\nwidth=12\nchannels=3\n"
    "[convolutional]\nfilters=8\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n"
    "[connected]\noutput=5\nactivation=linear\n"
    "[softmax]\n";
// clang-format on

// Random images and one-hot truths.
static data make_data(void) {
    data d = {.X = make_matrix(OFFSET + IMAGES, INPUTS),
              .y = make_matrix(OFFSET + IMAGES, CLASSES)};
    amc_rng rng;
    amc_rng_init(&rng, 7);
    for (int i = 0; i < OFFSET + IMAGES; i++) {
        fixture_randomize(&rng, d.X.vals[i], INPUTS, 0, 1);
        d.y.vals[i][amc_rng_below(&rng, CLASSES)] = 1;
    }
    return d;
}

// What the model says of one image: (CLASSES).
static void ask(amc_host_model *model, const float *x, float *said) {
    memcpy(said, amc_host_model_predict(model, 0, 1, x), CLASSES * sizeof *said);
}

static void check_blend(amc_host_model *model, data d, float share) {
    static float x[IMAGES * INPUTS], y[IMAGES * CLASSES];
    get_next_batch(d, IMAGES, OFFSET, x, y);
    amc_teacher_install(NULL, 0); // asking it is no batch
    for (int i = 0; i < IMAGES; i++) {
        float said[CLASSES];
        const float *truth = d.y.vals[OFFSET + i];
        assert_memory_equal(x + i * INPUTS, d.X.vals[OFFSET + i], INPUTS * sizeof *x);
        ask(model, x + i * INPUTS, said);
        for (int c = 0; c < CLASSES; c++)
            assert_float_equal(y[i * CLASSES + c], share * said[c] + (1 - share) * truth[c], 1e-6);
    }
}

static void test_blend(void **state) {
    (void)state;
    amc_error err = {""};
    char *cfg = fixture_write("teacher.cfg", text);
    amc_layer_graph *graph = fixture_graph(cfg);
    amc_weights *weights = fixture_weights(graph, 5);
    data d = make_data();
    for (int threads = 1; threads <= 3; threads += 2) {
        amc_host_model *model = amc_host_model_new(cfg, graph, threads, &err);
        assert_non_null(model);
        amc_host_model_apply(model, graph, weights);
        const float shares[] = {0, 0.3f, 1};
        for (int i = 0; i < 3; i++) {
            amc_teacher_install(model, shares[i]);
            check_blend(model, d, shares[i]);
        }
        check_blend(model, d, 0); // when there is none
        amc_host_model_free(model);
    }
    free_data(d);
    amc_weights_free(weights);
    amc_layer_graph_free(graph);
    free(cfg);
}

// With a teacher the loss of a softmax layer is the cross-entropy of any truth; without, Darknet's.
static void test_loss(void **state) {
    (void)state;
    amc_error err = {""};
    char *cfg = fixture_write("teacher.cfg", text);
    amc_layer_graph *graph = fixture_graph(cfg);
    amc_host_model *model = amc_host_model_new(cfg, graph, 1, &err);
    assert_non_null(model);
    float said[3] = {0.5f, 0.2f, 0.3f}, truth[3] = {0.25f, 0, 0.75f}, delta[3], error[3];
    softmax_x_ent_cpu(3, said, truth, delta, error);
    const float stock[] = {-logf(0.5f), 0, -logf(0.3f)};
    for (int i = 0; i < 3; i++) assert_float_equal(error[i], stock[i], 1e-6);
    amc_teacher_install(model, 1);
    softmax_x_ent_cpu(3, said, truth, delta, error);
    amc_teacher_install(NULL, 0);
    for (int i = 0; i < 3; i++) {
        assert_float_equal(error[i], truth[i] * stock[i], 1e-6);
        assert_float_equal(delta[i], truth[i] - said[i], 1e-6);
    }
    amc_host_model_free(model);
    amc_layer_graph_free(graph);
    free(cfg);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_blend), cmocka_unit_test(test_loss)};
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
