// oneDNN 2 as a program of scripts/bench.sh (peer.h says how it is started): a whole network as a
// list of its primitives, in the layouts that it asks for. It only infers.
//
// Batch normalization is folded into the weights, which are brought into oneDNN's layout once.
// Activations, and the sum of a shortcut right after its convolution, are done by the convolution.
// An output's memory is used again once nobody reads it any more. softmax and yolo layers are left
// out.

#include "peer.h"

#include <math.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#define MOST_ARGS 16

// Memory for outputs, free again after a layer.
typedef struct buffer {
    void *bytes;
    size_t size;
    int busy_until; // the last layer that reads it
} buffer;

typedef struct tensor {
    dnnl_memory_t memory;
    int buffer; // index of the one it lies in; -1 for the input
} tensor;

typedef struct step {
    dnnl_primitive_t primitive;
    int n;
    dnnl_exec_arg_t args[MOST_ARGS];
} step;

typedef struct program {
    const peer *p;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    tensor input;
    tensor *outputs; // (layers)
    int *users;      // (layers) how many layers read it
    int *last_use;   // (layers) the last of them, where layers that only hand it on count as theirs
    int n_steps;
    step *steps; // (n_steps)
    int n_buffers;
    buffer *buffers; // (n_buffers)
    int layer;       // that is being made
} program;

static void check(dnnl_status_t status, const char *what, const program *g) {
    if (status == dnnl_success) return;
    fprintf(stderr, "onednn: layer %d: %s fails with status %d\n", g->layer, what, (int)status);
    exit(1);
}

static void refuse(const program *g, const char *what) {
    fprintf(stderr, "onednn: layer %d: %s is not known here\n", g->layer, what);
    exit(1);
}

// ---- tensors ------------------------------------------------------------------------------------

static const dnnl_memory_desc_t *desc_of(tensor t) {
    const dnnl_memory_desc_t *desc;
    dnnl_memory_get_memory_desc(t.memory, &desc);
    return desc;
}

static bool same_desc(tensor t, const dnnl_memory_desc_t *desc) {
    return dnnl_memory_desc_equal(desc_of(t), desc);
}

static dnnl_memory_desc_t make_desc(const program *g, int n, const dnnl_dim_t *dims,
                                    dnnl_format_tag_t tag) {
    dnnl_memory_desc_t desc;
    check(dnnl_memory_desc_init_by_tag(&desc, n, dims, dnnl_f32, tag), "a shape", g);
    return desc;
}

// Of a batch of images (c, h, w).
static dnnl_memory_desc_t image_desc(const program *g, int c, int h, int w, dnnl_format_tag_t tag) {
    dnnl_dims_t dims = {g->p->batch, c, h, w};
    return make_desc(g, 4, dims, tag);
}

static dnnl_memory_t make_memory(const program *g, const dnnl_memory_desc_t *desc, void *bytes) {
    dnnl_memory_t memory;
    check(dnnl_memory_create(&memory, desc, g->engine, bytes), "memory", g);
    return memory;
}

// The smallest buffer that is free and large enough, or else a new one.
static int take_buffer(program *g, size_t size, int busy_until) {
    int found = -1;
    for (int b = 0; b < g->n_buffers; b++) {
        const buffer *other = &g->buffers[b];
        if (other->busy_until >= g->layer || other->size < size) continue;
        if (found < 0 || other->size < g->buffers[found].size) found = b;
    }
    if (found < 0) {
        found = g->n_buffers++;
        g->buffers = amc_memory_resize(g->buffers, (size_t)g->n_buffers, sizeof *g->buffers);
        g->buffers[found] = (buffer){aligned_alloc(64, (size + 63) / 64 * 64), size, 0};
        memset(g->buffers[found].bytes, 0, size);
    }
    g->buffers[found].busy_until = busy_until > g->layer ? busy_until : g->layer;
    return found;
}

