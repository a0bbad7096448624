// The binary's entry: `darknet amc ...` is ours, every other command Darknet's own with the
// kernels of host/hooks installed.

#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/device.h"
#include "cmd/shell.h"
#include "host/gpu.h"
#include "host/hooks.h"
#include "host/libraries.h"

#include <errno.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#include <stdio.h>
#include <string.h>

int __real_main(int argc, char **argv);

typedef struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} command;

static const command commands[] = {
    {"search", amc_cmd_search, "let an agent decide how much of each layer to keep"},
    {"prune", amc_cmd_prune,
     "apply a policy: uniform, shallow, deep, random, fp, greedy, surgeon or a policy.json"},
    {"finetune", amc_cmd_finetune, "train a pruned network on, with Darknet's training loop"},
    {"report", amc_cmd_report, "make a page with pictures of what a search or pruning did"},
    {"eval", amc_cmd_eval, "measure accuracy, FLOPs and speed"},
    {"latency", amc_cmd_latency, "measure how long one image takes, layer by layer"},
    {"info", amc_cmd_info, "show layers, costs and which channels go together"},
};
#define COMMANDS (sizeof commands / sizeof *commands)

int amc_cmd_fail(const amc_error *err) {
    fprintf(stderr, "amc: %s\n", err->text);
    return 1;
}

void amc_cmd_print_json(const cJSON *json) {
    char *text = cJSON_Print(json);
    puts(text);
    cJSON_free(text);
}

const char *amc_cmd_count(int64_t n) {
    static char buffers[4][24];
    static int next;
    char *text = buffers[next++ % 4];
    const char *units[] = {"", " k", " M", " G", " T"};
    double value = (double)n;
    int unit = 0;
    for (; value >= 999.5 && unit < 4; unit++) value /= 1000;
    int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, sizeof buffers[0], "%.*f%s", digits, value, units[unit]);
    return text;
}

#ifdef _OPENMP
int amc_cmd_processors(void) {
    return omp_get_num_procs();
}

void amc_cmd_use_threads(int threads) {
    omp_set_num_threads(threads);
}
#else
int amc_cmd_processors(void) {
    return 1;
}

void amc_cmd_use_threads(int threads) {
    (void)threads; // there is only the one
}
#endif

static void print_usage(void) {
    printf("usage: darknet amc <command> <cfg> [weights] [options]\n\n"
           "Prunes networks trained with Darknet into smaller ones that any Darknet reads.\n\n"
           "commands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        printf("  %-8s %s\n", commands[i].name, commands[i].summary);
    printf("\ndarknet amc <command> -h shows a command's options. To start:\n"
           "  darknet amc search cfg/mine.cfg      with weights/mine.weights, cfg/mine.data\n");
    if (amc_gpu_built()) printf("\nThe first GPU computes; -i N takes another, -nogpu the CPU.\n");
}

// What can't be written, to a full disk say, was not done.
static int finish(int status) {
    if (status != 0 || (fflush(stdout) == 0 && !ferror(stdout))) return status;
    amc_error err;
    amc_error_set(&err, "the output can't be written: %s", strerror(errno));
    return amc_cmd_fail(&err);
}

static int run_amc(int argc, char **argv) {
    amc_error err;
    if (amc_device_take(&argc, argv, &err) < 0) return amc_cmd_fail(&err);
    if (argc > 2 && strcmp(argv[1], "help") == 0) { // of one command
        argv[1] = argv[2];
        argv[2] = "-h";
    }
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(name, commands[i].name) == 0) return finish(commands[i].run(argc - 1, argv + 1));
    if (strcmp(name, "train") == 0) return amc_cmd_train(argc - 1, argv + 1);
    if (!strcmp(name, "help") || !strcmp(name, "-h") || !strcmp(name, "--help")) {
        print_usage();
        return finish(0);
    }
    amc_error_set(&err,
                  "%s%s, expected search, prune, finetune, report, eval, latency or info (see "
                  "darknet amc -h)",
                  *name ? name : "no command", *name ? " is not a command" : "");
    return amc_cmd_fail(&err);
}

int __wrap_main(int argc, char **argv) {
    amc_memory_settle();
    amc_libraries_settle(argv);
    amc_hooks_install();
    amc_shell_keep(argc, argv);
    if (argc > 1 && strcmp(argv[1], "amc") == 0) return run_amc(argc - 1, argv + 1);
    amc_error err;
    if (argc > 1 && amc_device_start(argc, argv, &err) < 0) return amc_cmd_fail(&err);
    return __real_main(argc, argv);
}
