#include "search/reward.h"

#include <math.h>
#include <string.h>

int amc_reward_find(const char *name) {
    static const char *const names[AMC_REWARDS] = {"err", "flops", "params"};
    for (int i = 0; i < AMC_REWARDS; i++)
        if (strcmp(name, names[i]) == 0) return i;
    return -1;
}

double amc_reward_of(amc_reward reward, double accuracy, int64_t macs, int64_t params) {
    double error = 1 - accuracy;
    switch (reward) {
    case AMC_REWARD_FLOPS:
        return -error * log((double)macs);
    case AMC_REWARD_PARAMS:
        return -error * log((double)params);
    default:
        return -error;
    }
}
