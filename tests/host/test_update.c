// Training from weights that were pruned one by one: zeros stay zero where there are enough of
// them, everything else trains, and stderr says so once.

#include "host/training.h"

enum { LAYERS = 4, ROUNDS = 3 };

// clang-format off
static const char *const text =
    "[net]\nbatch=4\nheight=12\nwidth=12\nchannels=3\nlearning_rate=0.1\ndecay=0.001\n"
    "[convolutional]\nfilters=8\nsize=3\npad=1\nbatch_normalize=1\nactivation=leaky\n"
    "[convolutional]\nfilters=8\ngroups=8\nsize=3\npad=1\nactivation=leaky\n"
    "[connected]\noutput=20\nbatch_normalize=1\nactivation=leaky\n"
    "[connected]\noutput=5\nactivation=linear\n"
    "[softmax]\n";
// clang-format on

// Zeros of each layer's 216, 72, 23,040 and 100 weights: at least one in a hundred, or fewer.
static const int many[LAYERS] = {3, 24, 231, 1}, few[LAYERS] = {2, 0, 230, 0},
                 of_one[LAYERS] = {3, 0, 230, 0};
static const int *zeros = many;

static bool is_zeroed(const layer *l, int layer_index, int i) {
    if (!zeros[layer_index]) return false;
    return i % (training_weights_of(l) / zeros[layer_index]) == 0 &&
           i / (training_weights_of(l) / zeros[layer_index]) < zeros[layer_index];
}

// Writes random weights, those of a pruned network where wanted; returns the path as new text.
static char *write_weights(bool pruned) {
    network *net = training_network(text, true, 3);
    for (int k = 0; k < LAYERS; k++) {
        layer *l = &net->layers[k];
        l->biases[0] = 0; // is no weight
        for (int i = 0; pruned && i < training_weights_of(l); i++)
            if (is_zeroed(l, k, i)) l->weights[i] = 0;
    }
    char *path = fixture_path(pruned ? "pruned.weights" : "dense.weights");
    int kept = fixture_redirect("/dev/null");
    save_weights(net, path);
    fixture_unredirect(kept);
    fixture_darknet_free(net);
    return path;
}

// Reads weights and trains; returns what that said on stderr, new text.
static char *train(network *net, char *weights) {
    amc_error err;
    size_t length;
    char *log = fixture_path("stderr");
    int kept = fixture_redirect(log);
    load_weights(net, weights);
    fprintf(stderr, "loaded\n");
    for (int i = 0; i < ROUNDS; i++) train_network_datum(net);
    fixture_unredirect(kept);
    char *said = amc_files_read(log, &length, &err);
    free(log);
    return said;
}

// How many of layer k's weights that were pruned are zero.
static int count_zeros(const network *net, int k) {
    const layer *l = &net->layers[k];
    int n = 0;
    for (int i = 0; i < training_weights_of(l); i++) n += is_zeroed(l, k, i) && l->weights[i] == 0;
    return n;
}

static void zeros_stay_zero(void **state) {
    (void)state;
    char *path = write_weights(true);
    network *net = training_network(text, true, 4), *before = training_network(text, true, 4);
    free(train(net, path));
    load_weights(before, path);
    for (int k = 0; k < LAYERS; k++) {
        const layer *l = &net->layers[k];
        assert_int_equal(count_zeros(net, k), zeros[k]);
        assert_true(l->biases[0] != 0);
        for (int i = 0; i < training_weights_of(l); i++) {
            if (is_zeroed(l, k, i))
                assert_float_equal(l->weight_updates[i], 0, 0);
            else
                assert_true(l->weights[i] != before->layers[k].weights[i]);
        }
    }
    fixture_darknet_free(net);
    fixture_darknet_free(before);
    free(path);
}

static void assert_nothing_held(bool ours) {
    char *path = write_weights(true);
    network *net = training_network(text, ours, 4);
    char *said = train(net, path);
    for (int k = 0; k < LAYERS; k++) assert_int_equal(count_zeros(net, k), 0);
    assert_null(strstr(said, "zero"));
    free(said);
    fixture_darknet_free(net);
    free(path);
}

static void stock_holds_nothing(void **state) {
    (void)state;
    assert_nothing_held(false);
}

static void few_zeros_are_chance(void **state) {
    (void)state;
    zeros = few;
    assert_nothing_held(true);
    zeros = many;
}

static void a_single_layer_holds_its_own(void **state) {
    (void)state;
    zeros = of_one;
    char *path = write_weights(true);
    network *net = training_network(text, true, 4);
    char *said = train(net, path);
    for (int k = 0; k < LAYERS; k++) assert_int_equal(count_zeros(net, k), k == 0 ? zeros[0] : 0);
    assert_non_null(strstr(said, ": 3 of 23428 weights are zero and stay so in training"));
    zeros = many;
    free(said);
    fixture_darknet_free(net);
    free(path);
}

static void other_weights_are_let_go(void **state) {
    (void)state;
    char *pruned = write_weights(true), *dense = write_weights(false);
    network *net = training_network(text, true, 4), *fresh = training_network(text, true, 4);
    free(train(net, pruned));
    for (int k = 0; k < LAYERS; k++) { // momentum is not in the file
        layer *l = &net->layers[k];
        memset(l->weight_updates, 0, training_weights_of(l) * sizeof *l->weight_updates);
        memset(l->bias_updates, 0, l->out_c * sizeof *l->bias_updates);
        if (l->scales) memset(l->scale_updates, 0, l->out_c * sizeof *l->scale_updates);
    }
    free(train(net, dense));
    char *said = train(fresh, dense);
    assert_null(strstr(said, "zero"));
    for (int k = 0; k < LAYERS; k++)
        assert_memory_equal(net->layers[k].weights, fresh->layers[k].weights,
                            training_weights_of(&net->layers[k]) * sizeof(float));
    free(said);
    fixture_darknet_free(net);
    fixture_darknet_free(fresh);
    free(pruned);
    free(dense);
}

static void first_step_says_so(void **state) {
    (void)state;
    char *path = write_weights(true),
         *wanted = amc_memory_text(
             "loaded\n%s: 259 of 23428 weights are zero and stay so in training\n", path);
    network *net = training_network(text, true, 4);
    char *said = train(net, path), *at = strstr(said, wanted);
    assert_non_null(at);
    assert_string_equal(at, wanted); // nothing follows
    free(wanted);
    free(said);
    fixture_darknet_free(net);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_stay_zero),          cmocka_unit_test(stock_holds_nothing),
        cmocka_unit_test(few_zeros_are_chance),     cmocka_unit_test(a_single_layer_holds_its_own),
        cmocka_unit_test(other_weights_are_let_go), cmocka_unit_test(first_step_says_so),
    };
    return cmocka_run_group_tests_name("update", tests, fixture_setup, fixture_teardown);
}
