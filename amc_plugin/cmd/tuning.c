#include "cmd/tuning.h"

#include "base/clock.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json_file.h"
#include "base/memory.h"
#include "cmd/interrupt.h"
#include "cmd/tuning_folder.h"
#include "host/gpu.h"
#include "host/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct tuning {
    const amc_network *network;
    const amc_tuning_options *options;
    amc_tuning_folder *folder;
    amc_scorer *scorer;
    amc_tuning_state state;
    uint64_t trained; // a hash of the network's files
    uint64_t inputs;  // of all that is read, but for images
    int batches;      // of the schedule
    int images;       // that are trained on
    int first_batch;  // of this run; 0 before it is known
    double start;     // seconds
    bool terminal;
    int epoch;       // that the last batch was in
    double accuracy; // of the last epoch that was scored
    amc_error *err;  // for what goes wrong while Darknet trains
    bool failed;     // it is set
    bool diverged;   // into what are no numbers
} tuning;

// ---- what is read -------------------------------------------------------------------------------

static int add_network(uint64_t *hash, const amc_network *network, amc_error *err) {
    if (amc_hash_file(hash, network->cfg_path, err) < 0) return -1;
    return amc_hash_file(hash, network->weights_path, err);
}

// NULL with err set, which says how else weights can be named where it is for want of them.
static amc_network *load_teacher(const amc_tuning_options *o, amc_error *err) {
    amc_network *teacher =
        amc_network_load(o->teacher, o->teacher_weights, AMC_WEIGHTS_NEEDED, err);
    if (teacher || o->teacher_weights) return teacher;
    amc_error reason = *err, ignored;
    amc_network *bare = amc_network_load(o->teacher, NULL, AMC_WEIGHTS_IF_GIVEN, &ignored);
    if (bare) amc_error_set(err, "%s, or named by -teacher-weights", reason.text);
    amc_network_free(bare);
    return NULL;
}

// It is shown the same images and has to name the same classes.
static int check_teacher(tuning *t, amc_error *err) {
    const amc_tuning_options *o = t->options;
    if (!o->teacher) return 0;
    amc_network *teacher = load_teacher(o, err);
    if (!teacher) return -1;
    const amc_layer_graph *a = teacher->graph, *b = t->network->graph;
    int outputs = amc_layer_outputs(&a->layers[amc_layer_graph_output(a)]);
    int wanted = amc_layer_outputs(&b->layers[amc_layer_graph_output(b)]);
    int status = 0;
    if (a->c != b->c || a->h != b->h || a->w != b->w || outputs != wanted)
        status = amc_error_set(
            err,
            "%s: has %d outputs for images of %dx%dx%d, expected %d for %dx%dx%d "
            "as %s",
            o->teacher, outputs, a->w, a->h, a->c, wanted, b->w, b->h, b->c, t->network->cfg_path);
    if (status == 0) status = add_network(&t->inputs, teacher, err);
    amc_network_free(teacher);
    return status;
}

// The teacher is in it already.
static int hash_inputs(tuning *t, amc_error *err) {
    uint64_t data;
    if (add_network(&t->trained, t->network, err) < 0 ||
        amc_data_file_hash(t->scorer->data, &data, err) < 0)
        return -1;
    t->inputs = amc_hash_bytes(t->inputs, &t->trained, sizeof t->trained);
    t->inputs = amc_hash_bytes(t->inputs, &data, sizeof data);
    return 0;
}

// ---- what Darknet gets --------------------------------------------------------------------------

// Where images are held out by seed, a list of the others.
static int write_list(const tuning *t, const amc_image_list *list, amc_error *err) {
    char *text = NULL;
    size_t length = 0;
    FILE *file = amc_memory_stream(&text, &length);
    for (int i = 0; i < list->n; i++) fprintf(file, "%s\n", list->entries[i].path);
    amc_memory_stream_close(file);
    int status = amc_files_write(t->folder->list, text, length, err);
    free(text);
    return status;
}

static int write_data(const tuning *t, const char *train, amc_error *err) {
    const amc_data_file *data = t->scorer->data;
    char *text = amc_memory_text("classes=%d\ntrain=%s\nlabels=%s\nbackup=%s\n", data->classes,
                                 train, data->labels, t->folder->alias);
    int status = amc_files_write(t->folder->data, text, strlen(text), err);
    free(text);
    return status;
}

