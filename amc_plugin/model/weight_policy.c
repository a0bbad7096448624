#include "model/weight_policy.h"

#include "base/memory.h"
#include "model/policy_file.h"

#include <stdlib.h>

// seen: (groups) layers that were named already.
static int apply_entry(const amc_prune_space *space, const char *path, const cJSON *entry,
                       int *counts, bool *seen, amc_error *err) {
    const cJSON *layers = cJSON_GetObjectItem(entry, "layers");
    const cJSON *layer = cJSON_GetArrayItem(layers, 0),
                *ratio = cJSON_GetObjectItem(entry, "ratio");
    if (cJSON_GetArraySize(layers) != 1 || !cJSON_IsNumber(layer))
        return amc_error_set(err, "%s: a group has no \"layers\": [...] of one layer", path);
    int l = layer->valueint;
    bool is_there = l == layer->valuedouble && l >= 0 && l < space->graph->n;
    int g = is_there ? space->group_of[l] : -1;
    if (g < 0)
        return amc_error_set(err,
                             "%s: layer %g has no weights, expected a convolutional or "
                             "connected layer",
                             path, layer->valuedouble);
    double share = cJSON_IsNumber(ratio) ? ratio->valuedouble : -1;
    if (!(share > 0 && share <= 1))
        return amc_error_set(err, "%s: layer %d has no \"ratio\" above 0 and at most 1", path, l);
    if (seen[g]) return amc_error_set(err, "%s: layer %d stands there twice", path, l);
    if (share < 1 && !space->groups[g].prunable)
        return amc_error_set(err, "%s: layer %d can't be pruned: skipped by request", path, l);
    seen[g] = true;
    counts[g] = amc_prune_space_round(space, g, share, 1);
    return 0;
}

int amc_weight_policy_load(const amc_prune_space *space, const char *path, int *counts,
                           amc_error *err) {
    cJSON *policy = amc_policy_file_load(path, AMC_GRANULARITY_WEIGHT, err);
    if (!policy) return -1;
    const cJSON *entry;
    bool *seen = amc_memory_alloc((size_t)space->n, sizeof *seen);
    int status = 0;
    for (int g = 0; g < space->n; g++) counts[g] = space->groups[g].n_units;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(policy, "groups")) if (status == 0) status =
        apply_entry(space, path, entry, counts, seen, err);
    free(seen);
    cJSON_Delete(policy);
    return status;
}

int amc_weight_policy_save(const amc_prune_space *space, const int *counts, const char *path,
                           amc_error *err) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "network", space->graph->path);
    cJSON_AddStringToObject(root, "granularity", "weight");
    cJSON *list = cJSON_AddArrayToObject(root, "groups");
    for (int g = 0; g < space->n; g++) {
        const amc_prune_group *group = &space->groups[g];
        if (!group->prunable) continue;
        cJSON *entry = cJSON_CreateObject();
        cJSON_AddItemToObject(entry, "layers", cJSON_CreateIntArray(group->layers, 1));
        cJSON_AddNumberToObject(entry, "ratio", (double)counts[g] / group->n_units);
        cJSON_AddItemToArray(list, entry);
    }
    return amc_policy_file_save(root, path, err);
}
