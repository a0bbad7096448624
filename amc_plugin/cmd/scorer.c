#include "cmd/scorer.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PART_BATCHES = 4 }; // a thread computes of the whole network before more is shown

amc_repair_options amc_scorer_repair_options(const amc_scorer_options *options) {
    amc_repair_options repair = options->repair;
    repair.seed = options->seed;
    repair.threads = options->threads;
    repair.quiet = options->quiet;
    return repair;
}

// Several scorers of a command read the same file: it is told once.
static void warn_of_unread_key(const amc_data_file *data) {
    static bool told;
    if (data->unread && !told) fprintf(stderr, "%s\n", data->unread);
    told = true;
}

static int load(amc_scorer *scorer, const amc_scorer_options *options, amc_error *err) {
    const amc_network *network = scorer->network;
    if (amc_network_check_scored(network, err) < 0) return -1;
    scorer->data = amc_data_file_load(scorer->data_path, err);
    if (!scorer->data) return -1;
    warn_of_unread_key(scorer->data);
    scorer->top = options->top ? options->top : scorer->data->top;
    scorer->model = amc_host_model_new(network->cfg_path, network->graph, options->threads, err);
    if (!scorer->model ||
        amc_accuracy_check(scorer->model, scorer->data, network->cfg_path, err) < 0)
        return -1;
    if (scorer->top > scorer->data->classes)
        return amc_error_set(err, "%s: top-%d of %d classes, expected no more than there are",
                             scorer->data_path, scorer->top, scorer->data->classes);
    scorer->dataset = amc_dataset_load(scorer->data, options->part, options->limit, options->seed,
                                       options->threads, err);
    if (!scorer->dataset) return -1;
    return amc_repair_open(&scorer->repair, network, scorer->data,
                           amc_scorer_repair_options(options), err);
}

amc_scorer *amc_scorer_new(const amc_network *network, amc_scorer_options options, amc_error *err) {
    amc_scorer *scorer = amc_memory_alloc(1, sizeof *scorer);
    scorer->network = network;
    scorer->part = options.part;
    scorer->quiet = options.quiet;
    scorer->data_path = amc_network_data_path(network, options.data);
    if (load(scorer, &options, err) == 0) return scorer;
    amc_scorer_free(scorer);
    return NULL;
}

void amc_scorer_free(amc_scorer *scorer) {
    if (!scorer) return;
    if (scorer->model) amc_host_model_free(scorer->model);
    if (scorer->dataset) amc_dataset_free(scorer->dataset);
    if (scorer->data) amc_data_file_free(scorer->data);
    amc_repair_close(&scorer->repair);
    amc_pruned_clear(&scorer->pruned);
    free(scorer->data_path);
    free(scorer);
}

void amc_scorer_print_held_out(const amc_scorer *scorer) {
    static bool told; // search -finetune comes here twice
    int held_out = scorer->dataset->list->held_out;
    if (scorer->part == AMC_DATASET_SEARCH && held_out && !told)
        fprintf(stderr,
                "%s has no search=: %d images of train= are held out for it, which ones -seed "
                "decides; keep them out of later training for an honest score\n",
                scorer->data_path, held_out);
    told = true;
}

void amc_scorer_apply_network(amc_scorer *scorer) {
    amc_host_model_apply(scorer->model, scorer->network->graph, scorer->network->weights);
    amc_pruned_clear(&scorer->pruned);
}

static void show(amc_accuracy done, int all, bool terminal) {
    int left = (int)(done.seconds / done.images * (all - done.images));
    fprintf(stderr, "%sscored %d of %d images, %d:%02d left%s", terminal ? "\r" : "", done.images,
            all, left / 60, left % 60, terminal ? "\033[K" : "\n");
}

// One line that rewrites itself on a terminal and is gone in the end, elsewhere one now and then.
amc_accuracy amc_scorer_network(amc_scorer *scorer) {
    int all = scorer->dataset->n, threads = amc_host_model_threads(scorer->model);
    int part = PART_BATCHES * threads * amc_host_model_batch(scorer->model);
    bool terminal = isatty(STDERR_FILENO);
    double pause = terminal ? 1 : 20, next = pause; // seconds
    amc_accuracy done = {0};
    amc_scorer_apply_network(scorer);
    while (done.images < all) {
        int n = all - done.images < part ? all - done.images : part;
        amc_accuracy_add(&done, scorer->model, scorer->dataset, done.images, n, scorer->top);
        if (scorer->quiet || done.seconds < next) continue;
        show(done, all, terminal);
        next = done.seconds + pause;
    }
    if (terminal && next > pause) fprintf(stderr, "\r\033[K");
    return done;
}

void amc_scorer_apply(amc_scorer *scorer, amc_pruned pruned) {
    amc_host_model_apply(scorer->model, pruned.graph, pruned.weights);
    amc_pruned_clear(&scorer->pruned); // only now: the model borrowed it
    scorer->pruned = pruned;
}

amc_pruned amc_scorer_take(amc_scorer *scorer) {
    amc_pruned pruned = scorer->pruned;
    scorer->pruned = (amc_pruned){0};
    return pruned;
}

void amc_scorer_images(amc_scorer *scorer, const int *images, int n, bool *right) {
    amc_accuracy_images(scorer->model, scorer->dataset, images, n, right);
}

amc_score amc_scorer_score(amc_accuracy a) {
    return (amc_score){.accuracy = (float)a.top1 / (float)a.images,
                       .images = a.images,
                       .expected = (float)(a.certain / a.images)};
}

amc_score amc_scorer_all(amc_scorer *scorer) {
    return amc_scorer_score(amc_accuracy_measure(scorer->model, scorer->dataset, scorer->top));
}

amc_score amc_scorer_pruned(amc_scorer *scorer, amc_pruned pruned) {
    amc_scorer_apply(scorer, pruned);
    return amc_scorer_all(scorer);
}
