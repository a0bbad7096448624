// A subcommand's options as a table: parsed by getopt_long_only, ranges checked, and printed by -h
// with the defaults that are in force.

#ifndef AMC_CMD_OPTIONS_H
#define AMC_CMD_OPTIONS_H

#include "base/error.h"

#include <limits.h>
#include <stdbool.h>

typedef enum amc_option_kind {
    AMC_OPTION_FLAG,   // bool *value
    AMC_OPTION_INT,    // int *value in [low, high]
    AMC_OPTION_NUMBER, // double *value in [low, high]; low is left out where `open` is set
    AMC_OPTION_LIST,   // amc_option_list *value: numbers as above, with commas between them
    AMC_OPTION_TEXT,   // const char **value
} amc_option_kind;

typedef struct amc_option_list {
    int n;
    double values[16];
} amc_option_list;

typedef struct amc_option {
    const char *name; // without its dash
    amc_option_kind kind;
    void *value;          // holds the default before parsing
    const char *argument; // what stands for it in the help: "R"
    const char *help;
    double low, high; // of numbers
    bool open;        // low itself is not allowed
    bool *given;      // set to true where the option was there; may be NULL
} amc_option;

// Options that several commands have, so that they read the same everywhere. `to` is where the
// value goes.
#define AMC_OPTION_DATA(to)                                                                        \
    {                                                                                              \
        .name = "data", .kind = AMC_OPTION_TEXT, .value = (to), .argument = "FILE",                \
        .help = "the .data file, else <name>.data beside the cfg"                                  \
    }
#define AMC_OPTION_FLOPS(aim)                                                                      \
    {                                                                                              \
        .name = "flops", .kind = AMC_OPTION_NUMBER, .value = &(aim)->budget[AMC_RESOURCE_MACS],    \
        .argument = "R", .help = "budget: share of the FLOPs (multiply-accumulates) left",         \
        .high = 1, .open = true, .given = &(aim)->given[AMC_RESOURCE_MACS]                         \
    }
#define AMC_OPTION_PARAMS(aim)                                                                     \
    {                                                                                              \
        .name = "params", .kind = AMC_OPTION_NUMBER, .value = &(aim)->budget[AMC_RESOURCE_PARAMS], \
        .argument = "R", .help = "budget: share of the parameters left", .high = 1, .open = true,  \
        .given = &(aim)->given[AMC_RESOURCE_PARAMS]                                                \
    }
#define AMC_OPTION_LATENCY(aim)                                                                    \
    {                                                                                              \
        .name = "latency", .kind = AMC_OPTION_NUMBER,                                              \
        .value = &(aim)->budget[AMC_RESOURCE_LATENCY], .argument = "R",                            \
        .help = "budget: share of the time for one image left, as predicted", .high = 1,           \
        .open = true, .given = &(aim)->given[AMC_RESOURCE_LATENCY]                                 \
    }
#define AMC_OPTION_MEMORY(aim)                                                                     \
    {                                                                                              \
        .name = "memory", .kind = AMC_OPTION_NUMBER, .value = &(aim)->budget[AMC_RESOURCE_MEMORY], \
        .argument = "R", .help = "budget: share of the most activations that live at a time left", \
        .high = 1, .open = true, .given = &(aim)->given[AMC_RESOURCE_MEMORY]                       \
    }
#define AMC_OPTION_REMEASURE(to)                                                                   \
    {                                                                                              \
        .name = "remeasure", .kind = AMC_OPTION_FLAG, .value = (to),                               \
        .help = "predict latency from new measurements, whatever is kept of old ones"              \
    }
#define AMC_OPTION_GRANULARITY(to)                                                                 \
    {                                                                                              \
        .name = "granularity", .kind = AMC_OPTION_TEXT, .value = (to), .argument = "NAME",         \
        .help = "channel: a smaller network; weight: single weights of it become zero"             \
    }
#define AMC_OPTION_MIN_KEEP(to, given_to)                                                          \
    {                                                                                              \
        .name = "min-keep", .kind = AMC_OPTION_NUMBER, .value = (to), .argument = "R",             \
        .help = "least share of a group's channels or weights that is kept", .high = 1,            \
        .given = (given_to)                                                                        \
    }
