#include "cmd/aim.h"

#include "base/memory.h"
#include "model/importance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

amc_aim amc_aim_unlimited(double min_keep) {
    amc_aim aim = {.granularity = "channel", .min_keep = min_keep, .round = 1};
    for (int r = 0; r < AMC_RESOURCES; r++) aim.budget[r] = NAN;
    return aim;
}

bool amc_aim_is_limited(const amc_aim *aim) {
    for (int r = 0; r < AMC_RESOURCES; r++)
        if (aim->given[r]) return true;
    return false;
}

char *amc_aim_text(const amc_aim *aim) {
    char *text = amc_memory_text("%s", "");
    for (int r = 0; r < AMC_RESOURCES; r++) {
        if (!aim->given[r]) continue;
        char *more = amc_memory_text("%s%s%.2f%% of the %s", text, *text ? " and " : "",
                                     100 * aim->budget[r], amc_resource_name((amc_resource)r));
        free(text);
        text = more;
    }
    return text;
}

// What has no meaning for single weights: they leave the network's shape and what it takes to run,
// their number isn't rounded.
static int refuse_for_weights(const amc_aim *aim, const char *command, amc_error *err) {
    bool runs = aim->given[AMC_RESOURCE_MACS] || aim->given[AMC_RESOURCE_LATENCY] ||
                aim->given[AMC_RESOURCE_MEMORY];
    const char *option = aim->given[AMC_RESOURCE_MACS]      ? "-flops"
                         : aim->given[AMC_RESOURCE_LATENCY] ? "-latency"
                         : aim->given[AMC_RESOURCE_MEMORY]  ? "-memory"
                         : aim->round > 1                   ? "-round"
                                                            : NULL;
    if (!option) return 0;
    return amc_error_set(err, "%s: %s is for channels, expected none with -granularity weight%s",
                         command, option,
                         runs ? " (zeros take as long to compute; use -params)" : "");
}

static int check_criterion(const char *name, amc_granularity granularity, amc_error *err) {
    if (!name || strcmp(name, "obs") == 0) return 0;
    if (granularity == AMC_GRANULARITY_WEIGHT)
        return strcmp(name, "l1") == 0
                   ? 0
                   : amc_error_set(err,
                                   "-criterion %s is for channels, expected obs or l1 with "
                                   "-granularity weight",
                                   name);
    if (strcmp(name, "lasso") == 0 || amc_criterion_find(name) >= 0) return 0;
    return amc_error_set(err, "-criterion %s, expected obs, lasso, bn, l1, l2 or random", name);
}

int amc_aim_check(const amc_aim *aim, const char *command, amc_granularity *granularity,
                  amc_error *err) {
    *granularity =
        strcmp(aim->granularity, "weight") == 0 ? AMC_GRANULARITY_WEIGHT : AMC_GRANULARITY_CHANNEL;
    if (*granularity == AMC_GRANULARITY_CHANNEL && strcmp(aim->granularity, "channel") != 0)
        return amc_error_set(err, "%s: -granularity %s, expected channel or weight", command,
                             aim->granularity);
    if (*granularity == AMC_GRANULARITY_WEIGHT && refuse_for_weights(aim, command, err) < 0)
        return -1;
    return check_criterion(aim->criterion, *granularity, err);
}

amc_prune_env_options amc_aim_limits(const amc_aim *aim) {
    amc_prune_env_options options = {.min_keep = aim->min_keep, .round = aim->round};
    for (int r = 0; r < AMC_RESOURCES; r++) options.budget[r] = aim->given[r] ? aim->budget[r] : 1;
    return options;
}
