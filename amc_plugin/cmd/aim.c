#include "cmd/aim.h"

#include <string.h>

// What has no meaning for single weights: they leave the network's shape, their number isn't
// rounded, they go by magnitude.
static int refuse_for_weights(const amc_aim *aim, const char *command, amc_error *err) {
    const char *option = aim->flops_given ? "-flops"
                         : aim->round > 1 ? "-round"
                         : aim->criterion ? "-criterion"
                                          : NULL;
    if (!option) return 0;
    return amc_error_set(err, "%s: %s is for channels, expected none with -granularity weight%s",
                         command, option,
                         aim->flops_given ? " (zeros take as long to compute; use -params)" : "");
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
    return (amc_prune_env_options){
        .budget = {[AMC_RESOURCE_MACS] = aim->flops_given ? aim->flops : 1,
                   [AMC_RESOURCE_PARAMS] = aim->params_given ? aim->params : 1},
        .min_keep = aim->min_keep,
        .round = aim->round,
    };
}
