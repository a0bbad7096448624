// Darknet's networks as a program of scripts/bench.sh (peer.h says how it is started): with our
// kernels, or with AMC_STOCK=1 Darknet's own.
//
// Ours are measured in what a search scores with, host_model, images in parallel; one image alone
// has all threads. Stock Darknet is measured in network_predict, one image at a time, on a network
// a thread. Training is Darknet's train_network in both, on images in memory.
//
//   darknet compare A B      the largest relative difference of what two programs computed: of each
//                            output max|a - b| / max|b|

#include "peer.h"

#include "host/hooks.h"
#include "host/host_model.h"
#include "host/libraries.h"

#include <darknet.h>
#include <math.h>
#include <omp.h>
#include <unistd.h>

// Loads the network with Darknet, for `batch` images at a time.
static network *load_stock(const peer *p, int batch) {
    amc_error err;
    char path[] = "/tmp/amc-bench-XXXXXX";
    int file = mkstemp(path);
    if (file < 0) peer_fail("darknet", "no temporary file in /tmp");
    close(file);
    amc_cfg_text *cfg = amc_cfg_text_copy(p->cfg);
    amc_cfg_text_set_int(cfg, 0, "batch", batch);
    amc_cfg_text_set_int(cfg, 0, "subdivisions", 1);
    if (amc_cfg_text_save(cfg, path, &err) < 0) peer_fail("darknet", err.text);
    network *net = load_network(path, (char *)p->weights_path, 1);
    unlink(path);
    amc_cfg_text_free(cfg);
    return net;
}

// ---- inference ----------------------------------------------------------------------------------

typedef struct scoring {
    const peer *p;
    amc_host_model *model; // ours; NULL in stock Darknet
    network **stock;       // (threads) Darknet's; NULL with ours
    float **outputs;       // where outputs go; NULL if nobody wants them
} scoring;

static void score_images(const scoring *s, int thread, int first, int n) {
    const float *images = s->p->images + first * s->p->inputs;
    if (s->model)
        amc_host_model_predict(s->model, thread, n, images);
    else
        network_predict(s->stock[thread], (float *)images);
    for (int k = 0; s->outputs && k < s->p->n_wanted; k++) {
        int layer = s->p->wanted[k];
        size_t outputs = (size_t)peer_outputs(s->p, layer);
        const float *from = s->model ? amc_host_model_output(s->model, thread, layer)
                                     : s->stock[thread]->layers[layer].output;
        memcpy(s->outputs[k] + first * outputs, from, n * outputs * sizeof *from);
    }
}

// Images that are run together: the model's batch, if that leaves some for each thread; stock
// Darknet takes one at a time.
static int count_together(const scoring *s) {
    int share = (s->p->batch + s->p->threads - 1) / s->p->threads;
    if (!s->model) return 1;
    return share < amc_host_model_batch(s->model) ? share : amc_host_model_batch(s->model);
}

static void score_batch(void *context) {
    const scoring *s = context;
    int batch = s->p->batch, together = count_together(s);
#pragma omp parallel for num_threads(s->p->threads) schedule(dynamic) if (batch > 1)
    for (int i = 0; i < batch; i += together)
        score_images(s, omp_get_thread_num(), i, batch - i < together ? batch - i : together);
}

static scoring scoring_open(const peer *p, bool stock) {
    scoring s = {.p = p};
    amc_error err;
    if (stock) {
        s.stock = amc_memory_alloc((size_t)p->threads, sizeof(network *));
        for (int t = 0; t < p->threads; t++) s.stock[t] = load_stock(p, 1);
        return s;
    }
    s.model = amc_host_model_new(p->cfg_path, p->graph, p->threads, &err);
    if (!s.model) peer_fail("darknet", err.text);
    amc_host_model_apply(s.model, p->graph, p->weights);
    return s;
}

static void scoring_close(scoring *s) {
    amc_host_model_free(s->model);
    for (int t = 0; s->stock && t < s->p->threads; t++) free_network(s->stock[t]);
    free(s->stock);
    peer_outputs_free(s->p, s->outputs);
}

