// A subcommand's options as a table: parsed by getopt_long_only, ranges checked, and printed by -h
// with the defaults that are in force.

#ifndef AMC_CMD_OPTIONS_H
#define AMC_CMD_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>

typedef enum amc_option_kind {
    AMC_OPTION_FLAG,   // bool *value
    AMC_OPTION_INT,    // int *value in [low, high]
    AMC_OPTION_NUMBER, // double *value in [low, high]; low is left out where `open` is set
    AMC_OPTION_TEXT,   // const char **value
} amc_option_kind;

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

typedef struct amc_options {
    const char *command;   // "search"
    const char *arguments; // "<cfg> [weights]"
    const char *summary;   // what the command does, one paragraph
    const amc_option *options;
    int n_options;
    int least, most; // number of positional arguments
} amc_options;

// Parses argv (argv[0] is the command). Positional arguments go to positional[0 .. most-1], NULL
// where missing. Returns 0; 1 if -h was there (the help was printed to stdout); -1 with err set.
int amc_options_parse(const amc_options *options, int argc, char **argv, const char **positional,
                      amc_error *err);

#endif