static tensor make_tensor(program *g, const dnnl_memory_desc_t *desc, int busy_until) {
    int b = take_buffer(g, dnnl_memory_desc_get_size(desc), busy_until);
    return (tensor){make_memory(g, desc, g->buffers[b].bytes), b};
}

// ---- steps --------------------------------------------------------------------------------------

static step *add_step(program *g, const_dnnl_primitive_desc_t pd) {
    g->steps = amc_memory_resize(g->steps, (size_t)g->n_steps + 1, sizeof *g->steps);
    step *s = &g->steps[g->n_steps++];
    s->n = 0;
    check(dnnl_primitive_create(&s->primitive, pd), "a primitive", g);
    return s;
}

static void add_arg(step *s, int arg, dnnl_memory_t memory) {
    if (s->n == MOST_ARGS) peer_fail("onednn", "too many inputs");
    s->args[s->n++] = (dnnl_exec_arg_t){arg, memory};
}

static dnnl_primitive_desc_t describe(const program *g, const void *op,
                                      const_dnnl_primitive_attr_t attr) {
    dnnl_primitive_desc_t pd;
    check(dnnl_primitive_desc_create(&pd, op, attr, g->engine, NULL), "choosing a primitive", g);
    return pd;
}

static const dnnl_memory_desc_t *desc_in(const_dnnl_primitive_desc_t pd, dnnl_query_t what) {
    return dnnl_primitive_desc_query_md(pd, what, 0);
}

static void add_reorder(program *g, dnnl_memory_t from, dnnl_memory_t to) {
    const dnnl_memory_desc_t *a, *b;
    dnnl_primitive_desc_t pd;
    dnnl_memory_get_memory_desc(from, &a);
    dnnl_memory_get_memory_desc(to, &b);
    check(dnnl_reorder_primitive_desc_create(&pd, a, g->engine, b, g->engine, NULL), "reorder", g);
    step *s = add_step(g, pd);
    add_arg(s, DNNL_ARG_FROM, from);
    add_arg(s, DNNL_ARG_TO, to);
    dnnl_primitive_desc_destroy(pd);
}

// A copy in another layout, for this layer only.
static tensor reordered(program *g, tensor t, const dnnl_memory_desc_t *desc) {
    tensor copy = make_tensor(g, desc, g->layer);
    add_reorder(g, t.memory, copy.memory);
    return copy;
}

static tensor in_layout(program *g, tensor t, const dnnl_memory_desc_t *desc) {
    return same_desc(t, desc) ? t : reordered(g, t, desc);
}

static void run(void *context) {
    program *g = context;
    for (int i = 0; i < g->n_steps; i++)
        check(dnnl_primitive_execute(g->steps[i].primitive, g->stream, g->steps[i].n,
                                     g->steps[i].args),
              "running", g);
    check(dnnl_stream_wait(g->stream), "waiting", g);
}

// Weights in the layout that a primitive asks for: brought there now, not in a step.
static dnnl_memory_t place_weights(program *g, dnnl_memory_desc_t plain,
                                   const dnnl_memory_desc_t *wanted, float *numbers) {
    dnnl_memory_t from = make_memory(g, &plain, numbers);
    dnnl_memory_t to = make_memory(g, wanted, DNNL_MEMORY_ALLOCATE);
    program once = {.p = g->p, .engine = g->engine, .stream = g->stream, .layer = g->layer};
    add_reorder(&once, from, to);
    run(&once);
    free(once.steps);
    dnnl_memory_destroy(from);
    return to;
}

// ---- what a layer does besides its sums ---------------------------------------------------------

static const char *activation_of(const program *g, int layer, const char *missing) {
    const char *name = amc_cfg_text_get(g->p->cfg, layer + 1, "activation");
    return name ? name : missing;
}

