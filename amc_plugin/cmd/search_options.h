// The options of `darknet amc search`, and those of them that decide what it finds.

#ifndef AMC_CMD_SEARCH_OPTIONS_H
#define AMC_CMD_SEARCH_OPTIONS_H

#include "cmd/aim.h"
#include "cmd/options.h"
#include "cmd/scorer.h"
#include "search/reward.h"

typedef struct amc_search_given {
    amc_reward reward;
    const char *reward_name, *agent, *skip, *out;
    double early_stop, max_drop;
    double finetune; // epochs after the search; 0: none
    bool expects;    // see amc_search_options: neither -paper nor -early-stop
    bool force, resume, json, quiet, paper, episodes_given, warmup_given, max_drop_given,
        refit_given;
    int episodes, warmup, seed;
    amc_option_list flops; // budgets, each for a search of its own; that of `aim` is the first
    amc_aim aim;
    amc_scorer_options scorer;
} amc_search_given;

// Parses argv (argv[0] is the command), checks the options and completes them. Returns 0; 1 if the
// help was printed; -1 with err set.
int amc_search_options_parse(int argc, char **argv, amc_search_given *given, amc_files_given *files,
                             amc_error *err);

// All that decides what a search of the network within the budgets of `aim` finds, as the settings
// of its checkpoint (see search/checkpoint.h), new text: contents of files, and options but for the
// number of episodes and those that only say how and where. NULL with err set if a file can't be
// read.
char *amc_search_options_settings(const amc_search_given *given, const amc_aim *aim,
                                  const amc_network *network, amc_error *err);

#endif
