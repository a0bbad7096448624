// The subcommands of `darknet amc`. Each takes its own argc and argv (argv[0] is its name) and
// returns the exit status: 0 done, 1 usage or input (one sentence on stderr).

#ifndef AMC_CMD_COMMANDS_H
#define AMC_CMD_COMMANDS_H

#include "base/error.h"

#include <cjson/cJSON.h>
#include <stdint.h>

int amc_cmd_info(int argc, char **argv);
int amc_cmd_eval(int argc, char **argv);
int amc_cmd_latency(int argc, char **argv);
int amc_cmd_prune(int argc, char **argv);
int amc_cmd_search(int argc, char **argv);
int amc_cmd_finetune(int argc, char **argv);
int amc_cmd_report(int argc, char **argv);

// What the process that trains for finetune runs, for nobody else: Darknet's `classifier train`,
// perhaps with a teacher. argv is what cmd/tuning gives it.
int amc_cmd_train(int argc, char **argv);

// Prints the sentence to stderr and returns the exit status for it.
int amc_cmd_fail(const amc_error *err);

// Prints a JSON object to stdout.
void amc_cmd_print_json(const cJSON *json);

// "9.91 M" for 9914112: three digits that a person can compare. Not reentrant: four buffers in
// turn.
const char *amc_cmd_count(int64_t n);

// Processors that this process may run on: the default for -threads.
int amc_cmd_processors(void);

// Threads that the kernels share work among from now on.
void amc_cmd_use_threads(int threads);

#endif
