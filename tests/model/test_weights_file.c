// .weights files: what we save Darknet loads and the other way round, bit for bit; every header
// that Darknet knows; and files that are too short, too long or not numbers are refused.

#include "model/cost_model.h"
#include "support/networks.h"

#include <stdint.h>

// Convolutional and connected layers, with and without batch normalization, and a grouped one.
static const char mixed_cfg[] = NET(3, 8, 8) CONV(8, 3, 1, relu) GROUPED(12, 4, 3, 1, relu)
    BARE_CONV(6, 1, 1, leaky) MAXPOOL(2, 2) BN_CONNECTED(9, relu) DROPOUT() CONNECTED(5, linear);

enum { HEADER = 20 }; // bytes of version 0.2.0

typedef struct arrays { // a layer's arrays, from ours or from Darknet's
    const float *values[5];
    int64_t n[5];
} arrays;

static arrays ours(const amc_layer_weights *w) {
    int64_t n = w->scales ? w->n : 0;
    return (arrays){{w->biases, w->scales, w->means, w->variances, w->weights},
                    {w->n, n, n, n, w->n_weights}};
}

static arrays darknets(const layer *l) {
    int64_t n = l->batch_normalize ? l->out_c : 0;
    bool has = l->type == CONVOLUTIONAL || l->type == CONNECTED;
    return (arrays){
        {l->biases, l->scales, l->rolling_mean, l->rolling_variance, l->weights},
        {has ? l->out_c : 0, n, n, n, l->type == CONNECTED ? l->inputs * l->outputs : l->nweights}};
}

static void assert_same_arrays(arrays x, arrays y) {
    for (int i = 0; i < 5; i++) {
        assert_int_equal(x.n[i], y.n[i]);
        if (x.n[i]) assert_memory_equal(x.values[i], y.values[i], (size_t)x.n[i] * sizeof(float));
    }
}

static void assert_same(const amc_weights *x, const amc_weights *y) {
    assert_int_equal(x->n, y->n);
    for (int l = 0; l < x->n; l++) assert_same_arrays(ours(&x->layers[l]), ours(&y->layers[l]));
}

static char *save(const networks_net *net) {
    amc_error err = {""};
    char *path = fixture_path("net.weights");
    if (amc_weights_save(net->weights, net->graph, path, &err) < 0) fail_msg("%s", err.text);
    return path;
}

static char *read_bytes(const char *path, size_t *length) {
    amc_error err = {""};
    char *bytes = amc_files_read(path, length, &err);
    assert_non_null(bytes);
    return bytes;
}

static void test_save_and_load(void **state) {
    (void)state;
    amc_error err = {""};
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, (uint64_t)i);
        char *path = save(&net);
        amc_weights *loaded = amc_weights_load(path, net.graph, &err);
        if (!loaded) fail_msg("%s", err.text);
        assert_same(loaded, net.weights);
        amc_weights *copy = amc_weights_copy(loaded);
        amc_weights_free(loaded);
        assert_same(copy, net.weights);
        amc_weights_free(copy);
        free(path);
        networks_free(net);
    }
    amc_weights_free(NULL);
}

static void test_layout(void **state) {
    (void)state;
    networks_net net = networks_new(mixed_cfg, 1);
    char *path = save(&net);
    size_t length;
    char *bytes = read_bytes(path, &length);
    assert_int_equal(length, HEADER + 4 * amc_cost_params(net.graph));
    static const int32_t header[] = {0, 2, 0, 0, 0};
    assert_memory_equal(bytes, header, HEADER);
    // Convolutional: biases, scales, means, variances, weights. Connected: the weights come second.
    const amc_layer_weights *conv = &net.weights->layers[0], *connected = &net.weights->layers[4];
    const float *at = (const void *)(bytes + HEADER);
    assert_memory_equal(at, conv->biases, 32);
    assert_memory_equal(at + 8, conv->scales, 32);
    assert_memory_equal(at + 16, conv->means, 32);
    assert_memory_equal(at + 24, conv->variances, 32);
    assert_memory_equal(at + 32, conv->weights, 8 * 27 * sizeof(float));
    at += 32 + 8 * 27 + (12 * 4 + 12 * 2 * 9) + (6 + 6 * 12);
    assert_memory_equal(at, connected->biases, 36);
    assert_memory_equal(at + 9, connected->weights, (size_t)connected->n_weights * sizeof(float));
    assert_memory_equal(at + 9 + connected->n_weights, connected->scales, 36);
    free(bytes), free(path);
    networks_free(net);
}

