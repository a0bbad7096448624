// The search: episodes of decisions, each scored once, the best evaluated plan kept. It knows
// plans and scores only: who scores a plan, and how, is the caller's.

#ifndef AMC_SEARCH_SEARCH_LOOP_H
#define AMC_SEARCH_SEARCH_LOOP_H

#include "search/proposal.h"
#include "search/reward.h"
#include "search/score.h"

// The score of a plan, given by the units kept of each group (groups); that of the first is not
// stopped. A plan that comes again isn't scored again. -1 with err set where it can't be scored,
// which ends the search.
typedef int amc_search_score(void *context, const int *counts, amc_score *score, amc_error *err);

typedef struct amc_search_options {
    int episodes;
    amc_proposal_options proposals;
    amc_reward reward;
    bool expects; // rewards go by expected accuracy (see score.h) instead of accuracy
    double floor; // least accuracy of the best plan; what a plan lacks counts ten times as error
} amc_search_options;

typedef struct amc_search_episode {
    int index;      // 0, 1, ...
    float accuracy; // what the score function said, and the next four
    float expected;
    int images;
    bool stopped;
    bool recorded; // the score is from a checkpoint
    double reward;
    int64_t macs;
    int64_t params;
    const int *counts; // (groups) units kept; valid during the call
    double seconds;    // wall time of the episode
    bool eligible;     // for the result: neither stopped nor below the floor
    bool best;         // better than all before that are, too
} amc_search_episode;

// Told about every episode. Returns false to stop the search after it.
typedef bool amc_search_report(void *context, const amc_search_episode *episode);

typedef struct amc_search_result {
    int *counts;             // (groups) units kept by the best evaluated; the caller frees it.
                             // NULL where a plan couldn't be scored
    amc_search_episode best; // with these counts; its `best` is false where no plan was good enough
    float highest;           // accuracy of any plan
    int episodes;            // run
} amc_search_result;

// Runs the search. The same options give the same episodes, whatever the number of threads, and
// with more episodes the same and then others.
amc_search_result amc_search_run(amc_prune_env *env, amc_search_options options,
                                 amc_search_score *score, amc_search_report *report, void *context,
                                 amc_error *err);

#endif
