// Every network is pruned exactly: random graphs of every kind of layer, and every convolutional
// .cfg of Darknet's and ours at full width. The pair that a plan gives is written to files and
// computed by Darknet; each of its layers agrees with the original's, the consumers of the removed
// channels zeroed.

#include "host/hooks.h"
#include "support/exact.h"
#include "support/random_network.h"

#include <limits.h>

#define BOUND 1e-4   // largest difference allowed, relative to the largest magnitude of a layer
#define CHANGED 1e-3 // by how much pruning changes the output, nearly always

// What there is time for; less with sanitizers or Darknet's kernels.
#ifdef AMC_SAN
enum { GRAPHS = 100, FEW_WEIGHTS = 12000000 };
#else
enum { GRAPHS = 200, FEW_WEIGHTS = INT_MAX };
#endif

static int plans_each(void) {
#ifdef AMC_SAN
    return 1;
#else
    return networks_are_stock() ? 1 : 3;
#endif
}

// Darknet fills every layer with random normal numbers before it reads the file. With libc's rand()
// that would be most of this program's time; they are never used.
int rand(void) {
    return 0;
}

// ---- the original, computed by Darknet once for all plans ----

typedef struct subject {
    const char *name;
    networks_net net;
    network *darknet; // the original; its weights are those that were set last
    float *input;
    float *output; // of the original with its own weights
} subject;

// How many plans there were, and how many changed the output.
typedef struct tally {
    int plans, changed;
} tally;

static network *parse(const amc_cfg_text *cfg) {
    amc_error err = {""};
    char *path = fixture_path("whole.cfg");
    if (amc_cfg_text_save(cfg, path, &err) < 0) fail_msg("%s", err.text);
    int kept = fixture_redirect("/dev/null");
    network *net = parse_network_cfg(path);
    set_batch_network(net, 1);
    fixture_unredirect(kept);
    free(path);
    return exact_without_truth(net);
}

static void set_values(float *to, const float *from, int64_t n) {
    if (from) memcpy(to, from, (size_t)n * sizeof *to);
}

static void set_layer(const layer *to, const amc_layer_weights *from) {
    set_values(to->biases, from->biases, from->n);
    set_values(to->scales, from->scales, from->n);
    set_values(to->rolling_mean, from->means, from->n);
    set_values(to->rolling_variance, from->variances, from->n);
    if (from->n_weights) set_values(to->weights, from->weights, from->n_weights);
}

static void set_weights(network *net, const amc_weights *weights) {
    for (int l = 0; l < net->n; l++) set_layer(&net->layers[l], &weights->layers[l]);
}

static subject subject_new(const char *name, networks_net net, uint64_t seed) {
    subject s = {.name = name, .net = net, .darknet = parse(net.cfg)};
    s.input = fixture_input(s.darknet->inputs, seed);
    return s;
}

static void subject_run_whole(subject *s) {
    set_weights(s->darknet, s->net.weights);
    network_predict(s->darknet, s->input);
    s->output = amc_memory_copy(s->darknet->output, (size_t)s->darknet->outputs, sizeof(float));
}

static void subject_free(subject *s) {
    free(s->input), free(s->output);
    fixture_darknet_free(s->darknet);
    networks_free(s->net);
}

static void check_plan(subject *s, const amc_prune_plan *plan, tally *t) {
    const networks_net *net = &s->net;
    amc_weights *zeroed = amc_slice_zeroed(net->graph, net->groups, plan, net->weights);
    set_weights(s->darknet, zeroed);
    amc_weights_free(zeroed);
    network_predict(s->darknet, s->input);

    exact_pruned small = exact_prune(net, plan);
    network *files = exact_run_files(small.cfg, small.graph, small.weights);
    exact_free_pruned(small);
    network_predict(files, s->input);
    exact_assert_layers(s->name, net, plan, files, s->darknet, BOUND);
    t->plans++;
    t->changed += fill_difference(files->output, s->output, (size_t)files->outputs) > CHANGED;
    fixture_darknet_free(files);
}

static bool removes(const amc_prune_plan *plan) {
    return memchr(plan->kept, 0, (size_t)plan->n_units) != NULL;
}

static void check_plans(subject *s, amc_rng *rng, tally *t) {
    for (int i = 0; i < plans_each(); i++) {
        amc_prune_plan *plan = networks_random_plan(s->net.groups, rng);
        for (int tries = 0; tries < 50 && !removes(plan); tries++) { // small networks lose nothing
            amc_prune_plan_free(plan);
            plan = networks_random_plan(s->net.groups, rng);
        }
        check_plan(s, plan, t);
        amc_prune_plan_free(plan);
    }
}

