// Dialects: what only other forks of Darknet read is refused with its line, and nothing that this
// Darknet reads or has in its own files is. What it reads is taken from its source.

#include "model/dialect.h"
#include "support/networks.h"

#define IMAGE NET(3, 8, 8)               // lines 1 to 4
#define LAYER(type) IMAGE "[" type "]\n" // its options start on line 6

static int check(const char *path, amc_error *err) {
    amc_cfg_text *cfg = amc_cfg_text_load(path, err);
    if (!cfg) fail_msg("%s", err->text);
    int status = amc_dialect_check(cfg, err);
    amc_cfg_text_free(cfg);
    return status;
}

// ---- refusals ----

typedef struct refusal {
    const char *cfg;
    int line;
    const char *phrase;
} refusal;

static void check_refusals(const refusal *bad, size_t n) {
    for (size_t i = 0; i < n; i++) {
        amc_error err = {""};
        char *path = fixture_write("bad.cfg", bad[i].cfg);
        if (check(path, &err) == 0) fail_msg("not refused: %s", bad[i].cfg);
        networks_assert_error(&err, path, bad[i].line, bad[i].phrase);
        networks_assert_error(&err, path, bad[i].line, "this Darknet doesn't have it");
        free(path);
    }
}
#define CHECK_REFUSALS(table) check_refusals(table, sizeof table / sizeof *table)

static void test_refused_sections(void **state) {
    (void)state;
    static const refusal bad[] = {
        {LAYER("scale_channels") "from=-1\n", 5,
         "[scale_channels] is a layer of other forks of Darknet only"},
        {LAYER("sam") "from=-1\nactivation=mish\n", 5, "[sam] is a layer"},
        {LAYER("implicit"), 5, "[implicit] is a layer"},
        {LAYER("implicit_add"), 5, "[implicit_add] is a layer"},
        {LAYER("control_channels"), 5, "[control_channels] is a layer"},
        {LAYER("Gaussian_yolo"), 5, "[Gaussian_yolo] is a layer"},
        {LAYER("local_avgpool"), 5, "[local_avgpool] is a layer"},
        {LAYER("reorg3d"), 5, "[reorg3d] is a layer"},
        {LAYER("silence"), 5, "[silence] is a layer"},
        {"# a note\n\n[net]\nbatch=1\n[ conv_lstm ]\n", 5, "[conv_lstm] is a layer"},
    };
    CHECK_REFUSALS(bad);
}

static void test_refused_keys(void **state) {
    (void)state;
    static const refusal bad[] = {
        {IMAGE "mosaic=1\n", 5,
         "mosaic=1 in [net] is read by other forks of Darknet only; this Darknet"},
        {IMAGE "mosaic=0\n", 5, "mosaic=0 in [net] is read"},
        {IMAGE "flip=0\n", 5, "flip=0 in [net]"},
        {"# a note\n[network]\nbatch=1\n\nlabel_smooth_eps = 0.1\n", 5,
         "label_smooth_eps=0.1 in [network]"},
        {IMAGE "show_receptive_field=1\n", 5, "show_receptive_field=1 in [net]"},
        {LAYER("convolutional") "filters=6\ndilation=2\n", 7, "dilation=2 in [convolutional]"},
        {LAYER("conv") "stride_x=2\n", 6, "stride_x=2 in [conv]"},
        {LAYER("conv") "wait_stream=2\n", 6, "wait_stream=2 in [conv]"},
        {LAYER("conv") "antialiasing=1 # note\n", 6, "antialiasing=1#note in [conv]"},
        {LAYER("maxpool") "maxpool_depth=1\nout_channels=64\n", 6, "maxpool_depth=1 in [maxpool]"},
        {LAYER("max") "out_channels=64\n", 6, "out_channels=64 in [max]"},
        {LAYER("dropout") "dropblock=1\n", 6, "dropblock=1 in [dropout]"},
        {LAYER("route") "layers=-1\ngroups=2\ngroup_id=1\n", 7, "groups=2 in [route]"},
        {LAYER("route") "group_id=1\nlayers=-1\n", 6, "group_id=1 in [route]"},
        {LAYER("shortcut") "from=-3\nweights_type=per_feature\n", 7,
         "weights_type=per_feature in [shortcut]"},
        {LAYER("yolo") "mask=0,1,2\nscale_x_y = 1.05\niou_loss=ciou\n", 7,
         "scale_x_y=1.05 in [yolo]"},
        {LAYER("yolo") "iou_thresh=0.213\n", 6, "iou_thresh=0.213 in [yolo]"},
        {LAYER("region") "focal_loss=1\n", 6, "focal_loss=1 in [region]"},
        {LAYER("detection") "resize=1.5\n", 6, "resize=1.5 in [detection]"},
        {LAYER("rnn") "logistic=1\n", 6, "logistic=1 in [rnn]"},
        {LAYER("crnn") "hidden=9\n", 6, "hidden=9 in [crnn]"},
        {LAYER("connected") "clip=1\n", 6, "clip=1 in [connected]"},
        {LAYER("softmax") "train_only_bn=1\n", 6, "train_only_bn=1 in [softmax]"},
    };
    CHECK_REFUSALS(bad);
}

