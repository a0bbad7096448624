// Which channels go together, for every kind of coupling, and for reorg what Darknet's layer does.
// A network's groups are compared as text, one group after the other: its layers, "x" units, "~"
// the layers that hand it on (only where asked for), ">" the layers that read it, "!" if fixed.

#include "support/networks.h"

static void append_list(char *text, const int *items, int n) {
    for (int i = 0; i < n; i++) sprintf(text + strlen(text), i ? ",%d" : "%d", items[i]);
}

static void assert_described(const amc_channel_groups *groups, bool followers,
                             const char *expected) {
    static char text[1 << 16];
    text[0] = '\0';
    for (int g = 0; g < groups->n; g++) {
        const amc_channel_group *group = &groups->groups[g];
        if (g) strcat(text, "  ");
        append_list(text, group->layers, group->n_layers);
        sprintf(text + strlen(text), "x%d", group->n_units);
        if (followers && group->n_followers) {
            strcat(text, "~");
            append_list(text, group->followers, group->n_followers);
        }
        if (group->n_consumers) strcat(text, ">");
        append_list(text, group->consumers, group->n_consumers);
        if (!group->prunable) strcat(text, "!");
        assert_int_equal(group->prunable, group->why == NULL);
    }
    assert_string_equal(text, expected);
}

static void assert_groups(const amc_channel_groups *groups, const char *expected) {
    assert_described(groups, false, expected);
}

// What holds for the groups of any network.
static void check_invariants(const networks_net *net) {
    const amc_channel_groups *groups = net->groups;
    int *seen = amc_memory_alloc((size_t)groups->n_units, sizeof *seen), first = -1;
    for (int g = 0; g < groups->n; g++) {
        const amc_channel_group *group = &groups->groups[g];
        assert_true(group->n_units > 0 && group->n_layers > 0);
        assert_true(group->layers[0] >= first); // in network order
        first = group->layers[0];
        for (int i = 0; i < group->n_units; i++) {
            assert_int_equal(groups->group_of[group->units[i]], g);
            assert_int_equal(seen[group->units[i]]++, 0);
            assert_true(i == 0 || group->units[i] > group->units[i - 1]);
        }
        // Every unit has as many channels of a layer as the others of its group.
        for (int i = 0; i < group->n_layers; i++) {
            int l = group->layers[i],
                *channels = amc_memory_alloc((size_t)groups->n_units, sizeof(int));
            for (int c = 0; c < net->graph->layers[l].out_c; c++) channels[groups->unit[l][c]]++;
            for (int u = 1; u < group->n_units; u++)
                assert_int_equal(channels[group->units[u]], channels[group->units[0]]);
            assert_true(channels[group->units[0]] > 0);
            assert_int_equal(amc_channel_groups_each(groups, net->graph, g, l),
                             channels[group->units[0]]);
            free(channels);
        }
    }
    for (int u = 0; u < groups->n_units; u++) assert_int_equal(seen[u], groups->group_of[u] >= 0);
    free(seen);
}

static void check(const char *cfg, const char *expected) {
    networks_net net = networks_new(cfg, 1);
    check_invariants(&net);
    assert_groups(net.groups, expected);
    networks_free(net);
}

static void check_followers(const char *cfg, const char *expected) {
    networks_net net = networks_new(cfg, 1);
    check_invariants(&net);
    assert_described(net.groups, true, expected);
    networks_free(net);
}

// What keeps group g whole.
static void assert_why(const networks_net *net, int g, const char *why) {
    const amc_channel_group *group = &net->groups->groups[g];
    assert_false(group->prunable);
    assert_string_equal(group->why, why);
}

static void test_chain(void **state) {
    (void)state;
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) MAXPOOL(2, 2) CONV(16, 3, 1, relu)
              CONV(5, 1, 1, linear),
          "0x12>2  2x16>3  3x5!");
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(5, 1, 1, linear) AVGPOOL() SOFTMAX() COST(),
          "0x12>1  1x5>3!");
    check(NET(3, 8, 8) CONV(5, 3, 1, relu), "0x5!");
    check(NET(3, 8, 8) CONV(1, 3, 1, relu) CONV(5, 3, 1, relu),
          "0x1>1!  1x5!"); // nothing to choose
}