static void add_activation(const program *g, dnnl_post_ops_t ops, const char *name) {
    bool leaky = strcmp(name, "leaky") == 0;
    if (strcmp(name, "linear") == 0) return;
    if (!leaky && strcmp(name, "relu") != 0) refuse(g, name);
    check(dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, leaky ? .1f : 0, 0), name, g);
}

static dnnl_primitive_attr_t make_attr(const program *g, bool sum, const char *activation) {
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t ops;
    check(dnnl_primitive_attr_create(&attr), "an attribute", g);
    check(dnnl_post_ops_create(&ops), "post-ops", g);
    if (sum) check(dnnl_post_ops_append_sum(ops, 1), "a sum", g);
    add_activation(g, ops, activation);
    check(dnnl_primitive_attr_set_post_ops(attr, ops), "post-ops", g);
    dnnl_post_ops_destroy(ops);
    return attr;
}

// Weights and biases with batch normalization folded in, as Darknet does it on the processor.
static amc_layer_weights fold(const program *g, int layer) {
    amc_layer_weights w = g->p->weights->layers[layer];
    int64_t each = w.n_weights / w.n;
    w.weights = amc_memory_copy(w.weights, (size_t)w.n_weights, sizeof *w.weights);
    w.biases = amc_memory_copy(w.biases, (size_t)w.n, sizeof *w.biases);
    for (int i = 0; w.scales && i < w.n; i++) {
        float scale = w.scales[i] / (sqrtf(w.variances[i]) + 1e-6f);
        w.biases[i] -= w.means[i] * scale;
        for (int64_t k = 0; k < each; k++) w.weights[i * each + k] *= scale;
    }
    return w;
}

static const amc_layer *layer_at(const program *g, int layer) {
    return &g->p->graph->layers[layer];
}

static tensor input_of(const program *g, int layer) {
    return layer < 0 ? g->input : g->outputs[layer];
}

// ---- layers with weights ------------------------------------------------------------------------

static dnnl_memory_desc_t filter_desc(const program *g, const amc_layer *l, bool any) {
    dnnl_dims_t grouped = {l->groups, l->out_c / l->groups, l->c / l->groups, l->size, l->size};
    dnnl_dims_t whole = {l->out_c, l->c, l->size, l->size};
    if (l->groups > 1) return make_desc(g, 5, grouped, any ? dnnl_format_tag_any : dnnl_goihw);
    return make_desc(g, 4, whole, any ? dnnl_format_tag_any : dnnl_oihw);
}

static dnnl_primitive_desc_t describe_convolution(program *g, const amc_layer *l,
                                                  const_dnnl_primitive_attr_t attr) {
    dnnl_dims_t strides = {l->stride, l->stride}, pad = {l->pad, l->pad}, n = {l->out_c};
    dnnl_memory_desc_t src = image_desc(g, l->c, l->h, l->w, dnnl_format_tag_any);
    dnnl_memory_desc_t dst = image_desc(g, l->out_c, l->out_h, l->out_w, dnnl_format_tag_any);
    dnnl_memory_desc_t weights = filter_desc(g, l, true), bias = make_desc(g, 1, n, dnnl_x);
    dnnl_convolution_desc_t op;
    check(dnnl_convolution_forward_desc_init(&op, dnnl_forward_inference, dnnl_convolution_auto,
                                             &src, &weights, &bias, &dst, strides, pad, pad),
          "a convolution", g);
    return describe(g, &op, attr);
}

// A step with weights: its input brought into its layout, the weights placed. Biases stay where
// they are.
static void add_weighted(program *g, dnnl_primitive_desc_t pd, tensor in, amc_layer_weights w,
                         dnnl_memory_desc_t plain, tensor out) {
    dnnl_dims_t n = {w.n};
    dnnl_memory_desc_t bias = make_desc(g, 1, n, dnnl_x);
    in = in_layout(g, in, desc_in(pd, dnnl_query_src_md));
    dnnl_memory_t weights = place_weights(g, plain, desc_in(pd, dnnl_query_weights_md), w.weights);
    step *s = add_step(g, pd);
    add_arg(s, DNNL_ARG_SRC, in.memory);
    add_arg(s, DNNL_ARG_WEIGHTS, weights);
    add_arg(s, DNNL_ARG_BIAS, make_memory(g, &bias, w.biases));
    add_arg(s, DNNL_ARG_DST, out.memory);
    free(w.weights);
}

