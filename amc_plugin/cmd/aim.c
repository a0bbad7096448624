#include "cmd/aim.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

amc_aim amc_aim_unlimited(double min_keep) {
    return (amc_aim){.granularity = "channel",
                     .flops = NAN,
                     .params = NAN,
                     .latency = NAN,
                     .memory = NAN,
                     .min_keep = min_keep,
                     .round = 1};
}

// A budget as it was given.
typedef struct budget {
    bool given;
    double share;
} budget;

static budget budget_of(const amc_aim *aim, amc_resource resource) {
    const budget budgets[AMC_RESOURCES] = {
        [AMC_RESOURCE_MACS] = {aim->flops_given, aim->flops},
        [AMC_RESOURCE_PARAMS] = {aim->params_given, aim->params},
        [AMC_RESOURCE_LATENCY] = {aim->latency_given, aim->latency},
        [AMC_RESOURCE_MEMORY] = {aim->memory_given, aim->memory},
    };
    return budgets[resource];
}

bool amc_aim_is_limited(const amc_aim *aim) {
    for (int r = 0; r < AMC_RESOURCES; r++)
        if (budget_of(aim, (amc_resource)r).given) return true;
    return false;
}

char *amc_aim_text(const amc_aim *aim) {
    char *text = amc_memory_text("%s", "");
    for (int r = 0; r < AMC_RESOURCES; r++) {
        budget b = budget_of(aim, (amc_resource)r);
        if (!b.given) continue;
        char *more = amc_memory_text("%s%s%.2f%% of the %s", text, *text ? " and " : "",
                                     100 * b.share, amc_resource_name((amc_resource)r));
        free(text);
        text = more;
    }
    return text;
}

// What has no meaning for single weights: they leave the network's shape and what it takes to run,
// their number isn't rounded.
static int refuse_for_weights(const amc_aim *aim, const char *command, amc_error *err) {
    bool runs = aim->flops_given || aim->latency_given || aim->memory_given;
    const char *option = aim->flops_given     ? "-flops"
                         : aim->latency_given ? "-latency"
                         : aim->memory_given  ? "-memory"
                         : aim->round > 1     ? "-round"
                                              : NULL;
    if (!option) return 0;
    return amc_error_set(err, "%s: %s is for channels, expected none with -granularity weight%s",
                         command, option,
                         runs ? " (zeros take as long to compute; use -params)" : "");
}

int amc_aim_check(const amc_aim *aim, const char *command, amc_granularity *granularity,
                  amc_error *err) {
    *granularity =
        strcmp(aim->granularity, "weight") == 0 ? AMC_GRANULARITY_WEIGHT : AMC_GRANULARITY_CHANNEL;
    if (*granularity == AMC_GRANULARITY_CHANNEL && strcmp(aim->granularity, "channel") != 0)
        return amc_error_set(err, "%s: -granularity %s, expected channel or weight", command,
                             aim->granularity);
    return *granularity == AMC_GRANULARITY_CHANNEL ? 0 : refuse_for_weights(aim, command, err);
}

amc_prune_env_options amc_aim_limits(const amc_aim *aim) {
    amc_prune_env_options options = {.min_keep = aim->min_keep, .round = aim->round};
    for (int r = 0; r < AMC_RESOURCES; r++) {
        budget b = budget_of(aim, (amc_resource)r);
        options.budget[r] = b.given ? b.share : 1;
    }
    return options;
}