// Darknet would find it out in the middle of an epoch.
static int check_images(const amc_image_list *list, amc_error *err) {
    for (int i = 0; i < list->n; i++)
        if (access(list->entries[i].path, R_OK) < 0)
            return amc_error_set(err, "%s:%d: the image %s can't be read: %s", list->path,
                                 list->entries[i].line, list->entries[i].path, strerror(errno));
    return 0;
}

static int write_images(tuning *t, amc_error *err) {
    amc_image_list *list =
        amc_image_list_load(t->scorer->data, AMC_DATASET_TRAIN, 0, t->options->seed, err);
    if (!list) return -1;
    t->images = list->n;
    int status = check_images(list, err);
    if (status == 0 && list->held_out) status = write_list(t, list, err);
    char *held = amc_memory_text("%s%s", t->folder->alias, strrchr(t->folder->list, '/'));
    if (status == 0) status = write_data(t, list->held_out ? held : list->path, err);
    free(held);
    amc_image_list_free(list);
    return status;
}

static void set_number(amc_cfg_text *cfg, const char *key, double value) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", value);
    amc_cfg_text_set(cfg, 0, key, text);
}

static double rate_of(const tuning *t) {
    const char *rate = amc_cfg_text_get(t->network->cfg, 0, "learning_rate");
    if (!isnan(t->options->rate)) return t->options->rate;
    return 0.5 * (rate ? strtod(rate, NULL) : 0.001); // Darknet's default
}

// The network's .cfg with a learning rate that falls in a straight line to 0, and a comment of what
// Darknet has no key for.
static char *scheduled(const tuning *t) {
    const amc_tuning_options *o = t->options;
    amc_cfg_text *cfg = amc_cfg_text_copy(t->network->cfg);
    set_number(cfg, "learning_rate", rate_of(t));
    amc_cfg_text_set(cfg, 0, "policy", "poly");
    amc_cfg_text_set_int(cfg, 0, "power", 1);
    amc_cfg_text_set_int(cfg, 0, "burn_in", 0);
    amc_cfg_text_set_int(cfg, 0, "max_batches", t->batches);
    if (o->teacher) amc_cfg_text_set_int(cfg, 0, "random", 0); // it takes images of one size
    char *print = amc_cfg_text_print(cfg);
    char *text = amc_memory_text("# inputs=%016" PRIx64 " seed=%" PRIu64 " limit=%d settle=%.9g "
                                 "teacher=%s teacher-share=%.9g\n%s",
                                 t->inputs, o->seed, o->limit, o->settle,
                                 o->teacher ? o->teacher : "-", o->teacher_share, print);
    amc_cfg_text_free(cfg);
    free(print);
    return text;
}

// Another schedule would go on in the middle of this one.
static int compare_schedule(const tuning *t, const char *text, amc_error *err) {
    size_t length;
    char *before = amc_files_read(t->folder->cfg, &length, err);
    if (!before) return -1;
    bool same = strcmp(before, text) == 0;
    free(before);
    if (same) return 0;
    return amc_error_set(err,
                         "%s: was begun with another network, -data, -seed, -limit, -epochs, "
                         "-rate, -settle or -teacher; expected the same, or -force instead of "
                         "-resume to start anew",
                         t->folder->cfg);
}

static int write_cfg(tuning *t, amc_error *err) {
    int batch;
    if (amc_cfg_text_int(t->network->cfg, 0, "batch", 1, 1, INT_MAX, &batch, err) < 0) return -1;
    double batches = ceil(t->options->epochs * t->images / batch);
    if (batches > 1e9)
        return amc_error_set(err, "finetune: %g epochs of %d images are too many",
                             t->options->epochs, t->images);
    t->batches = (int)batches;
    if (batch == 1)
        fprintf(
            stderr,
            "%s: warning: batch=1, as for testing; training needs larger batches, and many .cfg "
            "files have theirs in a comment\n",
            t->network->cfg_path);
    char *text = scheduled(t);
    int status = t->state.trained ? compare_schedule(t, text, err)
                                  : amc_files_write(t->folder->cfg, text, strlen(text), err);
    free(text);
    return status;
}

// ---- while it trains ----------------------------------------------------------------------------

static double share_of(amc_accuracy accuracy) {
    return (double)accuracy.top1 / accuracy.images;
}