// ---- shortcut -----------------------------------------------------------------------------------

// Every so manieth pixel of the channels that both have, zeros in others: a convolution by ones,
// for which oneDNN has fast code with any number of channels.
static tensor project(program *g, tensor t, const amc_layer *from, const amc_layer *to) {
    if (to->out_w > from->out_w) refuse(g, "a shortcut from a smaller image");
    amc_layer l = {.c = from->out_c, .h = from->out_h, .w = from->out_w, .size = 1, .groups = 1};
    l.out_c = to->out_c, l.out_h = to->out_h, l.out_w = to->out_w;
    l.stride = from->out_w / to->out_w;
    amc_layer_weights ones = {.n = l.out_c, .n_weights = (int64_t)l.out_c * l.c};
    ones.biases = amc_memory_alloc((size_t)l.out_c, sizeof *ones.biases);
    ones.weights = amc_memory_alloc((size_t)ones.n_weights, sizeof *ones.weights);
    for (int i = 0; i < l.out_c && i < l.c; i++) ones.weights[i * l.c + i] = 1;
    dnnl_primitive_desc_t pd = describe_convolution(g, &l, NULL);
    tensor out = make_tensor(g, desc_in(pd, dnnl_query_dst_md), g->layer);
    add_weighted(g, pd, t, ones, filter_desc(g, &l, false), out);
    dnnl_primitive_desc_destroy(pd);
    return out;
}

// What shortcut `to` adds, in the shape of its output. Sets *own if nobody reads it after that.
static tensor residual_of(program *g, int index, bool *own) {
    const amc_layer *to = layer_at(g, index), *from = layer_at(g, to->inputs[1]);
    tensor t = input_of(g, to->inputs[1]);
    bool fits = from->out_c == to->out_c && from->out_h == to->out_h && from->out_w == to->out_w;
    *own = !fits || g->last_use[to->inputs[1]] <= index;
    return fits ? t : project(g, t, from, to);
}

static bool is_plain_sum(const program *g, int index) {
    return !amc_cfg_text_get(g->p->cfg, index + 1, "alpha") &&
           !amc_cfg_text_get(g->p->cfg, index + 1, "beta");
}

// Whether the convolution can do the shortcut after it.
static bool sums_next(const program *g, int i) {
    if (i + 1 == g->p->graph->n || layer_at(g, i + 1)->type != AMC_SHORTCUT) return false;
    const amc_layer *next = layer_at(g, i + 1);
    return next->inputs[0] == i && next->inputs[1] != i && g->users[i] == 1 &&
           is_plain_sum(g, i + 1) && strcmp(activation_of(g, i, "logistic"), "linear") == 0;
}

static void add_shortcut(program *g, int i) {
    bool own;
    tensor a = input_of(g, layer_at(g, i)->inputs[0]), b = residual_of(g, i, &own);
    if (!is_plain_sum(g, i)) refuse(g, "alpha= or beta=");
    dnnl_memory_desc_t out = *desc_of(a);
    dnnl_binary_desc_t op;
    dnnl_primitive_attr_t attr = make_attr(g, false, activation_of(g, i, "linear"));
    check(dnnl_binary_desc_init(&op, dnnl_binary_add, desc_of(a), desc_of(b), &out), "a sum", g);
    dnnl_primitive_desc_t pd = describe(g, &op, attr);
    g->outputs[i] = make_tensor(g, &out, g->last_use[i]);
    step *s = add_step(g, pd);
    add_arg(s, DNNL_ARG_SRC_0, a.memory);
    add_arg(s, DNNL_ARG_SRC_1, b.memory);
    add_arg(s, DNNL_ARG_DST, g->outputs[i].memory);
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attr);
}