static void test_shortcuts(void **state) {
    (void)state;
    // Equal widths: one group, which both sides' readers and the sum's read.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(7, 3, 1, relu) CONV(12, 3, 1, linear)
              SHORTCUT(-3, relu) CONV(5, 3, 1, linear),
          "0,2x12>1,4  1x7>2  4x5!");
    // A chain of them makes one group.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(12, 3, 1, linear) SHORTCUT(-2, relu)
              CONV(12, 3, 1, linear) SHORTCUT(-2, relu) CONV(5, 3, 1, linear),
          "0,1,3x12>1,3,5  5x5!");
    // Unequal: the surplus of the wider side is its own group, whichever side that is.
    check(NET(3, 8, 8) CONV(16, 3, 1, relu) CONV(10, 3, 1, linear) SHORTCUT(0, relu)
              CONV(5, 3, 1, linear),
          "0,1x10>1,3  0x6>1  3x5!");
    check(NET(3, 8, 8) CONV(10, 3, 1, relu) CONV(16, 3, 1, linear) SHORTCUT(0, relu)
              CONV(5, 3, 1, linear),
          "0,1x10>1,3  1x6>3  3x5!");
    // With a stride, and three widths.
    check(NET(3, 8, 8) CONV(4, 3, 1, relu) CONV(8, 3, 2, linear) SHORTCUT(0, relu)
              CONV(16, 3, 2, linear) SHORTCUT(-2, relu) CONV(5, 3, 1, linear),
          "0,1,3x4>1,3,5  1,3x4>3,5  3x8>5  5x5!");
}

static void test_shortcut_units_are_channels(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 8, 8) CONV(16, 3, 1, relu) CONV(10, 3, 1, linear)
                                        SHORTCUT(0, relu) CONV(5, 3, 1, linear),
                                    1);
    int **unit = net.groups->unit;
    for (int c = 0; c < 10; c++) {
        assert_int_equal(unit[0][c], unit[1][c]);
        assert_int_equal(unit[2][c], unit[1][c]);
    }
    assert_memory_equal(amc_channel_groups_input(net.groups, net.graph, 2, 0), unit[1], 40);
    assert_memory_equal(amc_channel_groups_input(net.groups, net.graph, 2, 1), unit[0], 64);
    const int *image = amc_channel_groups_input(net.groups, net.graph, 0, 0);
    for (int c = 0; c < 3; c++) assert_int_equal(net.groups->group_of[image[c]], -1);
    networks_free(net);
}

static void test_routes(void **state) {
    (void)state;
    check(NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(8, 3, 1, relu) ROUTE(-1, 0) CONV(9, 3, 1, relu)
              ROUTE(1) CONV(5, 3, 1, linear),
          "0x6>1,3  1x8>3,5  3x9  5x5!");
    networks_net net = networks_new(NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(8, 3, 1, relu)
                                        ROUTE(-1, 0, 1) CONV(5, 3, 1, linear),
                                    1);
    int **unit = net.groups->unit; // joined in the listed order
    assert_memory_equal(unit[2], unit[1], 8 * sizeof(int));
    assert_memory_equal(unit[2] + 8, unit[0], 6 * sizeof(int));
    assert_memory_equal(unit[2] + 14, unit[1], 8 * sizeof(int));
    networks_free(net);
    // A sum with a joined layer ties channel k of one to channel k of the other.
    check(NET(3, 8, 8) CONV(6, 3, 1, relu) CONV(8, 3, 1, relu) ROUTE(0, 1) CONV(14, 3, 1, linear)
              SHORTCUT(2, relu) CONV(5, 3, 1, linear),
          "0,3x6>1,3,5  1,3x8>3,5  5x5!");
}

static void test_depthwise(void **state) {
    (void)state;
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) DEPTHWISE(12, 1) CONV(20, 1, 1, relu) DEPTHWISE(20, 2)
              CONV(5, 1, 1, linear),
          "0,1x12>1,2  2,3x20>3,4  4x5!");
    // With two filters a channel, a unit is one channel of the first and two of the second.
    check(NET(3, 8, 8) CONV(6, 3, 1, relu) GROUPED(12, 6, 3, 1, relu) CONV(5, 1, 1, linear),
          "0,1x6>1,2  2x5!");
    // The image's channels can't go, and neither can what is tied to them.
    check(NET(3, 8, 8) DEPTHWISE(3, 1) CONV(8, 1, 1, relu) CONV(5, 1, 1, linear),
          "0x3>0,1!  1x8>2  2x5!");
}

