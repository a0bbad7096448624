// policy.json as JSON: what plans of channels (prune_plan) and of single weights (weight_policy)
// have in common, a list of groups.

#ifndef AMC_MODEL_POLICY_FILE_H
#define AMC_MODEL_POLICY_FILE_H

#include "model/prune_space.h"

#include <cjson/cJSON.h>

// The file, which holds a list "groups" and is a policy of that granularity; the caller deletes it.
// NULL with err set for a file that is missing or anything else.
cJSON *amc_policy_file_load(const char *path, amc_granularity granularity, amc_error *err);

// Writes and deletes the policy. -1 with err set.
int amc_policy_file_save(cJSON *policy, const char *path, amc_error *err);

#endif
