// .weights files: what we save Darknet loads and the other way round, bit for bit, for every layer
// that has weights; every header that Darknet knows; and files that are too short, too long or not
// numbers are refused.

#include "model/cost_model.h"
#include "support/networks.h"

#include <stdint.h>
#include <sys/stat.h>

// Convolutional and connected layers, with and without batch normalization, and a grouped one.
static const char mixed_cfg[] = NET(3, 8, 8) CONV(8, 3, 1, relu) GROUPED(12, 4, 3, 1, relu)
    BARE_CONV(6, 1, 1, leaky) MAXPOOL(2, 2) BN_CONNECTED(9, relu) DROPOUT() CONNECTED(5, linear);

// Every other layer that has weights.
static const char others_cfg[] =
    NET(3, 6, 5) CONV(4, 3, 1, relu) "[local]\nfilters=3\nsize=3\nstride=2\npad=1\n" BATCHNORM()
        DECONV(5, 3, 2, relu) LRN(3) BN_DECONV(2, 3, 1, leaky) LOCAL(4, 2, 1, relu)
            CONNECTED(6, linear) BATCHNORM() CONNECTED(3, linear);
// The same without deconvolutional ones, on which Darknet's load_weights stops.
static const char loadable_cfg[] =
    NET(3, 6, 5) BATCHNORM() CONV(4, 3, 1, relu) BATCHNORM() LOCAL(5, 3, 2, relu)
        L2NORM() "[local]\nfilters=3\nsize=3\npad=1\n" CONNECTED(6, linear) BATCHNORM();

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
    int64_t n = l->batch_normalize || l->type == BATCHNORM ? l->out_c : 0, weights = l->nweights;
    bool has = n || l->type == CONVOLUTIONAL || l->type == DECONVOLUTIONAL || l->type == CONNECTED;
    if (l->type == CONNECTED) weights = l->inputs * l->outputs;
    if (l->type == LOCAL) weights = (int64_t)l->outputs * l->c * l->size * l->size;
    return (arrays){{l->biases, l->scales, l->rolling_mean, l->rolling_variance, l->weights},
                    {l->type == LOCAL ? l->outputs
                     : has            ? l->out_c
                                      : 0,
                     n, n, n, weights}};
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

// With the biases that a [batchnorm] has: none, since no file holds them.
static networks_net others_new(const char *text, uint64_t seed) {
    networks_net net = networks_new(text, seed);
    for (int l = 0; l < net.graph->n; l++) {
        const amc_layer_weights *w = &net.weights->layers[l];
        if (net.graph->layers[l].type == AMC_BATCHNORM)
            memset(w->biases, 0, (size_t)w->n * sizeof *w->biases);
    }
    return net;
}