// The convolution before a shortcut adds to what lies in its output: the residual's own memory, or
// a copy of it where somebody reads that, as the convolution itself may.
static tensor place_residual(program *g, int shortcut, const dnnl_memory_desc_t *desc) {
    bool own;
    tensor residual = residual_of(g, shortcut, &own);
    tensor read = input_of(g, layer_at(g, shortcut - 1)->inputs[0]);
    if (!own || residual.buffer == read.buffer || residual.buffer < 0 ||
        !same_desc(residual, desc)) {
        tensor copy = make_tensor(g, desc, g->last_use[shortcut]);
        add_reorder(g, residual.memory, copy.memory);
        return copy;
    }
    g->buffers[residual.buffer].busy_until = g->last_use[shortcut];
    return residual;
}

static void add_convolutional(program *g, int i) {
    const amc_layer *l = layer_at(g, i);
    bool sum = sums_next(g, i);
    const char *activation =
        sum ? activation_of(g, i + 1, "linear") : activation_of(g, i, "logistic");
    dnnl_primitive_attr_t attr = make_attr(g, sum, activation);
    dnnl_primitive_desc_t pd = describe_convolution(g, l, attr);
    const dnnl_memory_desc_t *out = desc_in(pd, dnnl_query_dst_md);
    g->outputs[i] = sum ? place_residual(g, i + 1, out) : make_tensor(g, out, g->last_use[i]);
    add_weighted(g, pd, input_of(g, l->inputs[0]), fold(g, i), filter_desc(g, l, false),
                 g->outputs[i]);
    if (sum) g->outputs[i + 1] = g->outputs[i];
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attr);
}

// Its output is seen as images of one pixel.
static void add_connected(program *g, int i) {
    const amc_layer *l = layer_at(g, i);
    dnnl_dims_t shape = {l->out_c, l->c, l->h, l->w}, n = {l->out_c}, out = {g->p->batch, l->out_c};
    dnnl_memory_desc_t src = image_desc(g, l->c, l->h, l->w, dnnl_format_tag_any);
    dnnl_memory_desc_t weights = make_desc(g, 4, shape, dnnl_format_tag_any);
    dnnl_memory_desc_t bias = make_desc(g, 1, n, dnnl_x), dst = make_desc(g, 2, out, dnnl_nc);
    dnnl_memory_desc_t image = image_desc(g, l->out_c, 1, 1, dnnl_nchw);
    dnnl_primitive_attr_t attr = make_attr(g, false, activation_of(g, i, "logistic"));
    dnnl_inner_product_desc_t op;
    check(dnnl_inner_product_forward_desc_init(&op, dnnl_forward_inference, &src, &weights, &bias,
                                               &dst),
          "a connected layer", g);
    dnnl_primitive_desc_t pd = describe(g, &op, attr);
    g->outputs[i] = make_tensor(g, &image, g->last_use[i]);
    tensor flat = {make_memory(g, &dst, g->buffers[g->outputs[i].buffer].bytes), -1};
    add_weighted(g, pd, input_of(g, l->inputs[0]), fold(g, i), make_desc(g, 4, shape, dnnl_oihw),
                 flat);
    dnnl_primitive_desc_destroy(pd);
    dnnl_primitive_attr_destroy(attr);
}

// ---- other layers -------------------------------------------------------------------------------

static void add_unary(program *g, int i, const void *op) {
    dnnl_primitive_desc_t pd = describe(g, op, NULL);
    g->outputs[i] = make_tensor(g, desc_in(pd, dnnl_query_dst_md), g->last_use[i]);
    step *s = add_step(g, pd);
    add_arg(s, DNNL_ARG_SRC, input_of(g, layer_at(g, i)->inputs[0]).memory);
    add_arg(s, DNNL_ARG_DST, g->outputs[i].memory);
    dnnl_primitive_desc_destroy(pd);
}

