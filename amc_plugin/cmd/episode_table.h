// The episodes.csv of a search, read back.

#ifndef AMC_CMD_EPISODE_TABLE_H
#define AMC_CMD_EPISODE_TABLE_H

#include "base/error.h"

typedef struct amc_episode {
    double reward;
    double accuracy; // share of the held-out images
    double macs;
    double params;
} amc_episode;

typedef struct amc_episode_table {
    int n;                 // at least 1
    amc_episode *episodes; // (n) in their order
} amc_episode_table;

// NULL with err set if the file is missing or no such table.
amc_episode_table *amc_episode_table_load(const char *path, amc_error *err);
void amc_episode_table_free(amc_episode_table *table);

#endif
