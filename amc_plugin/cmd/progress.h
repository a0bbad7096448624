// What a search shows while it runs, and the table of its episodes.

#ifndef AMC_CMD_PROGRESS_H
#define AMC_CMD_PROGRESS_H

#include "search/search_loop.h"

typedef struct amc_progress amc_progress;

// resource: what episodes show how much they take of. quiet: nothing is shown. Borrows space.
amc_progress *amc_progress_new(const amc_prune_space *space, amc_resource resource, int episodes,
                               bool quiet);
void amc_progress_free(amc_progress *progress);

// Remembers an episode and shows it on stderr: one line that rewrites itself on a terminal,
// elsewhere a line for every tenth episode and every new best. Of those that a resumed search
// starts with, whose scores were recorded, it only shows how many they were.
void amc_progress_episode(amc_progress *progress, const amc_search_episode *episode);

// Ends the line on a terminal.
void amc_progress_end(amc_progress *progress);

// The episodes so far as CSV, new text: a row an episode with reward, accuracy, FLOPs (share),
// multiply-accumulates, parameters (both without single weights that are zero), where latency is
// budgeted milliseconds an image as predicted, the share kept of every prunable group (named by its
// number and first layer), expected accuracy, and images that its score is from.
char *amc_progress_csv(const amc_progress *progress);

#endif
