// Costs: multiply-accumulates against a count that goes through every single one, against what
// `darknet ops` counts in every .cfg that comes with Darknet or the project, and against the
// operations that Darknet's authors publish; parameters against the files that Darknet writes;
// counts against the graph that they leave.

#include "model/cost_model.h"
#include "model/slice.h"
#include "support/networks.h"

#include <sys/stat.h>

// ---- whole networks ----

// Layers with weights that networks_all lacks.
static const char *const others[] = {
    NET(3, 9, 8) LOCAL(5, 3, 2, relu) CONV(6, 3, 1, relu) "[local]\nfilters=4\nsize=3\npad=1\n",
    NET(3, 5, 6) CONV(6, 3, 1, relu) DECONV(7, 3, 2, relu) BN_DECONV(4, 4, 3, relu) BATCHNORM(),
};
enum { OTHERS = sizeof others / sizeof *others };

static networks_net network_number(int i) {
    return networks_new(i < NETWORKS ? networks_all[i].cfg : others[i - NETWORKS], 1);
}

// One by one: for each position that its filters are laid on, each filter, each input of its block,
// each tap.
static int64_t count_one_by_one(const amc_layer *layer) {
    int64_t macs = 0;
    int positions = 0;
    if (layer->type == AMC_CONNECTED)
        for (int o = 0; o < layer->out_c; o++)
            for (int i = 0; i < layer->c * layer->h * layer->w; i++) macs++;
    if (layer->type == AMC_CONVOLUTIONAL || layer->type == AMC_LOCAL)
        positions = layer->out_h * layer->out_w;
    if (layer->type == AMC_DECONVOLUTIONAL) positions = layer->h * layer->w;
    for (int at = 0; at < positions; at++)
        for (int o = 0; o < layer->out_c; o++)
            for (int i = 0; i < layer->c; i++) {
                bool reads = o * layer->groups / layer->out_c == i * layer->groups / layer->c;
                if (reads) macs += layer->size * layer->size;
            }
    return macs;
}

static void test_macs_one_by_one(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS + OTHERS; i++) {
        networks_net net = network_number(i);
        int64_t sum = 0;
        for (int l = 0; l < net.graph->n; l++) {
            int64_t macs = count_one_by_one(&net.graph->layers[l]);
            assert_int_equal(amc_cost_layer_macs(&net.graph->layers[l]), macs);
            sum += macs;
        }
        assert_int_equal(amc_cost_macs(net.graph), sum);
        networks_free(net);
    }
}

static void test_params_are_the_files_floats(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS + OTHERS; i++) {
        networks_net net = network_number(i);
        int64_t sum = 0;
        for (int l = 0; l < net.graph->n; l++) {
            const amc_layer_weights *w = &net.weights->layers[l];
            int64_t params = w->n_weights + (w->scales ? 4 : 1) * (int64_t)w->n;
            if (net.graph->layers[l].type == AMC_BATCHNORM) params -= w->n; // its biases are 0
            assert_int_equal(amc_cost_layer_params(&net.graph->layers[l]), params);
            sum += params;
        }
        assert_int_equal(amc_cost_params(net.graph), sum);
        networks_free(net);
    }
}

// ---- every .cfg, by two counts of others ----

typedef struct tally {
    int64_t ops;    // two a multiply-accumulate
    int64_t floats; // in the .weights file
} tally;

// numops of darknet/examples/darknet.c, which leaves out local and deconvolutional layers.
static int64_t count_operations(const network *net) {
    int64_t ops = 0;
    for (int i = 0; i < net->n; ++i) {
        layer l = net->layers[i];
        if (l.type == CONVOLUTIONAL)
            ops += 2l * l.n * l.size * l.size * l.c / l.groups * l.out_h * l.out_w;
        else if (l.type == CONNECTED)
            ops += 2l * l.inputs * l.outputs;
        else if (l.type == LOCAL)
            ops += 2l * l.n * l.size * l.size * l.c * l.out_h * l.out_w;
        else if (l.type == DECONVOLUTIONAL)
            ops += 2l * l.n * l.size * l.size * l.c * l.h * l.w;
    }
    return ops;
}

