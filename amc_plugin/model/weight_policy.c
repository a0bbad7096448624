#include "model/weight_policy.h"

#include "base/files.h"
#include "base/memory.h"

#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

static int find_group(const amc_prune_space *space, int layer) {
    for (int g = 0; g < space->n; g++)
        if (space->groups[g].layers[0] == layer) return g;
    return -1;
}

// seen: (groups) layers that were named already.
static int apply_entry(const amc_prune_space *space, const char *path, const cJSON *entry,
                       int *counts, bool *seen, amc_error *err) {
    const cJSON *layers = cJSON_GetObjectItem(entry, "layers");
    const cJSON *layer = cJSON_GetArrayItem(layers, 0),
                *ratio = cJSON_GetObjectItem(entry, "ratio");
    if (cJSON_GetArraySize(layers) != 1 || !cJSON_IsNumber(layer))
        return amc_error_set(err, "%s: a group has no \"layers\": [...] of one layer", path);
    int l = layer->valueint, g = l == layer->valuedouble ? find_group(space, l) : -1;
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

static int apply_root(const amc_prune_space *space, const char *path, const cJSON *root,
                      int *counts, amc_error *err) {
    const cJSON *list = cJSON_GetObjectItem(root, "groups"), *entry;
    const cJSON *granularity = cJSON_GetObjectItem(root, "granularity");
    if (!cJSON_IsArray(list))
        return amc_error_set(err, "%s: holds no \"groups\": [...], expected a policy", path);
    if (!cJSON_IsString(granularity) || strcmp(granularity->valuestring, "weight") != 0)
        return amc_error_set(
            err, "%s: is a policy of channels, expected \"granularity\": \"weight\"", path);
    bool *seen = amc_memory_alloc((size_t)space->n, sizeof *seen);
    int status = 0;
    for (int g = 0; g < space->n; g++) counts[g] = space->groups[g].n_units;
    cJSON_ArrayForEach(entry, list) if (status == 0) status =
        apply_entry(space, path, entry, counts, seen, err);
    free(seen);
    return status;
}

int amc_weight_policy_load(const amc_prune_space *space, const char *path, int *counts,
                           amc_error *err) {
    size_t length;
    char *text = amc_files_read(path, &length, err);
    if (!text) return -1;
    cJSON *root = cJSON_ParseWithLengthOpts(text, length + 1, NULL, true); // with the NUL after it
    int status = root ? apply_root(space, path, root, counts, err)
                      : amc_error_set(err, "%s: is not JSON, expected a policy", path);
    cJSON_Delete(root);
    free(text);
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
    char *text = cJSON_Print(root);
    int status = amc_files_write(path, text, strlen(text), err);
    cJSON_free(text);
    cJSON_Delete(root);
    return status;
}
