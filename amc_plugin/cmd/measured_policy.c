#include "cmd/measured_policy.h"

#include "base/clock.h"
#include "host/divergence.h"
#include "search/sensitivity.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { IMAGES = 256 }; // for divergence, at most

typedef struct measurement {
    amc_scorer *scorer;
    const amc_chooser *chooser;
    amc_divergence *divergence; // of the whole network's outputs
    bool shows, terminal;
    double start;
    int next; // plan that is shown
} measurement;

bool amc_measured_policy_is(const char *name) {
    return strcmp(name, "fp") == 0 || strcmp(name, "greedy") == 0;
}

// One line that rewrites itself on a terminal, elsewhere a line for about every twentieth plan.
static void show(measurement *m, int done, int all) {
    if (!m->shows || (!m->terminal && done < m->next)) return;
    m->next = done + 20;
    int left = (int)((amc_clock_seconds() - m->start) / done * (all - done));
    fprintf(stderr, "%smeasuring: plan %d of %d at most, %d:%02d left at most%s",
            m->terminal ? "\r" : "", done, all, left / 60, left % 60,
            m->terminal ? "\033[K" : "\n");
}

static double errors(void *context, const int *counts, int done, int all) {
    measurement *m = context;
    amc_score scored = amc_scorer_pruned(m->scorer, amc_chooser_make(m->chooser, counts));
    show(m, done, all);
    return 1 - scored.accuracy;
}

static double divergence(void *context, const int *counts, int done, int all) {
    measurement *m = context;
    amc_scorer_apply(m->scorer, amc_chooser_make(m->chooser, counts));
    double diverges = amc_divergence_measure(m->divergence);
    show(m, done, all);
    return diverges;
}

static void meet_by_errors(measurement *m, const amc_prune_env *env, int *counts) {
    amc_sensitivity *sensitivity = amc_sensitivity_measure(env, errors, m);
    amc_sensitivity_level(sensitivity, counts);
    amc_sensitivity_free(sensitivity);
}

static void meet_by_divergence(measurement *m, const amc_prune_env *const *envs, int n,
                               int *counts) {
    amc_scorer_apply_network(m->scorer);
    m->divergence = amc_divergence_new(m->scorer->model, m->scorer->dataset, IMAGES);
    amc_sensitivity *sensitivity = amc_sensitivity_measure(envs[0], divergence, m);
    for (int i = 0; i < n; i++)
        amc_sensitivity_exchange(sensitivity, envs[i],
                                 counts + (size_t)i * (size_t)amc_prune_env_space(envs[i])->n);
    amc_sensitivity_free(sensitivity);
    amc_divergence_free(m->divergence);
}

static measurement start(amc_scorer *scorer, const amc_chooser *chooser, bool quiet) {
    return (measurement){.scorer = scorer,
                         .chooser = chooser,
                         .shows = !quiet,
                         .terminal = isatty(STDERR_FILENO),
                         .start = amc_clock_seconds()};
}

static void end(const measurement *m) {
    if (m->shows && m->terminal) fputc('\n', stderr);
}

void amc_measured_policy_meet_budget(const char *name, amc_scorer *scorer,
                                     const amc_chooser *chooser, const amc_prune_env *env,
                                     bool quiet, int *counts) {
    if (strcmp(name, "fp") != 0) {
        amc_measured_policy_greedy(scorer, chooser, &env, 1, quiet, counts);
        return;
    }
    measurement m = start(scorer, chooser, quiet);
    meet_by_errors(&m, env, counts);
    end(&m);
}

void amc_measured_policy_greedy(amc_scorer *scorer, const amc_chooser *chooser,
                                const amc_prune_env *const *envs, int n, bool quiet, int *counts) {
    measurement m = start(scorer, chooser, quiet);
    meet_by_divergence(&m, envs, n, counts);
    end(&m);
}