// The padding after the last pixel that makes the output as long as Darknet's.
static int pad_after(int in, int out, int size, int stride, int before) {
    int after = (out - 1) * stride + size - in - before;
    return after > 0 ? after : 0;
}

static void add_pool(program *g, int i, dnnl_alg_kind_t kind) {
    const amc_layer *l = layer_at(g, i);
    bool max = kind == dnnl_pooling_max;
    int stride = max ? l->stride : 1, before = max ? l->pad / 2 : 0;
    int height = max ? l->size : l->h, width = max ? l->size : l->w;
    dnnl_dims_t strides = {stride, stride}, kernel = {height, width}, left = {before, before};
    dnnl_dims_t right = {pad_after(l->h, l->out_h, height, stride, before),
                         pad_after(l->w, l->out_w, width, stride, before)};
    dnnl_memory_desc_t out = image_desc(g, l->out_c, l->out_h, l->out_w, dnnl_format_tag_any);
    dnnl_pooling_desc_t op;
    check(dnnl_pooling_forward_desc_init(&op, dnnl_forward_inference, kind,
                                         desc_of(input_of(g, l->inputs[0])), &out, strides, kernel,
                                         left, right),
          "pooling", g);
    add_unary(g, i, &op);
}

static void add_upsample(program *g, int i) {
    const amc_layer *l = layer_at(g, i);
    float factors[] = {(float)l->stride, (float)l->stride};
    if (l->stride < 1 || amc_cfg_text_get(g->p->cfg, i + 1, "scale")) refuse(g, "such an upsample");
    dnnl_memory_desc_t out = image_desc(g, l->out_c, l->out_h, l->out_w, dnnl_format_tag_any);
    dnnl_resampling_desc_t op;
    check(dnnl_resampling_forward_desc_init(&op, dnnl_forward_inference, dnnl_resampling_nearest,
                                            factors, desc_of(input_of(g, l->inputs[0])), &out),
          "upsampling", g);
    add_unary(g, i, &op);
}

static tensor concatenate(program *g, int n, const tensor *parts, const amc_layer *to,
                          int busy_until) {
    dnnl_memory_desc_t descs[MOST_ARGS];
    dnnl_memory_desc_t out = image_desc(g, to->out_c, to->out_h, to->out_w, dnnl_format_tag_any);
    dnnl_primitive_desc_t pd;
    if (n > MOST_ARGS - 1) refuse(g, "a longer list");
    for (int i = 0; i < n; i++) descs[i] = *desc_of(parts[i]);
    check(dnnl_concat_primitive_desc_create(&pd, &out, n, 1, descs, NULL, g->engine), "concat", g);
    tensor joined = make_tensor(g, desc_in(pd, dnnl_query_dst_md), busy_until);
    step *s = add_step(g, pd);
    for (int i = 0; i < n; i++) add_arg(s, DNNL_ARG_MULTIPLE_SRC + i, parts[i].memory);
    add_arg(s, DNNL_ARG_DST, joined.memory);
    dnnl_primitive_desc_destroy(pd);
    return joined;
}

static void add_route(program *g, int i) {
    const amc_layer *l = layer_at(g, i);
    tensor parts[MOST_ARGS];
    if (l->n_inputs >= MOST_ARGS) refuse(g, "a longer list");
    for (int k = 0; k < l->n_inputs; k++) parts[k] = input_of(g, l->inputs[k]);
    g->outputs[i] =
        l->n_inputs == 1 ? parts[0] : concatenate(g, l->n_inputs, parts, l, g->last_use[i]);
}

// ---- the network --------------------------------------------------------------------------------

// Layers whose output is their input.
static bool hands_on(const amc_layer *l) {
    return l->type == AMC_DROPOUT || l->type == AMC_SOFTMAX || l->type == AMC_YOLO ||
           l->type == AMC_COST || (l->type == AMC_ROUTE && l->n_inputs == 1);
}

