#include "model/prune_plan.h"

#include "base/memory.h"
#include "model/cost_model.h"
#include "model/policy_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

amc_prune_plan *amc_prune_plan_new(const amc_channel_groups *groups) {
    amc_prune_plan *plan = amc_memory_alloc(1, sizeof *plan);
    plan->n_units = groups->n_units;
    plan->kept = amc_memory_alloc((size_t)plan->n_units, 1);
    memset(plan->kept, 1, (size_t)plan->n_units);
    return plan;
}

amc_prune_plan *amc_prune_plan_copy(const amc_prune_plan *plan) {
    amc_prune_plan *copy = amc_memory_copy(plan, 1, sizeof *plan);
    copy->kept = amc_memory_copy(plan->kept, (size_t)plan->n_units, 1);
    return copy;
}

void amc_prune_plan_free(amc_prune_plan *plan) {
    if (!plan) return;
    free(plan->kept);
    free(plan);
}

int amc_prune_plan_count(const amc_prune_plan *plan, const amc_channel_groups *groups, int g) {
    const amc_channel_group *group = &groups->groups[g];
    int count = 0;
    for (int i = 0; i < group->n_units; i++) count += plan->kept[group->units[i]];
    return count;
}

typedef struct ranked {
    int unit;
    double score;
} ranked;

static int by_score(const void *x, const void *y) {
    const ranked *a = x, *b = y;
    if (a->score != b->score) return a->score < b->score ? 1 : -1;
    return a->unit - b->unit;
}

void amc_prune_plan_keep_best(amc_prune_plan *plan, const amc_channel_groups *groups, int g,
                              int count, const double *score) {
    const amc_channel_group *group = &groups->groups[g];
    ranked *order = amc_memory_alloc((size_t)group->n_units, sizeof *order);
    for (int i = 0; i < group->n_units; i++)
        order[i] = (ranked){group->units[i], score[group->units[i]]};
    qsort(order, (size_t)group->n_units, sizeof *order, by_score);
    for (int i = 0; i < group->n_units; i++) plan->kept[order[i].unit] = i < count;
    free(order);
}

void amc_prune_plan_keep_counts(amc_prune_plan *plan, const amc_channel_groups *groups,
                                const int *counts, const double *score) {
    for (int g = 0; g < groups->n; g++) amc_prune_plan_keep_best(plan, groups, g, counts[g], score);
}

int amc_prune_plan_channels(const amc_prune_plan *plan, const amc_channel_groups *groups,
                            const amc_layer_graph *graph, int layer) {
    int count = 0;
    for (int c = 0; c < graph->layers[layer].out_c; c++)
        count += plan->kept[groups->unit[layer][c]];
    return count;
}

static const double DIGITS = 1e-4; // of ratios in a file: plenty for a person

// Reading policy.json: one function a JSON level, each of which says where it fails.

typedef struct reader {
    const char *path, *network; // the .cfg it was made for, NULL if it doesn't say
    const amc_layer_graph *graph;
    const amc_channel_groups *groups;
    const double *score;
    int round;
    bool *seen; // (groups) named already
    amc_error *err;
} reader;

static bool makes(const amc_channel_group *group, int layer) {
    for (int i = 0; i < group->n_layers; i++)
        if (group->layers[i] == layer) return true;
    return false;
}

static bool makes_all(const amc_channel_group *group, const cJSON *layers) {
    const cJSON *item;
    cJSON_ArrayForEach(item, layers) {
        if (!cJSON_IsNumber(item) || item->valuedouble != item->valueint) return false;
        if (!makes(group, item->valueint)) return false;
    }
    return true;
}

// Of groups made by the same layers, those that can be pruned stand in the file, in network order.
static int rank(const reader *r, int g) {
    if (r->seen[g]) return 0;
    return r->groups->groups[g].prunable ? 2 : 1;
}

// The group that has all of the layers; where several have, the one that has no others.
static int find_group(const reader *r, const cJSON *entry) {
    const cJSON *layers = cJSON_GetObjectItem(entry, "layers");
    int n = cJSON_GetArraySize(layers), found = -1, exact = -1, candidates = 0;
    if (!cJSON_IsArray(layers) || n == 0)
        return amc_error_set(r->err, "%s: a group has no \"layers\": [...]", r->path);
    for (int g = 0; g < r->groups->n; g++) {
        const amc_channel_group *group = &r->groups->groups[g];
        if (!makes_all(group, layers)) continue;
        if (group->n_layers == n && (exact < 0 || rank(r, g) > rank(r, exact))) exact = g;
        found = g;
        candidates++;
    }
    if (exact >= 0) return exact;
    if (candidates == 1) return found;
    char *text = cJSON_PrintUnformatted(layers);
    bool of_other = r->network && strcmp(r->network, r->graph->path) != 0;
    amc_error_set(r->err, "%s: \"layers\": %s, expected the layers of one channel group (%s%s%s)",
                  r->path, text, candidates ? "several have them" : "none has them all",
                  of_other ? "; the policy is of " : "", of_other ? r->network : "");
    cJSON_free(text);
    return -1;
}

static int apply_ratio(const reader *r, amc_prune_plan *plan, int g, double ratio) {
    const amc_channel_group *group = &r->groups->groups[g];
    if (!(ratio > 0 && ratio <= 1))
        return amc_error_set(r->err,
                             "%s: the group of layer %d has ratio %g, expected more than 0 "
                             "and at most 1",
                             r->path, group->layers[0], ratio);
    amc_cost_model *cost = amc_cost_model_new(r->graph, r->groups);
    int count = amc_cost_model_round(cost, g, ratio, r->round);
    amc_cost_model_free(cost);
    amc_prune_plan_keep_best(plan, r->groups, g, count, r->score);
    return 0;
}