static void test_darknet_loads_ours(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, (uint64_t)i);
        char *path = save(&net);
        network *darknet = fixture_darknet(net.path, path);
        for (int l = 0; l < darknet->n; l++)
            assert_same_arrays(ours(&net.weights->layers[l]), darknets(&darknet->layers[l]));
        assert_int_equal(*darknet->seen, 0);
        fixture_darknet_free(darknet);
        free(path);
        networks_free(net);
    }
}

static void test_loads_darknets(void **state) {
    (void)state;
    amc_error err = {""};
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, (uint64_t)i);
        char *path = save(&net), *theirs = fixture_path("theirs.weights");
        network *darknet = fixture_darknet(net.path, path);
        *darknet->seen = 12345678901; // trained for a while
        for (int l = 0; l < darknet->n; l++)
            for (int j = 0; j < darknets(&darknet->layers[l]).n[4]; j++)
                darknet->layers[l].weights[j] *= 1.25F;
        int kept = fixture_redirect("/dev/null");
        save_weights(darknet, theirs);
        fixture_unredirect(kept);
        amc_weights *loaded = amc_weights_load(theirs, net.graph, &err);
        if (!loaded) fail_msg("%s", err.text);
        for (int l = 0; l < darknet->n; l++)
            assert_same_arrays(ours(&loaded->layers[l]), darknets(&darknet->layers[l]));
        amc_weights_free(loaded);
        fixture_darknet_free(darknet);
        free(path), free(theirs);
        networks_free(net);
    }
}

// ---- headers ----

// The weights with another header before the same floats.
static char *with_header(const networks_net *net, int32_t major, int32_t minor, int seen_bytes) {
    amc_error err = {""};
    char *path = save(net), *old_path = path;
    size_t length;
    char *bytes = read_bytes(path, &length);
    int32_t header[5] = {major, minor, 0, 77, 0};
    size_t header_length = 12 + (size_t)seen_bytes;
    char *other = amc_memory_alloc(length, 1);
    memcpy(other, header, header_length);
    memcpy(other + header_length, bytes + HEADER, length - HEADER);
    path = fixture_path("header.weights");
    assert_int_equal(amc_files_write(path, other, header_length + length - HEADER, &err), 0);
    free(bytes), free(other), free(old_path);
    return path;
}

// Ours and Darknet's reader agree on where the floats start and on how they lie.
static void check_header(int32_t major, int32_t minor, int seen_bytes, bool transposed) {
    amc_error err = {""};
    networks_net net = networks_new(mixed_cfg, 3);
    char *path = with_header(&net, major, minor, seen_bytes);
    amc_weights *loaded = amc_weights_load(path, net.graph, &err);
    if (!loaded) fail_msg("%d.%d: %s", major, minor, err.text);
    network *darknet = fixture_darknet(net.path, path);
    for (int l = 0; l < darknet->n; l++)
        assert_same_arrays(ours(&loaded->layers[l]), darknets(&darknet->layers[l]));
    if (!transposed) assert_same(loaded, net.weights);
    const amc_layer_weights *file = &net.weights->layers[6], *last = &loaded->layers[6];
    for (int o = 0; transposed && o < 5; o++) // (9, 5) in the file
        for (int i = 0; i < 9; i++)
            assert_memory_equal(&last->weights[o * 9 + i], &file->weights[i * 5 + o],
                                sizeof(float));
    fixture_darknet_free(darknet);
    amc_weights_free(loaded);
    networks_free(net);
    free(path);
}

static void test_headers(void **state) {
    (void)state;
    check_header(0, 1, 4, false);
    check_header(0, 0, 4, false);
    check_header(0, 2, 8, false);
    check_header(0, 3, 8, false);
    check_header(1, 0, 8, false);
    check_header(0, 1000, 4, false);
    check_header(999, 999, 8, false);
    check_header(1001, 0, 4, true);
    check_header(0, 1001, 4, true);
    check_header(1002, 2, 4, true);
}

// ---- refusals ----

static void assert_refused(const char *path, const amc_layer_graph *graph, const char *phrase) {
    amc_error err = {""};
    amc_weights *loaded = amc_weights_load(path, graph, &err);
    if (loaded) fail_msg("loaded, expected \"%s\"", phrase);
    networks_assert_error(&err, path, 0, phrase);
}

