#include "cmd/measured_policy.h"

#include "base/clock.h"
#include "search/sensitivity.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct measurement {
    amc_scorer *scorer;
    const amc_chooser *chooser;
    double start;
    bool terminal;
    int next; // plan that is shown
} measurement;

bool amc_measured_policy_is(const char *name) {
    return strcmp(name, "fp") == 0 || strcmp(name, "greedy") == 0;
}

// One line that rewrites itself on a terminal, elsewhere a line for about every twentieth plan.
static void show(measurement *m, int done, int all) {
    if (!m->terminal && done < m->next) return;
    m->next = done + 20;
    int left = (int)((amc_clock_seconds() - m->start) / done * (all - done));
    fprintf(stderr, "%smeasuring: plan %d/%d, %d:%02d left%s", m->terminal ? "\r" : "", done, all,
            left / 60, left % 60, m->terminal ? "\033[K" : "\n");
}

static amc_score score(void *context, const int *counts, int done, int all) {
    measurement *m = context;
    amc_score scored = amc_scorer_pruned(m->scorer, amc_chooser_make(m->chooser, counts));
    show(m, done, all);
    return scored;
}

void amc_measured_policy_meet_budget(const char *name, amc_scorer *scorer,
                                     const amc_chooser *chooser, const amc_prune_env *env,
                                     int *counts) {
    measurement m = {scorer, chooser, amc_clock_seconds(), isatty(STDERR_FILENO), 0};
    amc_sensitivity *sensitivity = amc_sensitivity_measure(env, score, &m);
    if (m.terminal) fputc('\n', stderr);
    if (strcmp(name, "fp") == 0)
        amc_sensitivity_level(sensitivity, counts);
    else
        amc_sensitivity_exchange(sensitivity, counts);
    amc_sensitivity_free(sensitivity);
}