// The accuracy of the network with other weights.
static int score(amc_scorer *scorer, const char *weights, double *accuracy, amc_error *err) {
    const amc_layer_graph *graph = scorer->network->graph;
    amc_weights *trained = amc_weights_load(weights, graph, err);
    if (!trained) return -1;
    amc_host_model_apply(scorer->model, graph, trained);
    *accuracy = share_of(amc_accuracy_measure(scorer->model, scorer->dataset, 1));
    amc_weights_free(trained);
    return 0;
}

static void show(const tuning *t, const amc_trainer_step *step) {
    if (t->options->quiet) return;
    double done = step->batch - t->first_batch + 1;
    double left = (amc_clock_seconds() - t->start) / done * (t->batches - step->batch);
    char line[160], scored[80] = "";
    if (t->state.scored)
        snprintf(scored, sizeof scored, ", held-out %.2f%%, best %.2f%% (epoch %d)",
                 100 * t->accuracy, 100 * t->state.accuracy, t->state.best);
    snprintf(line, sizeof line, "epoch %.1f of %g: loss %.3f%s, %.0f:%02d left", step->epoch,
             t->options->epochs, step->loss, scored, floor(left / 60), (int)fmod(left, 60));
    fprintf(stderr, t->terminal ? "\r%.79s\033[K" : "%s\n", line);
}

// Weights that Darknet wrote as a whole can't be read where they are no numbers. Always -1.
static int refuse_diverged(tuning *t, int epoch, amc_error *err) {
    t->diverged = true;
    return amc_error_set(err,
                         "%s: training diverged in epoch %d, weights are no numbers any more; "
                         "expected a lower -rate than %g%s",
                         t->network->cfg_path, epoch, rate_of(t),
                         t->state.scored ? ", and -force" : "");
}

// Scores the weights after an epoch, if they are there and new.
static int score_epoch(tuning *t, int epoch, amc_error *err) {
    char *weights = epoch > t->state.scored ? amc_tuning_folder_weights(t->folder, epoch) : NULL;
    if (!weights) return 0;
    int status = score(t->scorer, weights, &t->accuracy, err);
    if (status < 0) status = refuse_diverged(t, epoch, err);
    bool best = t->state.best == 0 || t->accuracy >= t->state.accuracy;
    if (status == 0) status = amc_tuning_folder_add(t->folder, epoch, t->accuracy, best, err);
    free(weights);
    if (status < 0) return -1;
    t->state.scored = epoch;
    if (!best) return 1;
    t->state.best = epoch;
    t->state.accuracy = t->accuracy;
    return 1;
}

// Darknet writes an epoch's weights after it has printed its last batch: at the next batch they are
// whole.
static bool watch(void *context, const amc_trainer_step *step) {
    tuning *t = context;
    if (!t->first_batch) t->first_batch = step->batch;
    int scored = score_epoch(t, t->epoch, t->err);
    if (scored == 1 || t->terminal) show(t, step);
    t->epoch = (int)step->epoch;
    t->failed = scored < 0;
    return !t->failed && !amc_interrupt_came();
}

// Those of this run that are cropped at random scales.
static long varied_images(const tuning *t) {
    double epochs = (1 - t->options->settle) * t->options->epochs - t->state.trained;
    return epochs > 0 ? lround(epochs * t->images) : 0;
}

static int train(tuning *t) {
    const amc_tuning_options *o = t->options;
    char *from = t->state.trained ? amc_tuning_folder_weights(t->folder, t->state.trained)
                                  : amc_memory_text("%s", t->network->weights_path);
    char *share = amc_memory_text("%.9g", o->teacher_share);
    char *threads = amc_memory_text("%d", o->threads);
    char *gpu = amc_memory_text("%d", amc_gpu_chosen());
    char *varied = amc_memory_text("%ld", varied_images(t));
    char *argv[] = {program_invocation_name,
                    "amc",
                    "-i",
                    gpu,
                    "train",
                    t->folder->data,
                    t->folder->cfg,
                    from,
                    t->state.trained ? "-resumed" : "-clear",
                    threads,
                    varied,
                    (char *)(o->teacher ? o->teacher : "-"),
                    (char *)(o->teacher_weights ? o->teacher_weights : "-"),
                    share,
                    NULL};
    t->start = amc_clock_seconds();
    int status = amc_trainer_run(argv, t->folder->log, watch, t, t->err);
    if (t->terminal) fprintf(stderr, "\n");
    free(from);
    free(share);
    free(threads);
    free(gpu);
    free(varied);
    return t->failed ? -1 : status;
}

// ---- a run --------------------------------------------------------------------------------------

