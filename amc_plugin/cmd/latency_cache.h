// The latencies that predictions are made from, measured once for a network, a processor and a
// number of threads, and kept between runs in
//
//   ${XDG_CACHE_HOME:-$HOME/.cache}/darknet-amc/latency-<processor>-<threads>.json

#ifndef AMC_CMD_LATENCY_CACHE_H
#define AMC_CMD_LATENCY_CACHE_H

#include "cmd/network.h"

typedef struct amc_latency_options {
    int threads;
    bool remeasure; // whatever is in the cache
    bool quiet;     // no progress on stderr
} amc_latency_options;

// A table with every layer of the network: the cache's, and what is missing there is measured and
// added, of which stderr tells. A file that is none, or can't be written, gets a sentence there and
// is done without. NULL with err set where the network can't be run.
amc_latency_table *amc_latency_cache_load(const amc_network *network, amc_latency_options options,
                                          amc_error *err);

#endif