static void test_refused_values(void **state) {
    (void)state;
    static const refusal bad[] = {
        {LAYER("convolutional") "activation=mish\n", 6,
         "activation=mish in [convolutional] is read by other forks of Darknet only"},
        {LAYER("conn") "activation = swish\n", 6, "activation=swish in [conn]"},
        {LAYER("shortcut") "from=-1\nactivation=relu6\n", 7, "activation=relu6 in [shortcut]"},
        {LAYER("activation") "activation=normalize_channels_softmax\n", 6,
         "activation=normalize_channels_softmax in [activation]"},
        {LAYER("shortcut") "from=-3, -5\n", 6, "from=-3,-5 in [shortcut]"},
        {IMAGE "policy=sgdr\n", 5, "policy=sgdr in [net]"},
    };
    CHECK_REFUSALS(bad);
}

// Of several lines the first in the file.
static void test_first_line_wins(void **state) {
    (void)state;
    static const refusal bad[] = {
        {LAYER("conv") "activation=mish\n[sam]\nfrom=-1\n[yolo]\nresize=1\n", 6, "activation=mish"},
        {LAYER("conv") "[sam]\nfrom=-1\n[conv]\nactivation=mish\n", 6, "[sam]"},
        {LAYER("conv") "dilation=2\nactivation=mish\ndilation=3\n", 6, "dilation=2"},
    };
    CHECK_REFUSALS(bad);
}

// ---- what passes ----

static void assert_passes(const char *text) {
    amc_error err = {""};
    char *path = fixture_write("good.cfg", text);
    if (check(path, &err) < 0) fail_msg("%s", err.text);
    free(path);
}

static void test_same_keys_elsewhere(void **state) {
    (void)state;
    assert_passes(IMAGE "clip=1\npolicy=steps\nsteps=1\nscales=.1\n");
    assert_passes(LAYER("convolutional") "groups=3\nactivation=leaky\nlearning_rate=2\n");
    assert_passes(LAYER("softmax") "groups=1\n");
    assert_passes(LAYER("reorg") "stride=2\nreverse=1\n");
    assert_passes(LAYER("crop") "flip=1\nangle=3\n");
    assert_passes(LAYER("crnn") "output_filters=4\nhidden_filters=4\n");
    assert_passes(LAYER("route") "layers=-1,-2\n");
    assert_passes(LAYER("shortcut") "from=-3\nactivation=linear\nalpha=1\nbeta=.5\n");
}

// What nobody reads is layer_graph's business, or nobody's.
static void test_what_no_fork_reads(void **state) {
    (void)state;
    assert_passes("; mosaic=1\n[net]\n#mosaic=1\n;[sam]\nseen=0\n");
    assert_passes(LAYER("convolutional") "mosaic=1\nscale_x_y=1\nstride_=2\nx=1\nchannels=1\n");
    assert_passes(LAYER("convolutional") "activation=none\nactivation=mish\n");
    assert_passes(LAYER("convolutional") "activation=softmax\n");
    assert_passes(LAYER("maxpool") "activation=mish\ngroups=2\nfrom=1,2\n");
    assert_passes(LAYER("channels") "[local]\n[Yolo]\nscale_x_y=1\n");
    assert_passes(LAYER("rnn") "hidden=9\n");
}