// Had the plans removed nothing that counts, agreement would prove little. share: of the plans.
static void assert_changed(const tally *t, double share) {
    if (t->changed < t->plans * share)
        fail_msg("only %d of %d plans changed the output", t->changed, t->plans);
}

// ---- random graphs ----

// Whether the kernels in use compute the graph rightly: Darknet's own ignore the stride and the
// padding of a 1x1 convolution.
static bool is_computed(const amc_layer_graph *graph) {
    for (int l = 0; networks_are_stock() && l < graph->n; l++) {
        const amc_layer *layer = &graph->layers[l];
        if (layer->type == AMC_CONVOLUTIONAL && layer->size == 1 &&
            (layer->stride > 1 || layer->pad > 0))
            return false;
    }
    return true;
}

static networks_net random_net(uint64_t seed) {
    amc_rng rng;
    amc_rng_init(&rng, seed);
    char *text = random_network_cfg(&rng);
    networks_net net = networks_new(text, seed);
    free(text);
    return net;
}

static void check_random_graph(uint64_t seed, tally *t) {
    networks_net net = random_net(seed);
    if (!is_computed(net.graph)) {
        networks_free(net);
        return;
    }
    amc_rng rng;
    amc_rng_init(&rng, seed);
    char *name = amc_memory_text("random network %d", (int)seed);
    subject s = subject_new(name, net, seed);
    subject_run_whole(&s);
    check_plans(&s, &rng, t);
    subject_free(&s);
    free(name);
}

static void test_random_graphs(void **state) {
    (void)state;
    tally t = {0};
    amc_hooks_install();
    for (int seed = 1; seed <= GRAPHS; seed++) check_random_graph((uint64_t)seed, &t);
    assert_in_range(t.plans, GRAPHS * plans_each() / 2, GRAPHS * plans_each());
    assert_changed(&t, 0.95); // some only lose what nothing reads
}

// How often a kind of layer or coupling was seen.
static struct {
    const char *kind;
    int count;
} seen[64];

static void see(const char *kind, bool is) {
    int i = 0;
    while (seen[i].kind && strcmp(seen[i].kind, kind) != 0) i++;
    seen[i].kind = kind;
    seen[i].count += is;
}

// The type of the layer that input `which` comes from; AMC_LAYER_TYPES for the image.
static amc_layer_type type_of_input(const amc_layer_graph *graph, int l, int which) {
    int from = graph->layers[l].inputs[which];
    return from == AMC_NETWORK_INPUT ? AMC_LAYER_TYPES : graph->layers[from].type;
}

static void see_convolution(const amc_layer_graph *graph, int l) {
    const amc_layer *layer = &graph->layers[l];
    bool is = layer->type == AMC_CONVOLUTIONAL;
    see("1x1 convolution", is && layer->size == 1);
    see("3x3 convolution", is && layer->size == 3);
    see("5x5 convolution", is && layer->size == 5);
    see("strided 1x1 convolution", is && layer->size == 1 && layer->stride == 2);
    see("strided convolution", is && layer->size > 1 && layer->stride == 2);
    see("convolution with batch normalization", is && layer->batch_normalize);
    see("convolution without batch normalization", is && !layer->batch_normalize);
    bool depthwise = is && layer->groups > 1 && layer->groups == layer->c;
    see("depthwise convolution", depthwise && layer->out_c == layer->c);
    see("depthwise convolution of 2 filters", depthwise && layer->out_c == 2 * layer->c);
    see("grouped convolution", is && layer->groups > 1 && !depthwise);
    see("grouped convolution after route",
        is && layer->groups > 1 && type_of_input(graph, l, 0) == AMC_ROUTE);
    see("convolution after connected", is && type_of_input(graph, l, 0) == AMC_CONNECTED);
}

static void see_shortcut(const amc_layer_graph *graph, int l) {
    const amc_layer *layer = &graph->layers[l];
    bool is = layer->type == AMC_SHORTCUT;
    const amc_layer *from = is ? &graph->layers[layer->inputs[1]] : layer;
    bool same = is && from->out_w == layer->w && from->out_h == layer->h;
    see("shortcut of equal channels", same && from->out_c == layer->c);
    see("shortcut from fewer channels", same && from->out_c < layer->c);
    see("shortcut from more channels", same && from->out_c > layer->c);
    see("shortcut from a larger image", is && from->out_w > layer->w);
    see("shortcut from a smaller image", is && from->out_w < layer->w);
    see("shortcut between connected layers",
        is && from->type == AMC_CONNECTED && type_of_input(graph, l, 0) == AMC_CONNECTED);
}

static bool has_duplicates(const amc_layer *layer) {
    for (int i = 0; i < layer->n_inputs; i++)
        for (int j = 0; j < i; j++)
            if (layer->inputs[i] == layer->inputs[j]) return true;
    return false;
}