// What Darknet itself makes of the .cfg, for a batch of one image, and the length of the weights
// file that it writes.
static tally darknets_tally(const amc_cfg_text *cfg) {
    struct stat info;
    amc_error err = {""};
    char *path = fixture_path("single.cfg"), *weights = fixture_path("darknets.weights");
    amc_cfg_text *single = amc_cfg_text_copy(cfg);
    amc_cfg_text_set_int(single, 0, "batch", 1);
    amc_cfg_text_set_int(single, 0, "subdivisions", 1);
    assert_int_equal(amc_cfg_text_save(single, path, &err), 0);
    int kept = fixture_redirect("/dev/null");
    network *net = parse_network_cfg(path);
    save_weights(net, weights);
    fixture_unredirect(kept);
    assert_int_equal(stat(weights, &info), 0);
    assert_int_equal(info.st_size % 4, 0);
    tally sum = {count_operations(net), info.st_size / 4 - 5}; // less the header
    fixture_darknet_free(net);
    amc_cfg_text_free(single);
    unlink(weights);
    free(path), free(weights);
    return sum;
}

// Networks too large for Darknet to make in a test are counted from their text: an interpreter of
// its own, on Darknet's own reader of the text, for what the 45 files hold.
typedef struct darknet_section { // as in Darknet's parser.c
    char *type;
    list *options;
} darknet_section;

int option_find_int_quiet(list *options, char *key, int missing);
char *option_find(list *options, char *key);

typedef struct shape {
    int64_t c, h, w;
} shape;

static int64_t option(const darknet_section *s, const char *key, int missing) {
    return option_find_int_quiet(s->options, (char *)key, missing);
}

static bool is(const darknet_section *s, const char *type) {
    return strcmp(s->type, type) == 0;
}

static shape slid(shape in, int64_t c, int64_t size, int64_t stride, int64_t total_padding) {
    return (shape){c, (in.h + total_padding - size) / stride + 1,
                   (in.w + total_padding - size) / stride + 1};
}

static shape interpret_filters(const darknet_section *s, shape in, tally *sum) {
    int64_t n = option(s, "filters", 1), size = option(s, "size", 1);
    int64_t pad = option(s, "pad", 0) ? size / 2 : option(s, "padding", 0);
    shape out = slid(in, n, size, option(s, "stride", 1), 2 * pad);
    int64_t filters = is(s, "[local]") ? n * out.h * out.w : n; // with weights of their own
    int64_t weights = filters * size * size * in.c / option(s, "groups", 1);
    sum->ops += 2 * weights * (is(s, "[local]") ? 1 : out.h * out.w);
    sum->floats += weights + filters * (option(s, "batch_normalize", 0) ? 4 : 1);
    return out;
}

static shape interpret_connected(const darknet_section *s, shape in, tally *sum) {
    int64_t n = option(s, "output", 1), weights = n * in.c * in.h * in.w;
    sum->ops += 2 * weights;
    sum->floats += weights + n * (option(s, "batch_normalize", 0) ? 4 : 1);
    return (shape){n, 1, 1};
}

static shape interpret_route(const darknet_section *s, const shape *layers, int index) {
    shape out = {0, 0, 0};
    for (char *item = option_find(s->options, "layers"); item; item = strchr(item, ',')) {
        item += *item == ',';
        int from = atoi(item) + (atoi(item) < 0 ? index : 0);
        out = (shape){out.c + layers[from].c, layers[from].h, layers[from].w};
    }
    return out;
}