static void check_file(const char *path) {
    amc_error err = {""};
    if (check(path, &err) < 0) fail_msg("%s", err.text);
}

static void test_files_of_this_darknet(void **state) {
    (void)state;
    assert_true(networks_each_cfg(check_file) >= 45);
}

// ---- what this Darknet's source reads ----

static char *read_source(const char *path) {
    size_t length;
    amc_error err = {""};
    char *source = amc_files_read(path, &length, &err);
    if (!source) fail_msg("%s", err.text);
    return source;
}

// The index of the first line that has a key of nobody; -1 for none.
static int find_unread(const char *text, int from) {
    amc_error err;
    char *path = fixture_write("keys.cfg", text);
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    if (!cfg) fail_msg("%s", err.text);
    int line = amc_dialect_unread(cfg, from);
    if (line == cfg->n_lines) line = -1;
    amc_cfg_text_free(cfg);
    free(path);
    return line;
}

static void assert_key_passes(const char *section, const char *key) {
    bool net = strcmp(section, "net_options") == 0;
    char *text = net ? amc_memory_text("[net]\n%s=1\n", key)
                     : amc_memory_text("[net]\nbatch=1\n[%s]\n%s=1\n", section, key);
    assert_passes(text);
    assert_int_equal(find_unread(text, 0), -1);
    free(text);
}

// Every option_find...(options, "key", ...) of a function parse_SECTION(list *options, ...), and in
// all layers those of parse_network_cfg().
static void test_keys_of_this_darknet(void **state) {
    (void)state;
    static const char *layers[] = {"convolutional", "conv",     "maxpool", "max",    "dropout",
                                   "route",         "shortcut", "yolo",    "region", "detection"};
    char *source = read_source("darknet/src/parser.c"), section[64] = "", key[64], *rest;
    int of_sections = 0, of_all = 0;
    for (char *line = strtok_r(source, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        const char *call = strstr(line, "(options, \"");
        if (strstr(line, "parse_network_cfg(")) section[0] = '\0';
        sscanf(line, "%*s parse_%63[a-z0-9_](list", section);
        if (!call || sscanf(call, "(options, \"%63[a-zA-Z0-9_]\"", key) != 1) continue;
        if (section[0]) {
            assert_key_passes(section, key);
            of_sections++;
        } else {
            for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
                assert_key_passes(layers[i], key);
            of_all++;
        }
    }
    assert_true(of_sections >= 150);
    assert_int_equal(of_all, 9);
    free(source);
}

static void test_keys_of_nobody(void **state) {
    (void)state;
    const char *text = LAYER("convolutional") "filters=3\nstrid=2\n# sice=3\nfilter=4\n";
    assert_int_equal(find_unread(text, 0), 6);
    assert_int_equal(find_unread(text, 7), 8);
    assert_int_equal(find_unread(text, 9), -1);
}

// Every name that a function compares its argument s with: strcmp(s, "relu").
static int accept_names(const char *path, const char *before) {
    char *source = read_source(path), name[64];
    int n = 0;
    for (const char *at = source; (at = strstr(at, "strcmp(s, \"")); at++) {
        if (sscanf(at, "strcmp(s, \"%63[a-z0-9_]\"", name) != 1) continue;
        char *text = amc_memory_text("%s%s\n", before, name);
        assert_passes(text);
        free(text);
        n++;
    }
    free(source);
    return n;
}

static void test_names_of_this_darknet(void **state) {
    (void)state;
    const char *convolution = LAYER("convolutional") "activation=";
    assert_int_equal(accept_names("darknet/src/activations.c", convolution), 14);
    assert_int_equal(accept_names("darknet/src/parser.c", IMAGE "policy="), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_sections),      cmocka_unit_test(test_refused_keys),
        cmocka_unit_test(test_refused_values),        cmocka_unit_test(test_first_line_wins),
        cmocka_unit_test(test_same_keys_elsewhere),   cmocka_unit_test(test_what_no_fork_reads),
        cmocka_unit_test(test_files_of_this_darknet), cmocka_unit_test(test_keys_of_this_darknet),
        cmocka_unit_test(test_names_of_this_darknet), cmocka_unit_test(test_keys_of_nobody),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
