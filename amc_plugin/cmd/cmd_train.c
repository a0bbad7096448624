#include "cmd/commands.h"
#include "cmd/network.h"
#include "host/gpu.h"
#include "host/teacher.h"
#include "host/training_images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __real_main(int argc, char **argv);

// argv: train data cfg weights -clear|-resumed threads images teacher.cfg|- teacher.weights|- share
// images: after how many of them to settle (see host/training_images)
enum { DATA = 1, CFG, WEIGHTS, CLEAR, THREADS, IMAGES, TEACHER, TEACHER_WEIGHTS, SHARE, END };

static const char *given(const char *argument) {
    return strcmp(argument, "-") == 0 ? NULL : argument;
}

static int invite(char **argv, int threads, amc_error *err) {
    static amc_network *network; // the teacher lives as long as the process
    network =
        amc_network_load(argv[TEACHER], given(argv[TEACHER_WEIGHTS]), AMC_WEIGHTS_NEEDED, err);
    amc_host_model *model =
        network ? amc_host_model_new(argv[TEACHER], network->graph, threads, err) : NULL;
    if (!model) return -1;
    amc_host_model_apply(model, network->graph, network->weights);
    amc_teacher_install(model, (float)atof(argv[SHARE]));
    return 0;
}

int amc_cmd_train(int argc, char **argv) {
    amc_error err;
    if (argc != END) {
        amc_error_set(&err, "train is what finetune runs, expected finetune");
        return amc_cmd_fail(&err);
    }
    setlinebuf(stdout); // finetune reads it
    int threads = atoi(argv[THREADS]);
    amc_cmd_use_threads(threads);
    amc_training_images_settle_after(atol(argv[IMAGES]));
    if (amc_gpu_start(&err) < 0 || (given(argv[TEACHER]) && invite(argv, threads, &err) < 0))
        return amc_cmd_fail(&err);
    char *clear = strcmp(argv[CLEAR], "-clear") == 0 ? argv[CLEAR] : NULL;
    char *darknet[] = {"darknet", "classifier",  "train", argv[DATA],
                       argv[CFG], argv[WEIGHTS], clear,   NULL};
    return __real_main(clear ? 7 : 6, darknet);
}