// Darknet's network of the .cfg with our weights put in by hand.
static network *filled_darknet(const networks_net *net) {
    int kept = fixture_redirect("/dev/null");
    network *darknet = parse_network_cfg(net->path);
    fixture_unredirect(kept);
    for (int l = 0; l < darknet->n; l++) {
        arrays from = ours(&net->weights->layers[l]), to = darknets(&darknet->layers[l]);
        for (int i = 0; i < 5; i++) {
            assert_int_equal(from.n[i], to.n[i]);
            if (to.n[i])
                memcpy((float *)to.values[i], from.values[i], (size_t)to.n[i] * sizeof(float));
        }
    }
    return darknet;
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

static void test_save_and_load_others(void **state) {
    (void)state;
    amc_error err = {""};
    static const char *texts[] = {others_cfg, loadable_cfg};
    for (int i = 0; i < 2; i++) {
        networks_net net = others_new(texts[i], 4);
        char *path = save(&net);
        amc_weights *loaded = amc_weights_load(path, net.graph, &err);
        if (!loaded) fail_msg("%s", err.text);
        assert_same(loaded, net.weights);
        amc_weights *copy = amc_weights_copy(loaded);
        assert_same(copy, net.weights);
        amc_weights_free(loaded), amc_weights_free(copy);
        free(path);
        networks_free(net);
    }
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

// Goes along the bytes of a file.
static const float *assert_next(const float *at, const float *values, int64_t n) {
    assert_memory_equal(at, values, (size_t)n * sizeof *at);
    return at + n;
}

// Local: a bias for each output, then all weights of one position after the other. Deconvolutional:
// as convolutional. Batchnorm: scales, means, variances and no biases.
static void test_layout_of_others(void **state) {
    (void)state;
    networks_net net = others_new(others_cfg, 1);
    char *path = save(&net);
    size_t length;
    char *bytes = read_bytes(path, &length);
    assert_int_equal(length, HEADER + 4 * amc_cost_params(net.graph));
    const amc_layer_weights *w = net.weights->layers;
    const float *at = (const void *)(bytes + HEADER + 4 * (4 * 4 + 4 * 27));
    // 3 filters of 3 x 3 x 4 at 3 x 3 positions.
    assert_int_equal(w[1].n, 3 * 9);
    assert_int_equal(w[1].n_weights, 9 * 3 * 36);
    assert_null(w[1].scales);
    at = assert_next(at, w[1].biases, w[1].n);
    at = assert_next(at, w[1].weights, w[1].n_weights);
    assert_int_equal(w[2].n, 3);
    assert_int_equal(w[2].n_weights, 0);
    at = assert_next(at, w[2].scales, 3);
    at = assert_next(at, w[2].means, 3);
    at = assert_next(at, w[2].variances, 3);
    assert_int_equal(w[3].n_weights, 3 * 5 * 9);
    assert_null(w[3].scales);
    at = assert_next(at, w[3].biases, 5);
    at = assert_next(at, w[3].weights, w[3].n_weights);
    assert_int_equal(w[4].n, 0); // the normalization
    assert_int_equal(w[5].n_weights, 5 * 2 * 9);
    at = assert_next(at, w[5].biases, 2);
    at = assert_next(at, w[5].scales, 2);
    at = assert_next(at, w[5].means, 2);
    at = assert_next(at, w[5].variances, 2);
    at = assert_next(at, w[5].weights, w[5].n_weights);
    assert_int_equal(w[6].n, 4 * 36);
    assert_int_equal(w[6].n_weights, 36 * 4 * 8);
    at = assert_next(at, w[6].biases, w[6].n);
    assert_next(at, w[6].weights, w[6].n_weights);
    free(bytes), free(path);
    networks_free(net);
}

// Byte for byte what Darknet writes of the same network, deconvolutional layers too.
static void test_writes_as_darknet(void **state) {
    (void)state;
    static const char *texts[] = {mixed_cfg, others_cfg, loadable_cfg};
    for (int i = 0; i < 3; i++) {
        networks_net net = others_new(texts[i], 2);
        char *path = save(&net), *theirs = fixture_path("theirs.weights");
        network *darknet = filled_darknet(&net);
        int kept = fixture_redirect("/dev/null");
        save_weights(darknet, theirs);
        fixture_unredirect(kept);
        size_t length, their_length;
        char *bytes = read_bytes(path, &length), *their_bytes = read_bytes(theirs, &their_length);
        assert_int_equal(length, their_length);
        assert_memory_equal(bytes, their_bytes, length);
        amc_error err = {""};
        amc_weights *loaded = amc_weights_load(theirs, net.graph, &err);
        if (!loaded) fail_msg("%s", err.text);
        assert_same(loaded, net.weights);
        amc_weights_free(loaded);
        fixture_darknet_free(darknet);
        free(bytes), free(their_bytes), free(path), free(theirs);
        networks_free(net);
    }
}

static void test_darknet_loads_ours_others(void **state) {
    (void)state;
    networks_net net = others_new(loadable_cfg, 5);
    char *path = save(&net);
    network *darknet = fixture_darknet(net.path, path);
    for (int l = 0; l < darknet->n; l++)
        assert_same_arrays(ours(&net.weights->layers[l]), darknets(&darknet->layers[l]));
    fixture_darknet_free(darknet);
    free(path);
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

static void test_wrong_lengths_of_others(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = others_new(others_cfg, 1);
    char *path = save(&net);
    size_t length;
    char *bytes = read_bytes(path, &length);
    enum { CONV = 4 * 4 + 4 * 27, LOCALS = CONV + 27 + 9 * 3 * 36, NORM = LOCALS + 9 };
    static const struct {
        size_t floats; // after the header
        const char *phrase;
    } cases[] = {
        {CONV, "it runs out in the biases of layer 1 (local)"},
        {CONV + 26, "it runs out in the biases of layer 1 (local)"},
        {CONV + 27, "it runs out in the weights of layer 1 (local)"},
        {LOCALS, "it runs out in the scales of layer 2 (batchnorm)"},
        {LOCALS + 3, "it runs out in the means of layer 2 (batchnorm)"},
        {LOCALS + 8, "it runs out in the variances of layer 2 (batchnorm)"},
        {NORM, "it runs out in the biases of layer 3 (deconvolutional)"},
        {NORM + 5, "it runs out in the weights of layer 3 (deconvolutional)"},
        {NORM + 5 + 135, "it runs out in the biases of layer 5 (deconvolutional)"},
        {NORM + 5 + 135 + 2, "it runs out in the scales of layer 5 (deconvolutional)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(amc_files_write(path, bytes, HEADER + 4 * cases[i].floats, &err), 0);
        assert_refused(path, net.graph, cases[i].phrase);
    }
    free(bytes), free(path);
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

static void test_not_numbers_in_others(void **state) {
    (void)state;
    networks_net net = others_new(others_cfg, 1);
    amc_layer_weights *w = net.weights->layers;
    struct {
        float *value, bad;
        const char *phrase;
    } cases[] = {
        {&w[1].biases[26], NAN, "the biases of layer 1 (local) hold a NaN or an infinity"},
        {&w[1].weights[9 * 3 * 36 - 1], INFINITY, "the weights of layer 1 (local) hold"},
        {&w[2].scales[2], -INFINITY, "the scales of layer 2 (batchnorm) hold"},
        {&w[2].means[0], NAN, "the means of layer 2 (batchnorm) hold"},
        {&w[2].variances[1], -1,
         "the variances of layer 2 (batchnorm) hold a NaN or an infinity, "
         "or are negative"},
        {&w[3].weights[0], NAN, "the weights of layer 3 (deconvolutional) hold"},
        {&w[5].variances[1], -1e-30F, "the variances of layer 5 (deconvolutional) hold"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float old = *cases[i].value;
        *cases[i].value = cases[i].bad;
        char *path = save(&net);
        assert_refused(path, net.graph, cases[i].phrase);
        *cases[i].value = old;
        free(path);
    }
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
    char *pipe = fixture_path("pipe.weights");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    alarm(20); // ends the program if it waits for a writer
    assert_refused(pipe, net.graph, "expected a regular file");
    alarm(0);
    assert_int_equal(amc_weights_save(net.weights, net.graph, fixture_folder, &err), -1);
    networks_assert_error(&err, fixture_folder, 0, "can't be written");
    free(path), free(missing), free(pipe);
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_load),
        cmocka_unit_test(test_save_and_load_others),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_layout_of_others),
        cmocka_unit_test(test_writes_as_darknet),
        cmocka_unit_test(test_darknet_loads_ours),
        cmocka_unit_test(test_darknet_loads_ours_others),
        cmocka_unit_test(test_loads_darknets),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_wrong_lengths),
        cmocka_unit_test(test_wrong_lengths_of_others),
        cmocka_unit_test(test_headers_cut_short),
        cmocka_unit_test(test_not_numbers),
        cmocka_unit_test(test_not_numbers_in_others),
        cmocka_unit_test(test_other_refusals),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