static void test_grouped(void **state) {
    (void)state;
    // Whole blocks go: 4 input channels with 6 output channels.
    networks_net net = networks_new(
        NET(3, 8, 8) CONV(16, 3, 1, relu) GROUPED(24, 4, 3, 1, relu) CONV(5, 1, 1, linear), 1);
    assert_groups(net.groups, "0,1x4>1,2  2x5!");
    for (int c = 0; c < 16; c++)
        assert_int_equal(net.groups->unit[0][c], net.groups->unit[1][c / 4 * 6]);
    for (int c = 0; c < 24; c++)
        assert_int_equal(net.groups->unit[1][c], net.groups->unit[1][c / 6 * 6]);
    networks_free(net);
    // Blocks of 2 and of 3 channels on the same layer go together in sixes.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) GROUPED(12, 6, 3, 1, relu) ROUTE(0)
              GROUPED(12, 4, 3, 1, relu) CONV(5, 1, 1, linear),
          "0,1,3x2>1,3,4  4x5!");
}

static void test_connected(void **state) {
    (void)state;
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) MAXPOOL(2, 2) CONNECTED(20, relu) DROPOUT()
              CONNECTED(15, relu) CONNECTED(5, linear) SOFTMAX(),
          "0x12>2  2x20>4  4x15>5  5x5>6!");
}

// What a softmax or the cost reads stays, together with all that is tied to it; and it says why.
static void test_fixed(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 8, 8) DEPTHWISE(3, 1) CONV(8, 1, 1, relu)
                                        CONV(5, 1, 1, linear) SHORTCUT(1, linear) SOFTMAX() COST(),
                                    1);
    assert_groups(net.groups, "0x3>0,1!  1,2x5>2,4!  1x3>2");
    assert_string_equal(net.groups->groups[0].why, "tied to the image's channels");
    assert_string_equal(net.groups->groups[1].why, "read by layer 4 (softmax)");
    networks_free(net);
    net = networks_new(NET(3, 8, 8) CONV(1, 1, 1, relu) CONV(5, 1, 1, linear), 1);
    assert_string_equal(net.groups->groups[0].why, "a single channel or block");
    assert_string_equal(net.groups->groups[1].why, "the network's output");
    networks_free(net);
    // A sum of the image's pooled channels and a layer's.
    check(NET(3, 8, 8) MAXPOOL(1, 1) CONV(5, 3, 1, linear) SHORTCUT(0, relu) CONV(4, 1, 1, linear),
          "1x3>1,3!  1x2>3  3x4!");
}

// ---- layers that hand channels on ----

static void test_passed_on(void **state) {
    (void)state;
    check_followers(NET(3, 8, 8) CONV(12, 3, 1, relu) UPSAMPLE(2) CROP(9, 9) ACTIVATE(leaky)
                        DROPOUT() MAXPOOL(2, 2) UPSAMPLE(-5) AVGPOOL() CONV(5, 1, 1, linear),
                    "0x12~1,2,3,4,5,6,7>8  8x5!");
    networks_net net = networks_new(NET(3, 8, 8) CONV(12, 3, 1, relu) UPSAMPLE(2) CROP(9, 9)
                                        ACTIVATE(leaky) CONV(5, 1, 1, linear),
                                    1);
    for (int l = 1; l <= 3; l++) {
        assert_memory_equal(net.groups->unit[l], net.groups->unit[0], 12 * sizeof(int));
        assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 0, l), 1);
    }
    assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 0, 4), 0);
    networks_free(net);
    // A layer that does both is listed for both, and a route or shortcut once.
    check_followers(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(12, 3, 1, relu) SHORTCUT(0, relu)
                        ROUTE(2, 0, 1) CONV(5, 3, 1, linear),
                    "0,1x12~2,3>1,4  4x5!");
    check_followers(NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(7, 3, 1, relu) SHORTCUT(0, relu)
                        CONV(5, 3, 1, linear),
                    "0,1x7~2>1,3  0x5~2>1  3x5!"); // the sum has channels of layer 1 only
    check_followers(NET(3, 8, 8) CONV(6, 3, 1, relu) DEPTHWISE(6, 1) MAXPOOL(2, 2)
                        CONNECTED(9, relu) DROPOUT() CONNECTED(5, linear) SOFTMAX(),
                    "0,1x6~2>1,3  3x9~4>5  5x5>6!");
    // The image's own channels are no group, whoever hands them on.
    check_followers(NET(3, 8, 8) CROP(6, 6) ACTIVATE(tanh) UPSAMPLE(2) CONV(5, 3, 1, linear),
                    "3x5!");
}