static void count_uses(program *g) {
    int n = g->p->graph->n;
    for (int k = 0; k < g->p->n_wanted; k++) g->last_use[g->p->wanted[k]] = n;
    for (int i = n - 1; i >= 0; i--) {
        const amc_layer *l = layer_at(g, i);
        int use = hands_on(l) && g->last_use[i] > i ? g->last_use[i] : i;
        for (int k = 0; k < l->n_inputs; k++) {
            int from = l->inputs[k];
            if (from < 0) continue;
            g->users[from]++;
            if (g->last_use[from] < use) g->last_use[from] = use;
        }
    }
}

static void add_layer(program *g, int i) {
    const amc_layer *l = layer_at(g, i);
    g->layer = i;
    if (g->outputs[i].memory) return; // the convolution before has summed
    if (l->type == AMC_CONVOLUTIONAL)
        add_convolutional(g, i);
    else if (l->type == AMC_CONNECTED)
        add_connected(g, i);
    else if (l->type == AMC_MAXPOOL)
        add_pool(g, i, dnnl_pooling_max);
    else if (l->type == AMC_AVGPOOL)
        add_pool(g, i, dnnl_pooling_avg_exclude_padding);
    else if (l->type == AMC_SHORTCUT)
        add_shortcut(g, i);
    else if (l->type == AMC_UPSAMPLE)
        add_upsample(g, i);
    else if (l->type == AMC_ROUTE)
        add_route(g, i);
    else if (hands_on(l))
        g->outputs[i] = input_of(g, l->inputs[0]);
    else
        refuse(g, amc_layer_type_name(l->type));
}

static void build(program *g, const peer *p) {
    g->p = p;
    g->outputs = amc_memory_alloc((size_t)p->graph->n, sizeof *g->outputs);
    g->users = amc_memory_alloc((size_t)p->graph->n, sizeof *g->users);
    g->last_use = amc_memory_alloc((size_t)p->graph->n, sizeof *g->last_use);
    check(dnnl_engine_create(&g->engine, dnnl_cpu, 0), "an engine", g);
    check(dnnl_stream_create(&g->stream, g->engine, dnnl_stream_default_flags), "a stream", g);
    dnnl_memory_desc_t image = image_desc(g, p->graph->c, p->graph->h, p->graph->w, dnnl_nchw);
    g->input = (tensor){make_memory(g, &image, p->images), -1};
    count_uses(g);
    for (int i = 0; i < p->graph->n; i++) add_layer(g, i);
}

static void write_outputs(program *g) {
    const peer *p = g->p;
    amc_error err;
    float **outputs = peer_outputs_new(p);
    run(g);
    for (int k = 0; k < p->n_wanted; k++) {
        const amc_layer *l = layer_at(g, p->wanted[k]);
        dnnl_memory_desc_t plain = image_desc(g, l->out_c, l->out_h, l->out_w, dnnl_nchw);
        program once = {.p = p, .engine = g->engine, .stream = g->stream, .layer = p->wanted[k]};
        add_reorder(&once, g->outputs[p->wanted[k]].memory, make_memory(g, &plain, outputs[k]));
        run(&once);
    }
    if (peer_write(p, outputs, &err) < 0) peer_fail("onednn", err.text);
    peer_outputs_free(p, outputs);
}

// oneDNN's objects are left to the end of the program.
int main(int argc, char **argv) {
    program g = {0};
    peer *p = peer_new(argc, argv);
    omp_set_num_threads(p->threads);
    build(&g, p);
    if (peer_is(p, "forward"))
        peer_print(p, peer_measure(run, &g, p->seconds));
    else if (peer_is(p, "outputs"))
        write_outputs(&g);
    else
        peer_fail("onednn", "expected forward or outputs");
    return 0;
}