static shape interpret(const darknet_section *s, const shape *layers, int index, shape in,
                       tally *sum) {
    int64_t stride = option(s, "stride", 1), size = option(s, "size", (int)stride);
    if (is(s, "[convolutional]") || is(s, "[local]")) return interpret_filters(s, in, sum);
    if (is(s, "[connected]")) return interpret_connected(s, in, sum);
    if (is(s, "[route]")) return interpret_route(s, layers, index);
    if (is(s, "[maxpool]"))
        return slid(in, in.c, size, stride, option(s, "padding", (int)size - 1));
    if (is(s, "[avgpool]")) return (shape){in.c, 1, 1};
    if (is(s, "[upsample]")) return (shape){in.c, in.h * stride, in.w * stride};
    if (is(s, "[reorg]")) return (shape){in.c * stride * stride, in.h / stride, in.w / stride};
    if (is(s, "[crop]"))
        return (shape){in.c, option(s, "crop_height", 1), option(s, "crop_width", 1)};
    static const char *same[] = {"[shortcut]", "[dropout]",   "[softmax]", "[cost]",
                                 "[region]",   "[detection]", "[yolo]"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (is(s, same[i])) return in;
    fail_msg("%s", s->type);
    return in;
}

static tally interpreted_tally(const char *path) {
    tally sum = {0, 0};
    list *sections = read_cfg((char *)path);
    const darknet_section *net = sections->front->val;
    shape in = {option(net, "channels", 0), option(net, "height", 0), option(net, "width", 0)};
    shape *layers = amc_memory_alloc((size_t)sections->size, sizeof *layers);
    int index = 0;
    for (const node *at = sections->front->next; at; at = at->next, index++)
        in = layers[index] = interpret(at->val, layers, index, in, &sum);
    free(layers);
    return sum;
}

// Darknet takes seconds to make many weights, and more under sanitizers.
#ifdef AMC_SAN
enum { MOST_PARAMS = 5000000 };
#else
enum { MOST_PARAMS = 14000000 };
#endif
static int counted_files, recurrent_files, made_files;

static void assert_tally(const char *path, const char *who, const amc_layer_graph *graph,
                         tally sum) {
    int64_t ops = 2 * amc_cost_macs(graph), floats = amc_cost_params(graph);
    if (ops != sum.ops || floats != sum.floats)
        fail_msg("%s: %lld operations and %lld parameters, but %s counts %lld and %lld", path,
                 (long long)ops, (long long)floats, who, (long long)sum.ops, (long long)sum.floats);
}

static void check_file(const char *path) {
    amc_error err = {""};
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    assert_non_null(cfg);
    amc_layer_graph *graph = amc_layer_graph_new(cfg, &err);
    if (!graph) {
        assert_non_null(strstr(err.text, "is a recurrent layer"));
        recurrent_files++;
    } else {
        assert_tally(path, "an interpreter", graph, interpreted_tally(path));
        counted_files++;
        if (amc_cost_params(graph) <= MOST_PARAMS) {
            assert_tally(path, "Darknet", graph, darknets_tally(cfg));
            made_files++;
        }
    }
    amc_layer_graph_free(graph);
    amc_cfg_text_free(cfg);
}

static void test_files_cost_what_darknet_counts(void **state) {
    (void)state;
    int files = networks_each_cfg(check_file);
    assert_int_equal(recurrent_files, 3); // gru, rnn and rnn.train
    assert_int_equal(counted_files, files - 3);
    assert_true(files >= 45 && made_files >= 5);
}

// The layers that those files lack.
static void test_others_cost_what_darknet_counts(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS + OTHERS; i++) {
        networks_net net = network_number(i);
        assert_tally(net.path, "Darknet", net.graph, darknets_tally(net.cfg));
        networks_free(net);
    }
}

// Billions of operations, two a multiply-accumulate, as on pjreddie.com/darknet/imagenet.
static void test_published_operations(void **state) {
    (void)state;
    static const struct {
        const char *name;
        double giga_operations;
    } published[] = {
        {"alexnet", 2.27},    {"darknet", 0.96},    {"extraction", 8.52},   {"darknet19", 7.29},
        {"resnet18", 4.69},   {"resnet34", 9.52},   {"resnet50", 9.74},     {"resnet101", 19.70},
        {"darknet53", 18.57}, {"resnext50", 10.11}, {"densenet201", 10.85}, {"resnet152", 29.39},
    };
    for (size_t i = 0; i < sizeof published / sizeof *published; i++) {
        char *path = amc_memory_text("darknet/cfg/%s.cfg", published[i].name);
        amc_layer_graph *graph = fixture_graph(path);
        double giga = 2e-9 * (double)amc_cost_macs(graph);
        if (fabs(giga - published[i].giga_operations) > 0.011)
            fail_msg("%s: %.3f", published[i].name, giga);
        amc_layer_graph_free(graph);
        free(path);
    }
}

// ---- counts ----

static void check_counts(const networks_net *net, const amc_cost_model *model, const int *counts,
                         amc_rng *rng) {
    amc_prune_plan *plan = networks_plan(net->groups, counts, rng);
    amc_layer_graph *small = amc_slice_graph(net->graph, net->groups, plan);
    assert_int_equal(amc_cost_model_macs(model, counts), amc_cost_macs(small));
    assert_int_equal(amc_cost_model_params(model, counts), amc_cost_params(small));
    for (int l = 0; l < small->n; l++) {
        const amc_layer *layer = &small->layers[l];
        assert_int_equal(amc_cost_model_layer_macs(model, counts, l), amc_cost_layer_macs(layer));
        assert_int_equal(amc_cost_model_layer_params(model, counts, l),
                         amc_cost_layer_params(layer));
    }
    amc_layer_graph_free(small);
    amc_prune_plan_free(plan);
}

static void check_network(const networks_net *net, int rounds) {
    amc_rng rng;
    amc_rng_init(&rng, 7);
    amc_cost_model *model = amc_cost_model_new(net->graph, net->groups);
    for (int i = 0; i < rounds; i++) {
        int *counts = networks_random_counts(net->groups, &rng);
        check_counts(net, model, counts, &rng);
        free(counts);
    }
    amc_cost_model_free(model);
}