// ---- reorg ----

static void test_reorg(void **state) {
    (void)state;
    // Blocks of 4 channels that follow each other; block b has output channels 4b ... 4b + 3 in
    // each of four parts.
    networks_net net =
        networks_new(NET(3, 8, 8) CONV(12, 3, 1, relu) REORG(2) CONV(5, 1, 1, linear), 1);
    check_invariants(&net);
    assert_described(net.groups, true, "0x3~1>2  2x5!");
    for (int c = 0; c < 12; c++)
        assert_int_equal(net.groups->unit[0][c], net.groups->unit[0][c / 4 * 4]);
    for (int part = 0; part < 4; part++)
        assert_memory_equal(net.groups->unit[1] + 12 * part, net.groups->unit[0], 12 * sizeof(int));
    assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 0, 0), 4);
    assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 0, 1), 16);
    assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 0, 2), 0);
    networks_free(net);
    // A stride of 1 leaves all as it is, one of 3 has blocks of 9.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) REORG(1) CONV(5, 1, 1, linear), "0x12>2  2x5!");
    check(NET(3, 9, 9) CONV(18, 3, 1, relu) REORG(3) CONV(5, 1, 1, linear), "0x2>2  2x5!");
    check(NET(3, 9, 9) CONV(9, 3, 1, relu) REORG(3) CONV(5, 1, 1, linear), "0x1>2!  2x5!");
    // As in yolov2: what goes around the reorg is free.
    check_followers(NET(3, 8, 8) CONV(9, 3, 1, relu) MAXPOOL(2, 2) CONV(7, 3, 1, relu) ROUTE(0)
                        CONV(8, 1, 1, leaky) REORG(2) ROUTE(-1, 2) CONV(5, 1, 1, linear),
                    "0x9~1,3>2,4  2x7~6>7  4x2~5,6>7  7x5!");
}

static void test_reorg_back(void **state) {
    (void)state;
    // Channels 3 apart make one.
    networks_net net =
        networks_new(NET(3, 8, 8) CONV(12, 3, 1, relu) REORG_BACK(2) CONV(5, 1, 1, linear), 1);
    check_invariants(&net);
    assert_described(net.groups, true, "0x3~1>2  2x5!");
    for (int c = 0; c < 12; c++)
        assert_int_equal(net.groups->unit[0][c], net.groups->unit[0][c % 3]);
    assert_memory_equal(net.groups->unit[1], net.groups->unit[0], 3 * sizeof(int));
    assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 0, 0), 4);
    assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 0, 1), 1);
    networks_free(net);
    // There and back ties no more than there; with another stride it does.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) REORG(2) REORG_BACK(2) CONV(5, 1, 1, linear),
          "0x3>3  3x5!");
    check(NET(3, 8, 8) CONV(32, 3, 1, relu) REORG(2) REORG_BACK(4) CONV(5, 1, 1, linear),
          "0x2>3  3x5!");
}

// Reorg together with the other couplings.
static void test_reorg_coupled(void **state) {
    (void)state;
    // Depthwise: of each block 16 channels. A sum: channel k of 24 with channel k of 48.
    check(NET(3, 8, 8) CONV(12, 3, 1, relu) REORG(2) DEPTHWISE(48, 1) CONV(5, 1, 1, linear),
          "0,2x3>2,3  3x5!");
    networks_net net =
        networks_new(NET(3, 8, 8) CONV(12, 3, 1, relu) REORG(2) CONV(24, 3, 1, linear)
                         SHORTCUT(1, relu) CONV(5, 1, 1, linear),
                     1);
    check_invariants(&net);
    assert_described(net.groups, true, "0,2x3~1,3>2,4  4x5!");
    assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 0, 2), 8);
    networks_free(net);
    // Two of them tie the blocks of 4 and of 9 channels of the layer that they read to ones of 36.
    check(NET(3, 12, 12) CONV(72, 3, 1, relu) REORG(2) ROUTE(0) REORG(3) CONV(5, 1, 1, linear),
          "0x2>4  4x5!");
    // The image spread out: what is added to it stays.
    net = networks_new(
        NET(4, 8, 8) REORG(2) CONV(20, 3, 1, linear) SHORTCUT(0, relu) CONV(5, 1, 1, linear), 1);
    assert_groups(net.groups, "1x1>1,3!  1x4>3  3x5!");
    assert_why(&net, 0, "tied to the image's channels");
    networks_free(net);
}

