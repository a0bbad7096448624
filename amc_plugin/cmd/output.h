// What search and prune leave behind: a folder with the pruned .cfg and .weights, the policy and,
// for a search, its episodes. All files appear together or none does, and what was there before is
// replaced only on request and only by a whole result.

#ifndef AMC_CMD_OUTPUT_H
#define AMC_CMD_OUTPUT_H

#include "cmd/pruned.h"

#include <cjson/cJSON.h>

typedef struct amc_output {
    const amc_network *network; // borrowed
    amc_granularity granularity;
    bool replace; // a result that is there may be replaced
    char *folder;
    char *cfg_path;        // <folder>/<name>-amc.cfg
    char *weights_path;    // <folder>/<name>-amc.weights
    char *policy_path;     // <folder>/policy.json
    char *episodes_path;   // <folder>/episodes.csv
    char *json_path;       // <folder>/result.json
    char *finetuned_path;  // <folder>/<name>-amc-finetuned.weights, which fine-tuning makes
    char *checkpoint_path; // <folder>/checkpoint, which a search keeps there itself
    char *staging;         // folder beside them in which a result is made; NULL until it is
    char *made;            // outermost folder that was made for it and is to go where there is no
                           // result; NULL if none is
} amc_output;

// Makes the folder (NULL: amc-out/<name>) if it isn't there. NULL with err set if it can't be made.
amc_output *amc_output_new(const amc_network *network, amc_granularity granularity,
                           const char *folder, amc_error *err);

// A staged result that was not published is removed, and the folders made for it.
void amc_output_free(amc_output *output);

// Makes sure that a result can be put there. -1 with err set if not, or if it holds one and
// `replace` is not set, or what is pruned itself; `options`, as "-force", is what could be given to
// have it replaced.
int amc_output_check(amc_output *output, bool replace, const char *options, amc_error *err);

// Removes what others were killed over while they staged it. To be called only by who alone writes
// to the folder.
void amc_output_sweep(const amc_output *output);

// Writes the network to the staging folder, episodes (may be NULL) too. -1 with err set.
int amc_output_stage(amc_output *output, const amc_pruned *pruned, const char *episodes,
                     amc_error *err);

// The staged network, read back as any user would. NULL with err set.
amc_network *amc_output_read_back(const amc_output *output, amc_error *err);

// Moves the staged result into place, and json beside it as result.json. A report of another
// result is removed, and what fine-tuning made of another network; what was said of the same one's
// goes into json. -1 with err set, a result that came to be there meanwhile included.
int amc_output_publish(amc_output *output, cJSON *json, amc_error *err);

#endif