static int last_epoch(const tuning *t) {
    return (int)ceil(t->options->epochs);
}

// Darknet's way to end where something is wrong is exit(0).
static int refuse_early_end(const tuning *t, amc_error *err) {
    char *words = amc_trainer_last_words(t->folder->log);
    bool cut = strncmp(words, "Saving weights", strlen("Saving weights")) == 0;
    amc_error_set(err, "%s: Darknet's training ended before epoch %d of %d was done: %s",
                  t->options->result, t->state.scored + 1, last_epoch(t),
                  cut ? "its weights weren't written as a whole; is the disk full?" : words);
    free(words);
    return -1;
}

// `prune -force` may have put another network in its place meanwhile.
static int check_network(const tuning *t, amc_error *err) {
    uint64_t now = AMC_HASH_START;
    if (add_network(&now, t->network, err) < 0) return -1;
    if (now == t->trained) return 0;
    return amc_error_set(err,
                         "%s: was replaced while it was trained on; expected -force to start anew "
                         "with the new network",
                         t->network->cfg_path);
}

// What is left at the end of the schedule is the last epoch's.
static int finish(tuning *t, amc_error *err) {
    int last = last_epoch(t);
    if (amc_tuning_folder_end(t->folder, last) && score_epoch(t, last, err) < 0) return -1;
    if (t->state.scored < last) return refuse_early_end(t, err);
    if (check_network(t, err) < 0) return -1;
    if (rename(t->folder->best, t->options->result) == 0) return 0;
    return amc_error_set(err, "%s: can't be written: %s", t->options->result, strerror(errno));
}

// The result has to be a file.
static int check_result(const amc_tuning_options *o, amc_error *err) {
    struct stat info;
    size_t length = strlen(o->result);
    bool there = stat(o->result, &info) == 0;
    if ((there && S_ISDIR(info.st_mode)) || o->result[length - 1] == '/')
        return amc_error_set(
            err, "finetune: -out %s is a folder, expected the .weights file to make", o->result);
    if (!there || o->force || o->resume) return 0;
    return amc_error_set(err, "%s: is there already; expected -force or another -out", o->result);
}

static int open_images(tuning *t, amc_error *err) {
    const amc_tuning_options *o = t->options;
    if (check_result(o, err) < 0 || check_teacher(t, err) < 0) return -1;
    amc_scorer_options options = {.data = o->data,
                                  .part = AMC_DATASET_SEARCH,
                                  .limit = o->limit,
                                  .seed = o->seed,
                                  .threads = o->threads,
                                  .quiet = o->quiet};
    t->scorer = amc_scorer_new(t->network, options, err);
    if (!t->scorer) return -1;
    if (!o->quiet) amc_scorer_print_held_out(t->scorer);
    return hash_inputs(t, err);
}

static int open_folder(tuning *t, amc_error *err) {
    const amc_tuning_options *o = t->options;
    size_t bytes = amc_weights_file_size(t->network->graph);
    t->folder = amc_tuning_folder_open(o->result, bytes, o->resume, o->force, err);
    if (!t->folder || amc_tuning_folder_state(t->folder, &t->state, err) < 0 ||
        write_images(t, err) < 0 || write_cfg(t, err) < 0)
        return -1;
    return 0;
}

// Trains until the end or an interruption, with what that came to in result.
static int tune(tuning *t, amc_tuning_result *result, amc_error *err) {
    int status = open_folder(t, err);
    if (status == 0) {
        amc_interrupt_catch();
        status = score_epoch(t, t->state.trained, err) < 0 ? -1 : train(t);
        amc_interrupt_release();
    }
    if (status == 0) status = finish(t, err);
    if (t->diverged) amc_tuning_folder_forget(t->folder, t->state.scored);
    amc_tuning_folder_close(t->folder, status == 0);
    result->after = t->state.accuracy;
    result->epoch = t->state.best;
    return status;
}

// There is nothing to go on with where a result stands and no unfinished one.
static bool is_finished(const amc_tuning_options *o) {
    return o->resume && !o->force && amc_files_exists(o->result) &&
           !amc_tuning_folder_exists(o->result);
}

static int tell_finished(tuning *t, amc_tuning_result *result, amc_error *err) {
    if (!t->options->quiet)
        fprintf(stderr, "%s: is finished, and stays; -force instead of -resume trains anew\n",
                t->options->result);
    return score(t->scorer, t->options->result, &result->after, err);
}

