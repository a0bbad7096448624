// What it takes to run a network, beside what searches and prunings do about it that have a budget
// on it: latency is predicted from a table while plans are made, and in the end both networks are
// measured side by side; memory is reckoned.

#ifndef AMC_CMD_RUNNING_H
#define AMC_CMD_RUNNING_H

#include "cmd/aim.h"
#include "cmd/latency_cache.h"

#include <cjson/cJSON.h>

// Without such budgets nothing is measured, and nothing said.
typedef struct amc_running {
    const amc_aim *aim;                // borrowed, and the next
    const amc_network *network;        // before anything is cut
    const amc_prune_space *space;      // what predicts latency
    amc_latency_table *table;          // NULL without a budget on latency
    double before_ms, after_ms;        // measured medians
    double speed_up;                   // median over pairs of passes
    int64_t before_bytes, after_bytes; // of activations at a time
} amc_running;

// Gives latency a meaning in `space`, where the aim limits it. -1 with err set.
int amc_running_open(amc_running *running, const amc_aim *aim, const amc_network *network,
                     amc_prune_space *space, amc_latency_options options, amc_error *err);
void amc_running_close(amc_running *running);

// Compares with the smaller network, as far as budgets ask for it, and warns on stderr where
// latency was predicted badly. -1 with err set.
int amc_running_compare(amc_running *running, const amc_network *pruned, amc_error *err);

// Adds latency_ms and latency_ms_before, as measured, and memory_bytes and memory_bytes_before.
void amc_running_add_json(const amc_running *running, cJSON *json);

// Prints a line of each.
void amc_running_print(const amc_running *running);

#endif