// ---- Darknet's reorg ----

// A network of one reorg, as text. Its image's sides are multiples of the stride.
static char *reorg_text(int channels, int h, int w, int stride, int reverse) {
    return amc_memory_text("[net]\nchannels=%d\nheight=%d\nwidth=%d\n[reorg]\nstride=%d\n"
                           "reverse=%d\n",
                           channels, h, w, stride, reverse);
}

// Darknet's network after it has run on an input.
static network *run_darknet(const char *text, const float *input) {
    char *path = fixture_write("darknet.cfg", text);
    int kept = fixture_redirect("/dev/null");
    network *net = parse_network_cfg(path);
    fixture_unredirect(kept);
    network_predict(net, (float *)input);
    free(path);
    return net;
}

// Each output channel has pixels of its unit's input channels only, and all pixels are there.
static void check_pixels(const networks_net *net, const layer *l) {
    const int *in = net->groups->image_unit, *out = net->groups->unit[0];
    int pixels = net->graph->h * net->graph->w, out_pixels = l->out_h * l->out_w;
    int *seen = amc_memory_alloc((size_t)l->outputs, sizeof *seen);
    assert_int_equal(l->outputs, net->graph->c * pixels);
    for (int i = 0; i < l->outputs; i++) {
        int from = (int)l->output[i], o = i / out_pixels, c = from / pixels;
        seen[from]++;
        if (in[c] != out[o]) fail_msg("output channel %d has pixels of input channel %d", o, c);
    }
    for (int i = 0; i < l->outputs; i++) assert_int_equal(seen[i], 1);
    free(seen);
}

// The channels without those of one unit, put together; returns how many numbers they are.
static int leave_out(const float *from, const int *units, int channels, int pixels, int unit,
                     float *to) {
    int n = 0;
    for (int c = 0; c < channels; c++) {
        if (units[c] == unit) continue;
        memcpy(to + n, from + (size_t)c * pixels, (size_t)pixels * sizeof *to);
        n += pixels;
    }
    return n;
}

// Without the channels of a unit Darknet's layer gives what it gave, without that unit's channels.
static void check_without(const networks_net *net, const layer *l, const float *input, int unit) {
    const int *in = net->groups->image_unit, *out = net->groups->unit[0];
    int h = net->graph->h, w = net->graph->w;
    float *less = amc_memory_alloc((size_t)l->outputs, sizeof *less);
    float *expected = amc_memory_alloc((size_t)l->outputs, sizeof *expected);
    int n = leave_out(input, in, net->graph->c, h * w, unit, less);
    char *text = reorg_text(n / (h * w), h, w, l->stride, l->reverse);
    network *darknet = run_darknet(text, less);
    assert_int_equal(leave_out(l->output, out, l->out_c, l->out_h * l->out_w, unit, expected), n);
    assert_int_equal(darknet->outputs, n);
    assert_memory_equal(darknet->output, expected, (size_t)n * sizeof *expected);
    fixture_darknet_free(darknet);
    free(text), free(less), free(expected);
}

static void check_reorg(int channels, int h, int w, int stride, int reverse) {
    char *text = reorg_text(channels, h, w, stride, reverse);
    networks_net net = networks_new(text, 1);
    float *input = amc_memory_alloc((size_t)channels * h * w, sizeof *input);
    for (int i = 0; i < channels * h * w; i++) input[i] = (float)i; // says where it comes from
    network *darknet = run_darknet(text, input);
    check_pixels(&net, &darknet->layers[0]);
    int units = net.groups->n_units;
    assert_int_equal(units * stride * stride, channels);
    for (int u = 0; units > 1 && u < units; u++) check_without(&net, &darknet->layers[0], input, u);
    fixture_darknet_free(darknet);
    free(text), free(input);
    networks_free(net);
}

static void test_reorg_as_darknet(void **state) {
    (void)state;
    for (int stride = 1; stride <= 4; stride++)
        for (int blocks = 1; blocks <= 4; blocks++)
            for (int size = 1; size <= 3; size++)
                for (int reverse = 0; reverse < 2; reverse++)
                    check_reorg(blocks * stride * stride, size * stride, (4 - size) * stride,
                                stride, reverse);
    check_reorg(64, 26, 26, 2, 0); // yolov2's
    check_reorg(12, 5, 7, 2, 1);   // sides that the stride doesn't divide
    check_reorg(18, 1, 4, 3, 1);
}

// ---- boundaries ----