static int apply_channels(const reader *r, amc_prune_plan *plan, int g, const cJSON *channels) {
    const amc_channel_group *group = &r->groups->groups[g];
    const cJSON *item;
    if (cJSON_GetArraySize(channels) == 0)
        return amc_error_set(r->err, "%s: the group of layer %d keeps no channel", r->path,
                             group->layers[0]);
    for (int i = 0; i < group->n_units; i++) plan->kept[group->units[i]] = 0;
    cJSON_ArrayForEach(item, channels) {
        double index = item->valuedouble;
        if (!cJSON_IsNumber(item))
            return amc_error_set(r->err,
                                 "%s: the group of layer %d keeps a channel that is no number",
                                 r->path, group->layers[0]);
        if (!(index >= 0 && index < group->n_units) || index != (int)index)
            return amc_error_set(r->err,
                                 "%s: the group of layer %d keeps channel %g, expected 0 to "
                                 "%d",
                                 r->path, group->layers[0], index, group->n_units - 1);
        if (plan->kept[group->units[(int)index]]++)
            return amc_error_set(r->err, "%s: the group of layer %d keeps channel %d twice",
                                 r->path, group->layers[0], (int)index);
    }
    return 0;
}

// Whoever edits the ratio of a policy that names channels would else see nothing happen.
static int check_ratio(const reader *r, const amc_prune_plan *plan, int g, const cJSON *ratio) {
    const amc_channel_group *group = &r->groups->groups[g];
    int count = amc_prune_plan_count(plan, r->groups, g);
    double digits = DIGITS * group->n_units; // that the file leaves out
    if (!ratio || fabs(ratio->valuedouble * group->n_units - count) < fmax(1, digits)) return 0;
    return amc_error_set(r->err,
                         "%s: the group of layer %d has ratio %g and %d of %d channels, expected "
                         "them to agree; without one of the two the other counts",
                         r->path, group->layers[0], ratio->valuedouble, count, group->n_units);
}

static int apply_entry(const reader *r, amc_prune_plan *plan, const cJSON *entry) {
    int g = find_group(r, entry);
    if (g < 0) return -1;
    const amc_channel_group *group = &r->groups->groups[g];
    const cJSON *ratio = cJSON_GetObjectItem(entry, "ratio");
    const cJSON *channels = cJSON_GetObjectItem(entry, "channels");
    if (r->seen[g])
        return amc_error_set(r->err, "%s: the group of layer %d stands there twice", r->path,
                             group->layers[0]);
    r->seen[g] = true;
    int status = 0;
    if (ratio && !cJSON_IsNumber(ratio))
        return amc_error_set(r->err, "%s: the group of layer %d has a ratio that is no number",
                             r->path, group->layers[0]);
    if (channels && !cJSON_IsArray(channels))
        return amc_error_set(r->err, "%s: the group of layer %d has \"channels\" that are no list",
                             r->path, group->layers[0]);
    if (channels)
        status = apply_channels(r, plan, g, channels);
    else if (ratio)
        status = apply_ratio(r, plan, g, ratio->valuedouble);
    else
        return amc_error_set(r->err,
                             "%s: the group of layer %d has neither \"ratio\" nor "
                             "\"channels\"",
                             r->path, group->layers[0]);
    if (status == 0 && channels) status = check_ratio(r, plan, g, ratio);
    if (status == 0 && !group->prunable &&
        amc_prune_plan_count(plan, r->groups, g) < group->n_units)
        return amc_error_set(r->err, "%s: layer %d can't be pruned: %s", r->path, group->layers[0],
                             group->why);
    return status;
}

amc_prune_plan *amc_prune_plan_load(const char *path, const amc_layer_graph *graph,
                                    const amc_channel_groups *groups, const double *score,
                                    int round, amc_error *err) {
    cJSON *policy = amc_policy_file_load(path, AMC_GRANULARITY_CHANNEL, err);
    if (!policy) return NULL;
    const cJSON *entry;
    reader r = {.path = path,
                .network = cJSON_GetStringValue(cJSON_GetObjectItem(policy, "network")),
                .graph = graph,
                .groups = groups,
                .score = score,
                .round = round,
                .seen = amc_memory_alloc((size_t)groups->n, sizeof *r.seen),
                .err = err};
    amc_prune_plan *plan = amc_prune_plan_new(groups);
    int status = 0;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(policy, "groups")) if (status == 0) status =
        apply_entry(&r, plan, entry);
    free(r.seen);
    cJSON_Delete(policy);
    if (status == 0) return plan;
    amc_prune_plan_free(plan);
    return NULL;
}

static cJSON *group_json(const amc_prune_plan *plan, const amc_channel_group *group, int count) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddItemToObject(json, "layers", cJSON_CreateIntArray(group->layers, group->n_layers));
    cJSON_AddNumberToObject(json, "ratio", round(count / DIGITS / group->n_units) * DIGITS);
    cJSON *channels = cJSON_AddArrayToObject(json, "channels");
    for (int i = 0; i < group->n_units; i++)
        if (plan->kept[group->units[i]]) cJSON_AddItemToArray(channels, cJSON_CreateNumber(i));
    return json;
}

int amc_prune_plan_save(const amc_prune_plan *plan, const amc_layer_graph *graph,
                        const amc_channel_groups *groups, const char *path, amc_error *err) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddStringToObject(root, "network", graph->path);
    cJSON *list = cJSON_AddArrayToObject(root, "groups");
    for (int g = 0; g < groups->n; g++)
        if (groups->groups[g].prunable)
            cJSON_AddItemToArray(
                list, group_json(plan, &groups->groups[g], amc_prune_plan_count(plan, groups, g)));
    return amc_policy_file_save(root, path, err);
}
