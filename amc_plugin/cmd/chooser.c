#include "cmd/chooser.h"

#include "base/memory.h"
#include "model/weight_policy.h"
#include "search/sensitivity.h"

#include <stdlib.h>

static int rank_weights(amc_chooser *chooser, const char *criterion, amc_error *err) {
    amc_weights *scores =
        amc_repair_weight_importance(chooser->repair, chooser->network, criterion, err);
    if (!scores) return -1;
    chooser->ranking = amc_weight_ranking_new(chooser->space, chooser->network->weights, scores);
    amc_weights_free(scores);
    return 0;
}

int amc_chooser_open(amc_chooser *chooser, const amc_network *network, const amc_prune_space *space,
                     const amc_repair *repair, const char *criterion, uint64_t seed,
                     amc_error *err) {
    *chooser = (amc_chooser){.network = network, .space = space, .repair = repair};
    if (space->granularity == AMC_GRANULARITY_WEIGHT) return rank_weights(chooser, criterion, err);
    chooser->loss = amc_memory_alloc((size_t)network->groups->n_units, sizeof *chooser->loss);
    chooser->unit_score =
        amc_repair_importance(repair, network, criterion, seed, chooser->loss, err);
    return chooser->unit_score ? 0 : -1;
}

void amc_chooser_close(amc_chooser *chooser) {
    amc_weight_ranking_free(chooser->ranking);
    free(chooser->unit_score);
    free(chooser->loss);
    *chooser = (amc_chooser){0};
}

// What the units of a group add in the order in which they go; NULL where nothing is known.
static double *losses_of(const amc_chooser *chooser, int g) {
    const amc_channel_group *group = &chooser->network->groups->groups[g];
    double *losses = amc_memory_alloc((size_t)group->n_units, sizeof *losses), sum = 0;
    for (int i = 0; i < group->n_units; i++) {
        int unit = group->units[i], before = 0;
        for (int k = 0; k < group->n_units; k++)
            before += chooser->unit_score[group->units[k]] < chooser->unit_score[unit];
        losses[before] = chooser->loss[unit];
        sum += chooser->loss[unit];
    }
    if (sum > 0) return losses;
    free(losses);
    return NULL;
}

bool amc_chooser_guess(const amc_chooser *chooser, const amc_prune_env *env, int *counts) {
    if (!chooser->loss) return false;
    int n = chooser->space->n, known = 0;
    double **losses = amc_memory_alloc((size_t)n, sizeof *losses);
    for (int g = 0; g < n; g++)
        known += chooser->space->groups[g].prunable && (losses[g] = losses_of(chooser, g));
    if (known) {
        amc_sensitivity *sensitivity = amc_sensitivity_of_losses(env, losses);
        amc_sensitivity_exchange(sensitivity, env, counts);
        amc_sensitivity_free(sensitivity);
    }
    for (int g = 0; g < n; g++) free(losses[g]);
    free(losses);
    return known > 0;
}

amc_pruned amc_chooser_make(const amc_chooser *chooser, const int *counts) {
    const amc_network *network = chooser->network;
    if (chooser->ranking)
        return amc_pruned_make_sparse(network, chooser->ranking, counts, chooser->repair);
    amc_prune_plan *plan = amc_prune_plan_new(network->groups);
    amc_prune_plan_keep_counts(plan, network->groups, counts, chooser->unit_score);
    amc_pruned pruned = amc_pruned_make(network, plan, chooser->repair);
    amc_prune_plan_free(plan);
    return pruned;
}

static int load_weights(const amc_chooser *chooser, const char *path, amc_pruned *pruned,
                        amc_error *err) {
    int *counts = amc_memory_alloc((size_t)chooser->space->n, sizeof *counts);
    int status = amc_weight_policy_load(chooser->space, path, counts, err);
    if (status == 0) *pruned = amc_chooser_make(chooser, counts);
    free(counts);
    return status;
}

int amc_chooser_load(const amc_chooser *chooser, const char *path, int round, amc_pruned *pruned,
                     amc_error *err) {
    const amc_network *network = chooser->network;
    if (chooser->ranking) return load_weights(chooser, path, pruned, err);
    amc_prune_plan *plan =
        amc_prune_plan_load(path, network->graph, network->groups, chooser->unit_score, round, err);
    if (!plan) return -1;
    *pruned = amc_pruned_make(network, plan, chooser->repair);
    amc_prune_plan_free(plan);
    return 0;
}