// What the network is worth on the test set, with other weights where such are named; NAN where
// there is none. Its images need not be held while others are trained on.
static int score_test(const tuning *t, const char *weights, double *accuracy, amc_error *err) {
    *accuracy = NAN;
    if (!t->scorer->data->test) return 0;
    const amc_tuning_options *o = t->options;
    amc_scorer_options options = {
        .data = o->data, .part = AMC_DATASET_TEST, .threads = o->threads, .quiet = o->quiet};
    amc_scorer *test = amc_scorer_new(t->network, options, err);
    if (!test) return -1;
    int status = 0;
    if (weights)
        status = score(test, weights, accuracy, err);
    else
        *accuracy = share_of(amc_scorer_network(test));
    amc_scorer_free(test);
    return status;
}

int amc_tuning_run(const amc_network *network, const amc_tuning_options *options,
                   amc_tuning_result *result, amc_error *err) {
    tuning t = {.network = network,
                .options = options,
                .err = err,
                .trained = AMC_HASH_START,
                .inputs = AMC_HASH_START,
                .terminal = !options->quiet && isatty(STDERR_FILENO)};
    *result = (amc_tuning_result){0};
    int status = open_images(&t, err);
    if (status == 0) status = score_test(&t, NULL, &result->test_before, err);
    if (status == 0) {
        result->before = share_of(amc_scorer_network(t.scorer));
        status = is_finished(options) ? tell_finished(&t, result, err) : tune(&t, result, err);
    }
    if (status == 0) status = score_test(&t, options->result, &result->test_after, err);
    amc_scorer_free(t.scorer);
    return status;
}

// In place of what is there by that name.
static void set(cJSON *json, const char *key, cJSON *value) {
    if (!cJSON_ReplaceItemInObjectCaseSensitive(json, key, value))
        cJSON_AddItemToObject(json, key, value);
}

void amc_tuning_add_json(const amc_tuning_options *options, const amc_tuning_result *result,
                         cJSON *json) {
    set(json, "finetuned_weights", cJSON_CreateString(options->result));
    set(json, "finetuned_accuracy", cJSON_CreateNumber(result->after));
    if (result->epoch) set(json, "epoch", cJSON_CreateNumber(result->epoch));
    if (isnan(result->test_after)) return;
    set(json, "test_accuracy", cJSON_CreateNumber(result->test_before));
    set(json, "finetuned_test_accuracy", cJSON_CreateNumber(result->test_after));
}

void amc_tuning_move_json(cJSON *from, cJSON *to) {
    static const char *const keys[] = {"finetuned_weights", "finetuned_accuracy", "epoch",
                                       "test_accuracy", "finetuned_test_accuracy"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        cJSON *value = cJSON_DetachItemFromObjectCaseSensitive(from, keys[i]);
        if (value) cJSON_AddItemToObject(to, keys[i], value);
    }
}

void amc_tuning_print(const amc_tuning_options *options, const amc_tuning_result *result) {
    printf("fine-tuned: accuracy on the held-out training images %.2f%% -> %.2f%%",
           100 * result->before, 100 * result->after);
    if (result->epoch) printf(" (epoch %d of %.0f)", result->epoch, ceil(options->epochs));
    if (!isnan(result->test_after))
        printf(", on the test set %.2f%% -> %.2f%%", 100 * result->test_before,
               100 * result->test_after);
    printf("\n");
    if (result->after < result->before)
        printf("that is worse than before: more -epochs or a lower -rate may help\n");
    printf("%s\n", options->result);
}

int amc_tuning_tell_result(const amc_network *network, const amc_tuning_options *options,
                           const amc_tuning_result *result, amc_error *err) {
    const char *slash = strrchr(network->weights_path, '/');
    int folder = slash ? (int)(slash + 1 - network->weights_path) : 0;
    char *path = amc_memory_text("%.*sresult.json", folder, network->weights_path);
    amc_error ignored;
    cJSON *json = amc_files_exists(path) ? amc_json_file_load(path, "a result", &ignored) : NULL;
    const char *weights = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "weights"));
    const char *name = weights ? strrchr(weights, '/') : NULL;
    int status = 0;
    if (name && strcmp(name + 1, network->weights_path + folder) == 0) {
        amc_tuning_add_json(options, result, json);
        status = amc_json_file_save(path, json, err);
    }
    cJSON_Delete(json);
    free(path);
    return status;
}
