#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/tuning.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct finetune_options {
    amc_tuning_options tuning;
    bool json, share_given;
} finetune_options;

static int check(const finetune_options *o, amc_error *err) {
    if (o->tuning.teacher) return 0;
    if (o->tuning.teacher_weights)
        return amc_error_set(err, "finetune: -teacher-weights %s without -teacher, expected both",
                             o->tuning.teacher_weights);
    if (o->share_given)
        return amc_error_set(err, "finetune: -teacher-share %g without -teacher, expected both",
                             o->tuning.teacher_share);
    return 0;
}

static void print_json(const amc_tuning_options *o, const amc_tuning_result *result) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddNumberToObject(json, "accuracy", result->before);
    amc_tuning_add_json(o, result, json);
    amc_cmd_print_json(json);
    cJSON_Delete(json);
}

static int run(const finetune_options *o, const char *cfg, const char *weights, amc_error *err) {
    amc_network *network = amc_network_load(cfg, weights, AMC_WEIGHTS_TO_SCORE, err);
    if (!network) return -1;
    amc_tuning_options tuning = o->tuning;
    char *beside = amc_network_beside(network, "-finetuned.weights");
    if (!tuning.result) tuning.result = beside;
    amc_tuning_result result;
    int status = amc_tuning_run(network, &tuning, &result, err);
    if (status == 1)
        fprintf(stderr, "interrupted; %s\n",
                result.epoch ? "the same command with -resume goes on after the last epoch"
                             : "no epoch was done, so nothing is kept");
    // A report shows the weights that belong to the result; others are an experiment.
    if (status == 0 && strcmp(tuning.result, beside) == 0)
        status = amc_tuning_tell_result(network, &tuning, &result, err);
    if (status == 0 && o->json) print_json(&tuning, &result);
    if (status == 0 && !o->json) amc_tuning_print(&tuning, &result);
    free(beside);
    amc_network_free(network);
    return status;
}

int amc_cmd_finetune(int argc, char **argv) {
    finetune_options o = {.tuning = {.epochs = 30,
                                     .rate = NAN,
                                     .teacher_share = AMC_TUNING_TEACHER_SHARE,
                                     .settle = AMC_TUNING_SETTLE,
                                     .threads = amc_cmd_processors()}};
    int seed = 1;
    const amc_option table[] = {
        AMC_OPTION_DATA(&o.tuning.data),
        {.name = "epochs",
         .kind = AMC_OPTION_NUMBER,
         .value = &o.tuning.epochs,
         .argument = "N",
         .help = "how often all training images are seen",
         .high = 100000,
         .open = true},
        {.name = "rate",
         .kind = AMC_OPTION_NUMBER,
         .value = &o.tuning.rate,
         .argument = "R",
         .help = "learning rate at the start, which falls to 0, else half of the cfg's",
         .high = 100,
         .open = true},
        {.name = "settle",
         .kind = AMC_OPTION_NUMBER,
         .value = &o.tuning.settle,
         .argument = "R",
         .help = "share of the epochs, the last ones, with images scaled as in validation",
         .high = 1},
        {.name = "teacher",
         .kind = AMC_OPTION_TEXT,
         .value = &o.tuning.teacher,
         .argument = "CFG",
         .help = "learn from this network too, such as the one that was pruned"},
        {.name = "teacher-weights",
         .kind = AMC_OPTION_TEXT,
         .value = &o.tuning.teacher_weights,
         .argument = "FILE",
         .help = "its weights, else weights/<name>.weights, else <name>.weights beside it"},
        {.name = "teacher-share",
         .kind = AMC_OPTION_NUMBER,
         .value = &o.tuning.teacher_share,
         .argument = "R",
         .help = "how much of the truth is what the teacher says",
         .high = 1,
         .given = &o.share_given},
        {.name = "out",
         .kind = AMC_OPTION_TEXT,
         .value = &o.tuning.result,
         .argument = "FILE",
         .help = "the weights to make, else <name>-finetuned.weights beside the cfg"},
        AMC_OPTION_FORCE(&o.tuning.force),
        {.name = "resume",
         .kind = AMC_OPTION_FLAG,
         .value = &o.tuning.resume,
         .help = "go on where it was interrupted, or start; what is finished stays"},
        AMC_OPTION_QUIET(&o.tuning.quiet),
        AMC_OPTION_SEED(&seed, "holding images out"),
        {.name = "threads",
         .kind = AMC_OPTION_INT,
         .value = &o.tuning.threads,
         .argument = "N",
         .help = "threads; Darknet draws its images by the clock, so no two runs are the same",
         .low = 1,
         .high = 1024},
        AMC_OPTION_JSON(&o.json),
    };
    const amc_options options = {
        .command = "finetune",
        .summary =
            "Trains a pruned network on, by Darknet's own training loop, and keeps the weights "
            "of the\nepoch that is best on held-out training images. Left out, the weights "
            "are\nweights/<name>.weights, else <name>.weights beside the cfg.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
    };
    amc_files_given files;
    amc_error err;
    int status = amc_options_parse(&options, argc, argv, &files, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    if (check(&o, &err) < 0) return amc_cmd_fail(&err);
    o.tuning.seed = (uint64_t)seed;
    amc_cmd_use_threads(o.tuning.threads);
    status = run(&o, files.cfg, files.weights, &err);
    return status < 0 ? amc_cmd_fail(&err) : status;
}
