// What becomes of a plan that is more than a trial: its network is refitted (see host/refit.h),
// which takes too long for every plan of a search.

#ifndef AMC_CMD_FINISHING_H
#define AMC_CMD_FINISHING_H

#include "cmd/search_session.h"
#include "search/finalists.h"

typedef struct amc_finishing amc_finishing;

// For so many searches of a session, which is borrowed.
amc_finishing *amc_finishing_new(const amc_search_session *session, int searches);
void amc_finishing_free(amc_finishing *finishing);

// Plans of each search that are refitted, of which the best then is the result; 1 without -refit.
int amc_finishing_plans(const amc_finishing *finishing);

// From now on networks are refitted, or left as plans do. The first time opens the images that they
// are refitted on, and those that finalists are compared on: -1 with err set. others: how many
// plans are to be scored after the finalists.
int amc_finishing_begin(amc_finishing *finishing, bool refit, int others, amc_error *err);

// Scores what becomes of a plan (groups): refitted, unless that makes it worse. The session's
// scorer has it then.
amc_score amc_finishing_score(amc_finishing *finishing, const int *counts);

// Shows what a plan scored, with its reward unless that is NAN, and how long the others will take.
// Shows nothing where plans aren't refitted, which takes no time, or a search is to be quiet.
void amc_finishing_print(const amc_finishing *finishing, const char *plan, double reward,
                         amc_score score);

// The one of the finalists, of which there is at least one, that is best when finished, on up to
// five times as many held-out images as those that plans were scored on, and its score on these;
// the session's scorer has it.
const amc_search_episode *amc_finishing_choose(amc_finishing *finishing,
                                               const amc_finalists *finalists, amc_score *score);

#endif
