// What an episode is worth to the agent.

#ifndef AMC_SEARCH_REWARD_H
#define AMC_SEARCH_REWARD_H

#include <stdint.h>

typedef enum amc_reward {
    AMC_REWARD_ERR,    // -Error: for searches within a budget
    AMC_REWARD_FLOPS,  // -Error * log(multiply-accumulates): smaller as long as accuracy holds
    AMC_REWARD_PARAMS, // -Error * log(parameters)
    AMC_REWARDS,       // how many there are
} amc_reward;

// The reward named "err", "flops" or "params"; -1 for another name.
int amc_reward_find(const char *name);

// The reward of a network (He et al. 2018, section 3.4). accuracy in [0, 1]; macs and params at
// least 1. Larger is better; 0 for a network without errors.
double amc_reward_of(amc_reward reward, double accuracy, int64_t macs, int64_t params);

#endif
