// The checkpoint of a search: a journal of what its plans scored, and before that of what was
// measured of plans to find where to start. A search is deterministic given these numbers, so
// nothing else has to be kept: to resume it, it is run again from its start with the recorded ones,
// and where they end it is as it was, bit for bit.
//
// A text file that is only appended to. First the settings, all that decides what a search finds,
// as lines of a key and a value; then an empty line; then a line for each plan, in the order in
// which they were scored, the first of them for the whole network:
//
//     checkpoint 3                 the version of what follows and of what a search does with it
//     cfg 8c1d59f03a6be2c4
//     reward err
//     ...
//
//     0.9245 0.90162 2000 0 0.41 12 16 48    accuracy, what is expected of it, images, 1 where it
//                                            was stopped, seconds, and the units kept of each group
//     measured 0.015625 0.31 12 15 48        what a plan diverges, seconds, and its units
//
// A line is one write(2). A process that is killed loses no plan that was written; what was torn, a
// last line without its newline, is dropped when the search is resumed. Nothing waits for the disk,
// so a power cut may lose the last lines.
//
// The file is locked (flock) while it is open, so that a folder takes one search at a time.

#ifndef AMC_SEARCH_CHECKPOINT_H
#define AMC_SEARCH_CHECKPOINT_H

#include "model/prune_space.h"
#include "search/score.h"

typedef struct amc_checkpoint amc_checkpoint;

// Opens and locks the file at `path`, which is made if it isn't there. NULL with err set, also
// where another search has it.
amc_checkpoint *amc_checkpoint_open(const char *path, amc_error *err);

// A file in which nothing is recorded is removed. NULL is fine.
void amc_checkpoint_close(amc_checkpoint *checkpoint);

// For messages.
const char *amc_checkpoint_path(const amc_checkpoint *checkpoint);

// Plans that the file records besides the whole network, scored or measured. -1 with err set if it
// is no checkpoint.
int amc_checkpoint_plans(const amc_checkpoint *checkpoint, amc_error *err);

// Goes on with the search in the file, of at least one plan. settings: text, lines as drawn above
// without the first. -1 with err set where they differ or a line is bad. Borrows space.
int amc_checkpoint_resume(amc_checkpoint *checkpoint, const amc_prune_space *space,
                          const char *settings, amc_error *err);

// Starts anew. What the file held is replaced with the first plan that is recorded, not before.
void amc_checkpoint_start(amc_checkpoint *checkpoint, const amc_prune_space *space,
                          const char *settings);

// Whether recorded plans are left that amc_checkpoint_next hasn't told of.
bool amc_checkpoint_replays(const amc_checkpoint *checkpoint);

// Whether counts (groups) are the next recorded plan, or none is left.
bool amc_checkpoint_expects(const amc_checkpoint *checkpoint, const int *counts);

// Drops the recorded plans that amc_checkpoint_next hasn't told of. -1 with err set.
int amc_checkpoint_forget(amc_checkpoint *checkpoint, amc_error *err);

// What the next plan, which is counts (groups), scored: 1; 0 where no recorded one is left; -1 with
// err set where another plan, or what was measured of one, is recorded there.
int amc_checkpoint_next(amc_checkpoint *checkpoint, const int *counts, amc_score *score,
                        amc_error *err);

// The same for what was measured of a plan.
int amc_checkpoint_next_measured(amc_checkpoint *checkpoint, const int *counts, double *value,
                                 amc_error *err);

// Records what a plan scored and how long that took; only where no recorded one is left. -1 with
// err set if it can't be written: the lines before are whole then.
int amc_checkpoint_add(amc_checkpoint *checkpoint, const int *counts, amc_score score,
                       double seconds, amc_error *err);
int amc_checkpoint_add_measured(amc_checkpoint *checkpoint, const int *counts, double value,
                                double seconds, amc_error *err);

#endif
