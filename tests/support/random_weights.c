// What the tests of whole networks need besides the program itself:
//
//   random_weights CFG OUT [SEED]                  random weights, batch normalization that does
//                                                  something, activations in a sensible range
//   random_weights -zeroed CFG WEIGHTS POLICY OUT  the weights with what reads the channels that a
//                                                  policy.json removes set to zero
//   random_weights -outputs CFG WEIGHTS BLOB OUT   what Darknet computes of the floats in BLOB
//   random_weights -decode IMAGE OUT               a .png of it: decoders of .jpg differ
//
// OUT of -outputs holds, for each layer that a yolo, region, detection or softmax layer reads (or
// for the last layer, if there are none), in the machine's byte order
//
//   int32 layer, count; float32 outputs[count]
//
// Exit status 1 and one sentence on stderr where something is wrong.

#include "base/files.h"
#include "host/hooks.h"
#include "model/slice.h"
#include "support/networks.h"

#include <stb_image.h>

// A network as far as the mode needs it; what is NULL wasn't.
typedef struct subject {
    amc_cfg_text *cfg;
    amc_layer_graph *graph;
    amc_channel_groups *groups;
    amc_weights *weights;
} subject;

static int load(subject *s, const char *cfg, const char *weights, amc_error *err) {
    s->cfg = amc_cfg_text_load(cfg, err);
    s->graph = s->cfg ? amc_layer_graph_new(s->cfg, err) : NULL;
    if (!s->graph) return -1;
    s->groups = amc_channel_groups_new(s->graph);
    if (weights) s->weights = amc_weights_load(weights, s->graph, err);
    return weights && !s->weights ? -1 : 0;
}

static void clear(subject *s) {
    amc_weights_free(s->weights);
    amc_channel_groups_free(s->groups);
    amc_layer_graph_free(s->graph);
    amc_cfg_text_free(s->cfg);
}

static int make_random(subject *s, const char *cfg, const char *out, const char *seed,
                       amc_error *err) {
    char *end;
    uint64_t number = strtoull(seed, &end, 10);
    if (!*seed || *end) return amc_error_set(err, "seed %s, expected a number", seed);
    if (load(s, cfg, NULL, err) < 0) return -1;
    s->weights = networks_weights(s->cfg, s->graph, number);
    return amc_weights_save(s->weights, s->graph, out, err);
}

static int make_zeroed(subject *s, char **argv, amc_error *err) {
    const char *cfg = argv[0], *weights = argv[1], *policy = argv[2], *out = argv[3];
    if (load(s, cfg, weights, err) < 0) return -1;
    double *score = amc_memory_alloc((size_t)s->groups->n_units, sizeof *score);
    amc_prune_plan *plan = amc_prune_plan_load(policy, s->graph, s->groups, score, 1, err);
    free(score);
    if (!plan) return -1;
    amc_weights *zeroed = amc_slice_zeroed(s->graph, s->groups, plan, s->weights);
    int status = amc_weights_save(zeroed, s->graph, out, err);
    amc_weights_free(zeroed);
    amc_prune_plan_free(plan);
    return status;
}

// The floats in `blob`, new memory; NULL with err set if they aren't as many as the network's
// inputs.
static float *read_blob(const char *blob, const amc_layer_graph *graph, amc_error *err) {
    size_t length, expected = (size_t)graph->c * graph->h * graph->w * sizeof(float);
    char *bytes = amc_files_read(blob, &length, err);
    if (!bytes) return NULL;
    float *values = length == expected ? amc_memory_copy(bytes, length, 1) : NULL;
    if (!values)
        amc_error_set(err, "%s: holds %zu bytes, expected %zu for %dx%dx%d floats", blob, length,
                      expected, graph->w, graph->h, graph->c);
    free(bytes);
    return values;
}

static bool decides(amc_layer_type type) {
    return type == AMC_YOLO || type == AMC_REGION || type == AMC_DETECTION || type == AMC_SOFTMAX;
}

// Marks the layers whose outputs are wanted.
static void choose(const amc_layer_graph *graph, bool *wanted) {
    bool any = false;
    for (int l = 0; l < graph->n; l++) {
        if (!decides(graph->layers[l].type) || graph->layers[l].inputs[0] < 0) continue;
        wanted[graph->layers[l].inputs[0]] = any = true;
    }
    if (!any) wanted[amc_layer_graph_output(graph)] = true;
}

static int write_outputs(const network *net, const amc_layer_graph *graph, const char *out,
                         amc_error *err) {
    bool *wanted = amc_memory_alloc((size_t)graph->n, sizeof *wanted);
    amc_files_part *parts = amc_memory_alloc(2 * (size_t)graph->n, sizeof *parts);
    int32_t(*heads)[2] = amc_memory_alloc((size_t)graph->n, sizeof *heads);
    choose(graph, wanted);
    int n = 0;
    for (int l = 0; l < graph->n; l++) {
        if (!wanted[l]) continue;
        const layer *from = &net->layers[l];
        heads[l][0] = l;
        heads[l][1] = from->outputs;
        parts[n++] = (amc_files_part){heads[l], sizeof heads[l]};
        parts[n++] = (amc_files_part){from->output, (size_t)from->outputs * sizeof(float)};
    }
    int status = amc_files_write_parts(out, parts, n, err);
    free(heads);
    free(parts);
    free(wanted);
    return status;
}

static int make_outputs(subject *s, char **argv, amc_error *err) {
    char *cfg = argv[0], *weights = argv[1];
    const char *blob = argv[2], *out = argv[3];
    if (load(s, cfg, weights, err) < 0) return -1; // checked first: Darknet reads anything
    float *input = read_blob(blob, s->graph, err);
    if (!input) return -1;
    amc_hooks_install();
    network *net = load_network(cfg, weights, 0);
    set_batch_network(net, 1);
    network_predict(net, input);
    int status = write_outputs(net, s->graph, out, err);
    free_network(net);
    free(input);
    return status;
}

static int decode(const char *image, const char *out, amc_error *err) {
    int w, h, channels;
    unsigned char *pixels = stbi_load(image, &w, &h, &channels, 3);
    if (!pixels) return amc_error_set(err, "%s: %s", image, stbi_failure_reason());
    int written = stbi_write_png(out, w, h, 3, pixels, 0);
    stbi_image_free(pixels);
    return written ? 0 : amc_error_set(err, "%s: can't be written", out);
}

int main(int argc, char **argv) {
    subject s = {0};
    amc_error err;
    int status;
    if (argc == 6 && strcmp(argv[1], "-zeroed") == 0)
        status = make_zeroed(&s, argv + 2, &err);
    else if (argc == 6 && strcmp(argv[1], "-outputs") == 0)
        status = make_outputs(&s, argv + 2, &err);
    else if (argc == 4 && strcmp(argv[1], "-decode") == 0)
        status = decode(argv[2], argv[3], &err);
    else if ((argc == 3 || argc == 4) && argv[1][0] != '-')
        status = make_random(&s, argv[1], argv[2], argc == 4 ? argv[3] : "1", &err);
    else
        status = amc_error_set(&err, "expected CFG OUT [SEED], -zeroed CFG WEIGHTS POLICY OUT, "
                                     "-outputs CFG WEIGHTS BLOB OUT or -decode IMAGE OUT");
    clear(&s);
    if (status < 0) fprintf(stderr, "random_weights: %s\n", err.text);
    return status < 0;
}
