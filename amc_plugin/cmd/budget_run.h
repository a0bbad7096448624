// The search for one budget: its folder, its episodes, and what comes of it.

#ifndef AMC_CMD_BUDGET_RUN_H
#define AMC_CMD_BUDGET_RUN_H

#include "cmd/finishing.h"

#include <cjson/cJSON.h>

typedef struct amc_budget_run amc_budget_run;

// Takes the folder (NULL: amc-out/<name>) for a search within the budgets of `aim`: finds out
// whether there is one to go on with, and whether its result may be written. NULL with err set.
// Borrows the session, its finishing and aim.
amc_budget_run *amc_budget_run_new(amc_search_session *session, amc_finishing *finishing,
                                   const amc_aim *aim, const char *folder, int episodes,
                                   amc_error *err);
void amc_budget_run_free(amc_budget_run *run);

// Finds out whether the budgets can be met; once times were taken. -1 with err set.
int amc_budget_run_prepare(amc_budget_run *run, amc_error *err);

// Searches and writes the result, once the images are open; `guess` (groups), a plan to start from,
// is what the session knows where it is NULL. 0 when done; 1 where it was interrupted, with the
// best so far written; -1 with err set.
int amc_budget_run_search(amc_budget_run *run, const int *guess, amc_error *err);

// Trains the result on, and has result.json say what came of it. As above.
int amc_budget_run_finetune(amc_budget_run *run, amc_error *err);

// What was found: (groups) units kept, and what there is to say of it.
const int *amc_budget_run_counts(const amc_budget_run *run);
const cJSON *amc_budget_run_json(const amc_budget_run *run);

// Prints the result.
void amc_budget_run_print(const amc_budget_run *run);

#endif