static void test_counts_cost_what_the_slice_costs(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        check_network(&net, 40);
        networks_free(net);
    }
    static const char *paths[] = {"cfg/resnet56.cfg", "cfg/vgg16.cfg", "darknet/cfg/resnext50.cfg",
                                  "darknet/cfg/densenet201.cfg"};
    for (int i = 0; i < 4; i++) {
        networks_net net = {.graph = fixture_graph(paths[i])};
        net.groups = amc_channel_groups_new(net.graph);
        check_network(&net, 10);
        networks_free(net);
    }
    amc_cost_model_free(NULL);
}

// Every unit of a group costs the same, which is what lets counts be priced without a plan.
static void test_units_are_interchangeable(void **state) {
    (void)state;
    for (int i = 0; i < NETWORKS; i++) {
        networks_net net = networks_new(networks_all[i].cfg, 1);
        for (int g = 0; g < net.groups->n; g++) {
            const amc_channel_group *group = &net.groups->groups[g];
            int64_t first = 0;
            for (int u = 0; group->n_units > 1 && u < group->n_units; u++) {
                amc_prune_plan *plan = amc_prune_plan_new(net.groups);
                plan->kept[group->units[u]] = 0;
                amc_layer_graph *small = amc_slice_graph(net.graph, net.groups, plan);
                int64_t macs = amc_cost_macs(small);
                if (u == 0) first = macs;
                assert_int_equal(macs, first);
                assert_true(macs < amc_cost_macs(net.graph));
                amc_layer_graph_free(small);
                amc_prune_plan_free(plan);
            }
        }
        networks_free(net);
    }
}

// ---- rounding ----

static void test_step(void **state) {
    (void)state;
    // Group 0: layers 0 and 1, of 4 and 6 channels a unit. Group 1: 20 plain channels.
    networks_net net = networks_new(NET(3, 8, 8) CONV(32, 3, 1, relu) GROUPED(48, 8, 3, 1, relu)
                                        CONV(20, 1, 1, relu) CONV(5, 1, 1, linear),
                                    1);
    amc_cost_model *model = amc_cost_model_new(net.graph, net.groups);
    static const int cases[][3] = {
        // round, step of group 0, step of group 1
        {1, 1, 1}, {2, 1, 2}, {4, 2, 4}, {8, 4, 8}, {3, 3, 3}, {16, 8, 16}, {64, 8, 20},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(amc_cost_model_step(model, 0, cases[i][0]), cases[i][1]);
        assert_int_equal(amc_cost_model_step(model, 1, cases[i][0]), cases[i][2]);
    }
    amc_cost_model_free(model);
    networks_free(net);
}

static void test_round(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 8, 8) CONV(20, 3, 1, relu) CONV(5, 1, 1, linear), 1);
    amc_cost_model *model = amc_cost_model_new(net.graph, net.groups);
    static const struct {
        double ratio;
        int round, count;
    } cases[] = {
        {1, 1, 20},   {0.5, 1, 10},   {0.524, 1, 10}, {0.526, 1, 11}, {0, 1, 1},     {0.01, 1, 1},
        {0.01, 8, 8}, {0.59, 8, 8},   {0.61, 8, 16},  {0.9, 8, 16},   {0.91, 8, 20}, {1, 8, 20},
        {1, 16, 20},  {0.85, 16, 16}, {1, 64, 20},    {0.01, 64, 20}, {1, 4, 20},    {0.89, 4, 16},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(amc_cost_model_round(model, 0, cases[i].ratio, cases[i].round),
                         cases[i].count);
    // More is never less.
    for (int round = 1; round <= 24; round++)
        for (int i = 1; i <= 1000; i++)
            assert_true(amc_cost_model_round(model, 0, i / 1000.0, round) >=
                        amc_cost_model_round(model, 0, (i - 1) / 1000.0, round));
    amc_cost_model_free(model);
    networks_free(net);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_macs_one_by_one),
        cmocka_unit_test(test_params_are_the_files_floats),
        cmocka_unit_test(test_files_cost_what_darknet_counts),
        cmocka_unit_test(test_others_cost_what_darknet_counts),
        cmocka_unit_test(test_published_operations),
        cmocka_unit_test(test_counts_cost_what_the_slice_costs),
        cmocka_unit_test(test_units_are_interchangeable),
        cmocka_unit_test(test_step),
        cmocka_unit_test(test_round),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