static void see_others(const amc_layer_graph *graph, int l) {
    const amc_layer *layer = &graph->layers[l];
    amc_layer_type type = layer->type;
    see("route from one layer", type == AMC_ROUTE && layer->n_inputs == 1);
    see("route from two layers", type == AMC_ROUTE && layer->n_inputs == 2);
    see("route from three layers", type == AMC_ROUTE && layer->n_inputs == 3);
    see("route from one layer twice", type == AMC_ROUTE && has_duplicates(layer));
    see("maxpool", type == AMC_MAXPOOL && layer->pad == layer->size - 1);
    see("maxpool without padding", type == AMC_MAXPOOL && layer->pad == 0);
    see("avgpool", type == AMC_AVGPOOL);
    see("upsample", type == AMC_UPSAMPLE);
    see("reorg", type == AMC_REORG && layer->out_c > layer->c);
    see("reverse reorg", type == AMC_REORG && layer->out_c < layer->c);
    see("dropout", type == AMC_DROPOUT);
    see("activation", type == AMC_ACTIVATION);
    bool connected = type == AMC_CONNECTED;
    see("connected after an image", connected && layer->h * layer->w > 1);
    see("connected after connected", connected && type_of_input(graph, l, 0) == AMC_CONNECTED);
}

static void see_activation(const amc_cfg_text *cfg, int l) {
    const char *name = amc_cfg_text_get(cfg, l + 1, "activation");
    see("relu", name && strcmp(name, "relu") == 0);
    see("leaky", name && strcmp(name, "leaky") == 0);
    see("linear", name && strcmp(name, "linear") == 0);
    see("logistic", name && strcmp(name, "logistic") == 0);
}

// What the random graphs are made of: enough of everything.
static void test_random_graphs_are_varied(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        networks_net net = random_net(seed);
        assert_in_range(net.graph->n, 6, 20);
        for (int l = 0; l < net.graph->n; l++) {
            see_convolution(net.graph, l);
            see_shortcut(net.graph, l);
            see_others(net.graph, l);
            see_activation(net.cfg, l);
        }
        networks_free(net);
    }
    for (int i = 0; seen[i].kind; i++)
        if (seen[i].count < 20) fail_msg("%s: only %d", seen[i].kind, seen[i].count);
}

// ---- the .cfg files ----

// The value of `key` in `section`, a file below darknet/ as Darknet's own .cfg files name them.
static void find_file(amc_cfg_text *cfg, int section, const char *key) {
    const char *value = amc_cfg_text_get(cfg, section, key);
    if (!value) return;
    char *path = amc_memory_text("darknet/%s", value);
    amc_cfg_text_set(cfg, section, key, path);
    free(path);
}

static bool has_section(const amc_cfg_text *cfg, const char *type) {
    for (int s = 0; s < cfg->n_sections; s++)
        if (strcmp(cfg->sections[s].type, type) == 0) return true;
    return false;
}

// The .cfg with one image a batch, and its files where they are seen from here.
static amc_cfg_text *load_cfg(const char *path) {
    amc_error err = {""};
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    if (!cfg) fail_msg("%s", err.text);
    amc_cfg_text_set_int(cfg, 0, "batch", 1);
    amc_cfg_text_set_int(cfg, 0, "subdivisions", 1);
    for (int s = 1; s < cfg->n_sections; s++) {
        find_file(cfg, s, "tree");
        find_file(cfg, s, "map");
    }
    return cfg;
}

// A copy of the .cfg for images of side x side, cropped by an eighth where it crops.
static amc_cfg_text *shrink(const amc_cfg_text *cfg, int side) {
    amc_cfg_text *small = amc_cfg_text_copy(cfg);
    amc_cfg_text_set_int(small, 0, "height", side);
    amc_cfg_text_set_int(small, 0, "width", side);
    for (int s = 1; s < small->n_sections; s++) {
        if (strcmp(small->sections[s].type, "crop") != 0) continue;
        amc_cfg_text_set_int(small, s, "crop_height", side - side / 8);
        amc_cfg_text_set_int(small, s, "crop_width", side - side / 8);
    }
    return small;
}

// The .cfg at `path` with the smallest image that it can do with, no larger than its own, and its
// graph. NULL if it is refused. A [local] layer gets an image of more than one pixel.
static amc_cfg_text *load_small(const char *path, amc_layer_graph **graph, amc_error *err) {
    amc_cfg_text *cfg = load_cfg(path), *small = NULL;
    amc_layer_graph *whole = amc_layer_graph_new(cfg, err);
    *graph = NULL;
    for (int side = has_section(cfg, "local") ? 128 : 64; whole && !*graph; side += 32) {
        amc_cfg_text_free(small);
        small = shrink(cfg, side < whole->h ? side : whole->h);
        *graph = amc_layer_graph_new(small, err);
        if (!*graph && side >= whole->h) fail_msg("%s", err->text);
    }
    amc_layer_graph_free(whole);
    amc_cfg_text_free(cfg);
    return small;
}