#define AMC_OPTION_ROUND(to)                                                                       \
    {                                                                                              \
        .name = "round", .kind = AMC_OPTION_INT, .value = (to), .argument = "K",                   \
        .help = "keep multiples of K channels", .low = 1, .high = 1024                             \
    }
#define AMC_OPTION_SKIP(to)                                                                        \
    {                                                                                              \
        .name = "skip", .kind = AMC_OPTION_TEXT, .value = (to), .argument = "LAYERS",              \
        .help = "layers to leave whole, such as 0,3,12"                                            \
    }
#define AMC_OPTION_RECONSTRUCT(to)                                                                 \
    {                                                                                              \
        .name = "reconstruct", .kind = AMC_OPTION_INT, .value = (to), .argument = "N",             \
        .help = "training images to reconstruct weights from; 0: don't", .high = 100000            \
    }
#define AMC_OPTION_QUIET(to)                                                                       \
    {                                                                                              \
        .name = "quiet", .kind = AMC_OPTION_FLAG, .value = (to),                                   \
        .help = "nothing on stderr but what went wrong"                                            \
    }
#define AMC_OPTION_CALIBRATE(to)                                                                   \
    {                                                                                              \
        .name = "calibrate", .kind = AMC_OPTION_INT, .value = (to), .argument = "N",               \
        .help = "training images to re-estimate batch normalization on; 0: don't", .high = 100000  \
    }
#define AMC_OPTION_REFIT(to, flag)                                                                 \
    {                                                                                              \
        .name = "refit", .kind = AMC_OPTION_INT, .value = (to), .argument = "N",                   \
        .help = "training images to refit the result on, layer by layer; 0: don't",                \
        .high = 100000, .given = (flag)                                                            \
    }
#define AMC_OPTION_CRITERION(to)                                                                   \
    {                                                                                              \
        .name = "criterion", .kind = AMC_OPTION_TEXT, .value = (to), .argument = "NAME",           \
        .help = "how channels are chosen: obs (default with -reconstruct), bn (else), lasso, l1, " \
                "l2, random; single weights: obs or l1 (else)"                                     \
    }
#define AMC_OPTION_LIMIT(to)                                                                       \
    {                                                                                              \
        .name = "limit", .kind = AMC_OPTION_INT, .value = (to), .argument = "N",                   \
        .help = "score on at most N images, spread over the classes; 0: all", .high = INT_MAX      \
    }
#define AMC_OPTION_SEED(to, of)                                                                    \
    {                                                                                              \
        .name = "seed", .kind = AMC_OPTION_INT, .value = (to), .argument = "S", .help = "of " of,  \
        .high = INT_MAX                                                                            \
    }
#define AMC_OPTION_THREADS(to)                                                                     \
    {                                                                                              \
        .name = "threads", .kind = AMC_OPTION_INT, .value = (to), .argument = "N",                 \
        .help = "threads; the result is the same for any", .low = 1, .high = 1024                  \
    }
#define AMC_OPTION_OUT(to)                                                                         \
    {                                                                                              \
        .name = "out", .kind = AMC_OPTION_TEXT, .value = (to), .argument = "DIR",                  \
        .help = "where the result goes, else amc-out/<name>"                                       \
    }
#define AMC_OPTION_FORCE(to)                                                                       \
    {                                                                                              \
        .name = "force", .kind = AMC_OPTION_FLAG, .value = (to),                                   \
        .help = "replace a result that is there, and what was made of it"                          \
    }
#define AMC_OPTION_JSON(to)                                                                        \
    { .name = "json", .kind = AMC_OPTION_FLAG, .value = (to), .help = "print one JSON object" }

// A command: darknet amc <command> <cfg> [weights] [options]
typedef struct amc_options {
    const char *command;  // "search"
    const char *operands; // what it is about, if that isn't a network: "<folder>"
    const char *summary;  // what the command does, one paragraph
    const amc_option *options;
    int n_options;
} amc_options;

typedef struct amc_files_given {
    const char *cfg;     // or the one operand
    const char *weights; // NULL if left out
} amc_files_given;

// Parses argv (argv[0] is the command). Returns 0; 1 if -h was there (the help was printed to
// stdout); -1 with err set.
int amc_options_parse(const amc_options *options, int argc, char **argv, amc_files_given *files,
                      amc_error *err);

#endif
