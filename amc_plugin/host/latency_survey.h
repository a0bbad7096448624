// Measures the times that model/latency_table predicts from, on the network itself: its layers run
// in their order, each with as many channels as the point at hand says and the caches as its
// neighbours leave them. All points are visited in turn, again and again, so that what else the
// machine does falls on all alike; since that only ever adds, a layer's time is its lower quartile.
// All are scaled together so that those of the whole network add up to its median, and then those
// of pruned layers so that the middle one of some random plans, visited in between, comes out
// right.

#ifndef AMC_HOST_LATENCY_SURVEY_H
#define AMC_HOST_LATENCY_SURVEY_H

#include "model/latency_table.h"

// Told after each pass how many of how many are done.
typedef void amc_latency_survey_report(void *context, int done, int all);

// Adds the kinds of the network's layers to the table, those that it has included. It takes about
// that many seconds, or what a few rounds over all points take. -1 with err set where
// amc_latency_probe_new fails.
int amc_latency_survey_run(amc_latency_table *table, const amc_cfg_text *cfg,
                           const amc_layer_graph *graph, double seconds,
                           amc_latency_survey_report *report, void *context, amc_error *err);

// The counts out of 1 to n that are measured, rising: 1, what kernels take at a time and one more,
// then in steps of a third to a half, and n. counts has room for AMC_LATENCY_COUNTS.
#define AMC_LATENCY_COUNTS 40
int amc_latency_survey_counts(int n, int *counts);

#endif