static void forward(const peer *p, bool stock) {
    scoring s = scoring_open(p, stock);
    peer_print(p, peer_measure(score_batch, &s, p->seconds));
    scoring_close(&s);
}

static void write_outputs(const peer *p, bool stock) {
    scoring s = scoring_open(p, stock);
    amc_error err;
    s.outputs = peer_outputs_new(p);
    score_batch(&s);
    if (peer_write(p, s.outputs, &err) < 0) peer_fail("darknet", err.text);
    scoring_close(&s);
}

// ---- training -----------------------------------------------------------------------------------

typedef struct training {
    network *net;
    data batch; // images and labels, as Darknet's loader hands them over
} training;

static void train_batch(void *context) {
    training *t = context;
    train_network(t->net, t->batch);
}

// Labels in turn: image i is of class i.
static data make_batch(const peer *p, int classes) {
    data d = {.X = make_matrix(p->batch, (int)p->inputs), .y = make_matrix(p->batch, classes)};
    for (int i = 0; i < p->batch; i++) {
        memcpy(d.X.vals[i], p->images + i * p->inputs, (size_t)p->inputs * sizeof(float));
        d.y.vals[i][i % classes] = 1;
    }
    return d;
}

static void train(const peer *p) {
    training t = {.net = load_stock(p, p->batch)};
    t.net->learning_rate = .001f; // weights stay finite, which costs no other time
    t.batch = make_batch(p, t.net->truths);
    peer_print(p, peer_measure(train_batch, &t, p->seconds));
    free_data(t.batch);
    free_network(t.net);
}

// ---- comparing ----------------------------------------------------------------------------------

// The next output in a file's bytes, moving on; NULL at their end or where they are cut off.
static const float *next_output(const char **bytes, size_t *left, int32_t *count) {
    if (*left < sizeof *count) return NULL;
    memcpy(count, *bytes, sizeof *count);
    size_t length = (size_t)*count * sizeof(float);
    if (*count < 0 || *left - sizeof *count < length) return NULL;
    const void *numbers = *bytes + sizeof *count;
    *bytes += sizeof *count + length;
    *left -= sizeof *count + length;
    return numbers;
}

static double difference(const float *a, const float *b, int32_t n) {
    double most = 0, size = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i])) return INFINITY;
        most = fmax(most, fabs((double)a[i] - b[i]));
        size = fmax(size, fabs((double)b[i]));
    }
    return size > 0 ? most / size : INFINITY; // nothing but zeros would agree with anything broken
}

static int compare(const char *path_a, const char *path_b) {
    amc_error err;
    size_t left_a, left_b;
    char *file_a = amc_files_read(path_a, &left_a, &err);
    char *file_b = file_a ? amc_files_read(path_b, &left_b, &err) : NULL;
    if (!file_b) peer_fail("darknet", err.text);
    const char *a = file_a, *b = file_b;
    double most = left_a == left_b && left_a ? 0 : INFINITY;
    int32_t n, m;
    while (left_a && most < INFINITY) {
        const float *x = next_output(&a, &left_a, &n), *y = next_output(&b, &left_b, &m);
        most = x && y && n == m ? fmax(most, difference(x, y, n)) : INFINITY;
    }
    printf("%.2g\n", most);
    free(file_b);
    free(file_a);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "compare") == 0) return compare(argv[2], argv[3]);
    const char *stock = getenv("AMC_STOCK");
    bool is_stock = stock && strcmp(stock, "1") == 0;
    amc_libraries_settle(argv); // as bin/darknet does
    amc_hooks_install();
    peer *p = peer_new(argc, argv);
    omp_set_num_threads(p->threads);
    if (peer_is(p, "forward"))
        forward(p, is_stock);
    else if (peer_is(p, "train"))
        train(p);
    else if (peer_is(p, "outputs"))
        write_outputs(p, is_stock);
    else
        peer_fail("darknet", "expected forward, train, outputs or compare");
    peer_free(p);
    return 0;
}