// Normal numbers by the million, drawn in advance: these networks have a billion weights.
enum { POOL = 1 << 20 };
static float *pool;

static void fill_pool(amc_rng *rng) {
    pool = amc_memory_alloc(POOL, sizeof *pool);
    for (int i = 0; i < POOL; i++) pool[i] = (float)amc_rng_normal(rng);
}

// Numbers of the given variance, `per` at a time from one place of the pool on.
static void draw_normal(amc_rng *rng, float *values, int64_t n, int64_t per, double variance) {
    float size = (float)sqrt(variance);
    for (int64_t i = 0; i < n; i += per) {
        uint32_t from = amc_rng_below(rng, POOL);
        int64_t end = i + per < n ? i + per : n;
        for (int64_t k = i; k < end; k++) values[k] = size * pool[(from + (k - i)) % POOL];
    }
}

// As networks_weights, quickly.
static amc_weights *draw_weights(const amc_layer_graph *graph, amc_rng *rng) {
    amc_weights *weights = amc_weights_new(graph);
    for (int l = 0; l < graph->n; l++) {
        amc_layer_weights *w = &weights->layers[l];
        if (w->n == 0) continue;
        int64_t fan_in = w->n_weights / w->n;
        draw_normal(rng, w->weights, w->n_weights, fan_in, 2.0 / (double)fan_in);
        draw_normal(rng, w->biases, w->n, w->n, 1);
        for (int i = 0; w->scales && i < w->n; i++) {
            w->scales[i] = (float)(0.5 + amc_rng_uniform(rng)) * (amc_rng_below(rng, 4) ? 1 : -1);
            w->means[i] = (float)amc_rng_normal(rng);
            w->variances[i] = (float)(0.2 + 2 * amc_rng_uniform(rng));
        }
    }
    return weights;
}

static void multiply(float *values, int64_t n, float by) {
    for (int64_t i = 0; values && i < n; i++) values[i] *= by;
}

static float root_mean_square(const float *values, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += (double)values[i] * values[i];
    return (float)sqrt(sum / n + 1e-12);
}

// Scales each layer's weights so that the numbers it makes are about 1 in size. They would grow
// from layer to layer, biases and means would count for nothing beside them, and softmax be 0 or 1.
static void calibrate(subject *s) {
    network net = *s->darknet;
    net.input = s->input;
    net.train = 0, net.truth = net.delta = NULL;
    for (net.index = 0; net.index < net.n; net.index++) {
        layer *layer = &net.layers[net.index];
        amc_layer_weights *w = &s->net.weights->layers[net.index];
        layer->forward(*layer, net);
        if (w->n) {
            float by = 1 / root_mean_square(layer->output, layer->outputs);
            multiply(w->scales ? w->scales : w->weights, w->scales ? w->n : w->n_weights, by);
            multiply(w->biases, w->n, by);
            set_layer(layer, w);
            layer->forward(*layer, net);
        }
        net.input = layer->output;
    }
}

static int64_t count_weights(const amc_layer_graph *graph) {
    int64_t n = 0;
    for (int l = 0; l < graph->n; l++) n += amc_layer_weight_count(&graph->layers[l]);
    return n;
}

static tally cfgs;
static int refused;

static void check_cfg(const char *path) {
    amc_error err = {""};
    amc_layer_graph *graph;
    amc_cfg_text *cfg = load_small(path, &graph, &err);
    if (!graph) {
        if (!strstr(err.text, "recurren")) fail_msg("%s", err.text);
        refused++;
        return;
    }
    if (count_weights(graph) > FEW_WEIGHTS) {
        amc_layer_graph_free(graph);
        amc_cfg_text_free(cfg);
        return;
    }
    amc_rng rng;
    amc_rng_init(&rng, 1);
    networks_net net = {.path = amc_memory_text("%s", path), .cfg = cfg, .graph = graph};
    net.groups = amc_channel_groups_new(graph);
    net.weights = draw_weights(graph, &rng);
    subject s = subject_new(path, net, 1);
    set_weights(s.darknet, net.weights);
    calibrate(&s);
    subject_run_whole(&s);
    check_plans(&s, &rng, &cfgs);
    subject_free(&s);
}

static void test_cfgs(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 6);
    amc_hooks_install();
    fill_pool(&rng);
    networks_each_cfg(check_cfg);
    free(pool);
    assert_int_equal(refused, 3); // gru, rnn, rnn.train
    assert_changed(&cfgs, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_graphs_are_varied),
        cmocka_unit_test(test_random_graphs),
        cmocka_unit_test(test_cfgs),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