// Every length but the right one, with the layer and array in which it ends.
static void test_wrong_lengths(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(mixed_cfg, 1);
    char *path = save(&net);
    size_t length;
    char *bytes = read_bytes(path, &length), *longer = amc_memory_alloc(length + 8, 1);
    memcpy(longer, bytes, length);
    static const struct {
        size_t floats; // after the header
        const char *phrase;
    } cases[] = {
        {0, "it runs out in the biases of layer 0 (convolutional)"},
        {7, "it runs out in the biases of layer 0 (convolutional)"},
        {8, "it runs out in the scales of layer 0 (convolutional)"},
        {31, "it runs out in the variances of layer 0 (convolutional)"},
        {247, "it runs out in the weights of layer 0 (convolutional)"},
        {248, "it runs out in the biases of layer 1 (convolutional)"},
        {248 + 264 + 78 + 9, "it runs out in the weights of layer 4 (connected)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t cut = HEADER + 4 * cases[i].floats;
        assert_int_equal(amc_files_write(path, bytes, cut, &err), 0);
        assert_refused(path, net.graph, cases[i].phrase);
        char *counts = amc_memory_text("is %zu bytes long, expected %zu for ", cut, length);
        assert_refused(path, net.graph, counts);
        free(counts);
    }
    for (size_t cut = 0; cut < length; cut += cut < 64 ? 1 : 97) {
        assert_int_equal(amc_files_write(path, bytes, cut, &err), 0);
        assert_refused(path, net.graph, "bytes long");
    }
    for (size_t more = 1; more <= 8; more++) {
        char *phrase = amc_memory_text("is %zu bytes long, expected %zu for %s; %zu bytes are left "
                                       "over",
                                       length + more, length, net.path, more);
        assert_int_equal(amc_files_write(path, longer, length + more, &err), 0);
        assert_refused(path, net.graph, phrase);
        free(phrase);
    }
    free(bytes), free(longer), free(path);
    networks_free(net);
}

static void test_headers_cut_short(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(mixed_cfg, 1);
    char *path = fixture_path("short.weights");
    static const int32_t versions[][2] = {{0, 2}, {0, 1}, {1001, 0}};
    for (int i = 0; i < 3; i++)
        for (size_t cut = 0; cut <= HEADER; cut++) {
            int32_t header[5] = {versions[i][0], versions[i][1], 0, 0, 0};
            assert_int_equal(amc_files_write(path, header, cut, &err), 0);
            assert_refused(path, net.graph, "bytes long");
        }
    free(path);
    networks_free(net);
}

static void test_not_numbers(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    networks_net net = networks_new(mixed_cfg, 1);
    struct {
        float *value;
        const char *phrase;
    } cases[] = {
        {&net.weights->layers[0].biases[7], "the biases of layer 0 (convolutional) hold a NaN"},
        {&net.weights->layers[1].variances[0], "the variances of layer 1 (convolutional) hold"},
        {&net.weights->layers[2].weights[71], "the weights of layer 2 (convolutional) hold"},
        {&net.weights->layers[4].scales[3], "the scales of layer 4 (connected) hold"},
        {&net.weights->layers[6].weights[44],
         "the weights of layer 6 (connected) hold a NaN or an"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float old = *cases[i].value;
        *cases[i].value = bad[i % 3];
        char *path = save(&net);
        assert_refused(path, net.graph, cases[i].phrase);
        *cases[i].value = old;
        free(path);
    }
    net.weights->layers[1].variances[0] = -1e-3f;
    char *path = save(&net);
    assert_refused(path, net.graph, "the variances of layer 1 (convolutional) hold");
    free(path);
    networks_free(net);
}

static void test_other_refusals(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(mixed_cfg, 1);
    char *path = with_header(&net, -1, 2, 8), *missing = fixture_path("missing.weights");
    assert_refused(path, net.graph, "has version -1.2, expected a .weights file");
    assert_refused(missing, net.graph, "can't be opened");
    assert_refused(fixture_folder, net.graph, "expected a regular file");
    assert_int_equal(amc_weights_save(net.weights, net.graph, fixture_folder, &err), -1);
    networks_assert_error(&err, fixture_folder, 0, "can't be written");
    free(path), free(missing);
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_darknet_loads_ours),
        cmocka_unit_test(test_loads_darknets),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_headers_cut_short),
        cmocka_unit_test(test_not_numbers),
        cmocka_unit_test(test_other_refusals),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