typedef struct boundary {
    const char *cfg;  // a layer that reads an image of 8 x 8 x 30
    const char *name; // of the boundary in messages
} boundary;

static const boundary boundaries[] = {
    {LRN(5), "normalization"},
    {"[lrn]\n", "normalization"},
    {L2NORM(), "l2norm"},
    {LOCAL(6, 3, 1, relu), "local"},
    {DECONV(6, 3, 2, relu), "deconvolutional"},
    {BN_DECONV(6, 3, 1, relu), "deconvolutional"},
    {BATCHNORM(), "batchnorm"},
    {SOFTMAX(), "softmax"},
    {LOGISTIC_LOSS(), "logistic"},
    {"[detection]\nside=8\nnum=2\ncoords=4\nclasses=20\n", "detection"},
    {"[region]\nclasses=1\nnum=5\n", "region"},
    {"[yolo]\nclasses=5\nnum=3\n", "yolo"},
    {"[reorg]\nextra=3\n", "reorg"},
    {"[reorg]\nflatten=1\n", "reorg"},
    {MAXPOOL(2, 2) ROUTE(-1, -2), "route"}, // of two sizes
};
enum { BOUNDARIES = sizeof boundaries / sizeof *boundaries };

// What it reads stays, what it makes is nobody's, and before and behind it the network is pruned.
static void test_boundaries(void **state) {
    (void)state;
    for (int i = 0; i < BOUNDARIES; i++) {
        char *text =
            amc_memory_text("%s%s%s", NET(3, 8, 8) CONV(9, 3, 1, relu) CONV(30, 1, 1, relu),
                            boundaries[i].cfg, CONNECTED(12, relu) CONNECTED(5, linear));
        networks_net net = networks_new(text, 1);
        int at = net.graph->n - 3; // the boundary
        check_invariants(&net);
        char *groups =
            amc_memory_text("0x9>1  1x30>%d!  %dx12>%d  %dx5!", at, at + 1, at + 2, at + 2);
        assert_groups(net.groups, groups);
        char *why = amc_memory_text("read by layer %d (%s)", at, boundaries[i].name);
        assert_why(&net, 1, why);
        for (int c = 0; c < net.graph->layers[at].out_c; c++)
            assert_int_equal(net.groups->group_of[net.groups->unit[at][c]], -1);
        assert_int_equal(amc_channel_groups_each(net.groups, net.graph, 1, at), 0);
        free(text), free(groups), free(why);
        networks_free(net);
    }
}

// As the network's last layer, before and behind a cost.
static void test_boundaries_at_the_end(void **state) {
    (void)state;
    for (int i = 0; i < BOUNDARIES; i++)
        for (int cost = 0; cost < 2; cost++) {
            char *text =
                amc_memory_text("%s%s%s", NET(3, 8, 8) CONV(9, 3, 1, relu) CONV(30, 1, 1, relu),
                                boundaries[i].cfg, cost ? COST() : "");
            networks_net net = networks_new(text, 1);
            char *groups = amc_memory_text("0x9>1  1x30>%d!", amc_layer_graph_output(net.graph));
            check_invariants(&net);
            assert_groups(net.groups, groups);
            free(text), free(groups);
            networks_free(net);
        }
}

// A cost reads what is the output all the same.
static void test_cost(void **state) {
    (void)state;
    networks_net net =
        networks_new(NET(3, 8, 8) CONV(9, 3, 1, relu) CONV(5, 1, 1, relu) AVGPOOL() COST(), 1);
    assert_described(net.groups, true, "0x9>1  1x5~2>3!");
    assert_why(&net, 1, "read by layer 3 (cost)");
    networks_free(net);
}

