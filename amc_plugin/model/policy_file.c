#include "model/policy_file.h"

#include "base/json_file.h"

#include <stdlib.h>
#include <string.h>

static int check(const cJSON *policy, const char *path, amc_granularity granularity,
                 amc_error *err) {
    if (!cJSON_IsArray(cJSON_GetObjectItem(policy, "groups")))
        return amc_error_set(err, "%s: holds no \"groups\": [...], expected a policy", path);
    const cJSON *named = cJSON_GetObjectItem(policy, "granularity");
    bool of_weights = cJSON_IsString(named) && strcmp(named->valuestring, "weight") == 0;
    if (of_weights == (granularity == AMC_GRANULARITY_WEIGHT)) return 0;
    return amc_error_set(err,
                         of_weights ? "%s: is a policy of weights, expected one of channels"
                                    : "%s: is a policy of channels, expected \"granularity\": "
                                      "\"weight\"",
                         path);
}

cJSON *amc_policy_file_load(const char *path, amc_granularity granularity, amc_error *err) {
    cJSON *policy = amc_json_file_load(path, "a policy", err);
    if (policy && check(policy, path, granularity, err) == 0) return policy;
    cJSON_Delete(policy);
    return NULL;
}

int amc_policy_file_save(cJSON *policy, const char *path, amc_error *err) {
    int status = amc_json_file_save(path, policy, err);
    cJSON_Delete(policy);
    return status;
}