// What is tied to the channels that a boundary makes stays too.
static void test_tied_to_boundaries(void **state) {
    (void)state;
    networks_net net =
        networks_new(NET(3, 8, 8) CONV(9, 3, 1, relu) "[local]\nfilters=7\nsize=3\npad=1\n" CONV(
                         12, 3, 1, linear) SHORTCUT(1, relu) CONV(5, 3, 1, linear),
                     1);
    check_invariants(&net);
    assert_described(net.groups, true, "0x9>1!  2x7~3>2,4!  2x5~3>4  4x5!");
    assert_why(&net, 0, "read by layer 1 (local)");
    assert_why(&net, 1, "tied to the channels of layer 1 (local)");
    networks_free(net);
    // The other side of the sum; and through a depthwise convolution.
    net = networks_new(NET(3, 8, 8) CONV(9, 3, 1, relu) CONV(6, 3, 1, relu) LRN(3) SHORTCUT(0, relu)
                           DEPTHWISE(6, 1) CONV(5, 3, 1, linear),
                       1);
    check_invariants(&net);
    assert_described(net.groups, true, "0,4x6~3>1,4,5!  0x3~3>1  1x6>2!  5x5!");
    assert_why(&net, 0, "tied to the channels of layer 2 (normalization)");
    assert_why(&net, 2, "read by layer 2 (normalization)");
    networks_free(net);
    // A whole block is tied as soon as one of its channels is.
    net = networks_new(NET(3, 8, 8) "[deconvolutional]\nfilters=2\n" CONV(12, 3, 1, relu)
                           SHORTCUT(0, relu) REORG(2) CONV(5, 3, 1, linear),
                       1);
    assert_groups(net.groups, "1x1>1,4!  1x2>4  4x5!");
    assert_why(&net, 0, "tied to the channels of layer 0 (deconvolutional)");
    networks_free(net);
}

// Where several things keep a channel, the first that is met in network order says why.
static void test_first_reason(void **state) {
    (void)state;
    networks_net net =
        networks_new(NET(3, 8, 8) CONV(8, 3, 1, relu) LRN(3) ROUTE(0) L2NORM() ROUTE(0), 1);
    assert_described(net.groups, true, "0x8~2,4>1,3!");
    assert_why(&net, 0, "read by layer 1 (normalization)");
    networks_free(net);
    net = networks_new(
        NET(3, 8, 8) CONV(5, 3, 1, relu) "[yolo]\nclasses=0\n" ROUTE(0) CONV(6, 3, 1, relu), 1);
    assert_groups(net.groups, "0x5>1,3!  3x6!");
    assert_why(&net, 0, "read by layer 1 (yolo)");
    assert_why(&net, 1, "the network's output");
    networks_free(net);
}

// ---- requests ----

static void test_skip(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net = networks_new(NET(3, 8, 8) CONV(16, 3, 1, relu) CONV(10, 3, 1, linear)
                                        SHORTCUT(0, relu) CONV(7, 3, 1, relu) CONV(5, 3, 1, linear),
                                    1);
    assert_groups(net.groups, "0,1x10>1,3  0x6>1  3x7>4  4x5!");
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 1, &err), 0);
    assert_groups(net.groups, "0,1x10>1,3!  0x6>1  3x7>4  4x5!");
    assert_string_equal(net.groups->groups[0].why, "skipped by request (layer 1)");
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 0, &err),
                     0); // both of its groups
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 4, &err), 0); // fixed anyway
    assert_groups(net.groups, "0,1x10>1,3!  0x6>1!  3x7>4  4x5!");
    assert_string_equal(net.groups->groups[0].why, "skipped by request (layer 1)");
    assert_string_equal(net.groups->groups[3].why, "the network's output");

    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 2, &err), -1);
    networks_assert_error(&err, net.path, 19, "layer 2 (shortcut) has no filters to keep");
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, 5, &err), -1);
    networks_assert_error(&err, net.path, 0, "there is no layer 5, expected 0 to 4");
    assert_int_equal(amc_channel_groups_skip(net.groups, net.graph, -1, &err), -1);
    networks_assert_error(&err, net.path, 0, "there is no layer -1");
    networks_free(net);
}

// Real networks, whose groups are known from their structure: one a convolution or connected layer,
// less those that shortcuts tie to each other.
static void test_real_networks(void **state) {
    (void)state;
    static const struct {
        const char *path;
        int groups, prunable;
    } cases[] = {
        {"cfg/plain20.cfg", 20, 19},
        // 13 convolutions, two of them read by a yolo. Routes and upsample tie nothing.
        {"darknet/cfg/yolov3-tiny.cfg", 13, 11},
        // 23 convolutions, the last one read by a region; one of 64 channels goes through a reorg.
        {"darknet/cfg/yolov2.cfg", 23, 22},
        {"darknet/cfg/darknet53.cfg", 30, 29}, // 52 convolutions, 23 of them tied in 5 stages
        {"darknet/cfg/densenet201.cfg", 201, 200},
        // 24 convolutions and a connected layer; local reads the last of those, detection this one.
        {"darknet/cfg/yolov1.cfg", 25, 23},
        // darknet53's 29 and 23 convolutions of its head, three of them read by a yolo.
        {"darknet/cfg/yolov3.cfg", 52, 49},
        // 16 blocks of two convolutions, the stem and each of four widths (a stage's sums begin
        // with the channels of the stage before), and the 1000 classes.
        {"darknet/cfg/resnet50.cfg", 16 * 2 + 5 + 1, 16 * 2 + 5},
        // The same with a grouped convolution in each block, tied to the one before it.
        {"darknet/cfg/resnext50.cfg", 16 + 5 + 1, 16 + 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        networks_net net = {.graph = fixture_graph(cases[i].path)};
        net.groups = amc_channel_groups_new(net.graph);
        int prunable = 0;
        for (int g = 0; g < net.groups->n; g++) prunable += net.groups->groups[g].prunable;
        assert_int_equal(net.groups->n, cases[i].groups);
        assert_int_equal(prunable, cases[i].prunable);
        check_invariants(&net);
        networks_free(net);
    }
}

// The group that makes layer l's channel c.
static const amc_channel_group *maker(const networks_net *net, int l, int c) {
    return &net->groups->groups[net->groups->group_of[net->groups->unit[l][c]]];
}

static void test_real_groups(void **state) {
    (void)state;
    networks_net net = {.graph = fixture_graph("darknet/cfg/yolov2.cfg")};
    net.groups = amc_channel_groups_new(net.graph);
    const amc_channel_group *group = maker(&net, 26, 0); // 64 channels before the reorg, 27
    assert_int_equal(group->n_units, 16);
    assert_int_equal(group->n_followers, 2); // the reorg and the route behind it
    assert_int_equal(group->followers[0], 27);
    assert_int_equal(group->followers[1], 28);
    assert_int_equal(group->n_consumers, 1);
    assert_int_equal(group->consumers[0], 29);
    assert_string_equal(maker(&net, 30, 0)->why, "read by layer 31 (region)");
    networks_free(net);

    net = (networks_net){.graph = fixture_graph("darknet/cfg/yolov1.cfg")};
    net.groups = amc_channel_groups_new(net.graph);
    assert_string_equal(maker(&net, 27, 0)->why, "read by layer 28 (local)");
    assert_string_equal(maker(&net, 30, 0)->why, "read by layer 31 (detection)");
    networks_free(net);

    // Of resnext50's stages the first 64 channels are the stem's, the next 192 the first stage's.
    net = (networks_net){.graph = fixture_graph("darknet/cfg/resnext50.cfg")};
    net.groups = amc_channel_groups_new(net.graph);
    int last = 0;
    while (net.graph->layers[last].out_c < 2048) last++; // the last stage's first convolution
    static const int widths[][2] = {{0, 64}, {64, 192}, {256, 256}, {512, 512}, {1024, 1024}};
    for (int i = 0; i < 5; i++) {
        group = maker(&net, last, widths[i][0]);
        assert_int_equal(group->n_units, widths[i][1]);
        assert_ptr_equal(maker(&net, last, widths[i][0] + widths[i][1] - 1), group);
    }
    assert_int_equal(maker(&net, 0, 0)->n_layers, 17);  // the stem and the last one of 16 blocks
    assert_int_equal(maker(&net, 4, 64)->n_layers, 16); // without the stem
    assert_int_equal(maker(&net, last, 2047)->n_layers, 3);
    group = maker(&net, 2, 0); // 128 channels in 32 blocks
    assert_int_equal(group->n_units, 32);
    assert_int_equal(group->n_layers, 2);
    networks_free(net);
}

static void test_invariants(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        check_invariants(&net);
        networks_free(net);
    }
    amc_channel_groups_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_shortcuts),
        cmocka_unit_test(test_shortcut_units_are_channels),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_depthwise),
        cmocka_unit_test(test_grouped),
        cmocka_unit_test(test_connected),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_passed_on),
        cmocka_unit_test(test_reorg),
        cmocka_unit_test(test_reorg_back),
        cmocka_unit_test(test_reorg_coupled),
        cmocka_unit_test(test_reorg_as_darknet),
        cmocka_unit_test(test_boundaries),
        cmocka_unit_test(test_boundaries_at_the_end),
        cmocka_unit_test(test_cost),
        cmocka_unit_test(test_tied_to_boundaries),
        cmocka_unit_test(test_first_reason),
        cmocka_unit_test(test_skip),
        cmocka_unit_test(test_real_networks),
        cmocka_unit_test(test_real_groups),
        cmocka_unit_test(test_invariants),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
