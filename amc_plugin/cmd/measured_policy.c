#include "cmd/measured_policy.h"

#include "base/clock.h"
#include "cmd/interrupt.h"
#include "cmd/shell.h"
#include "host/divergence.h"
#include "search/sensitivity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IMAGES = 256 }; // for divergence, at most

typedef struct measurement {
    amc_scorer *scorer;
    const amc_chooser *chooser;
    amc_divergence *divergence; // of the whole network's outputs
    amc_checkpoint *checkpoint; // NULL: nothing is recorded
    amc_error *err;             // of the checkpoint,
    bool failed;                // where it is set
    bool shows, terminal;
    double start; // of measuring
    int recorded; // plans that weren't measured now
    int next;     // plan that is shown
} measurement;

bool amc_measured_policy_is(const char *name) {
    return strcmp(name, "fp") == 0 || strcmp(name, "greedy") == 0;
}

// One line that rewrites itself on a terminal, elsewhere a line for about every twentieth plan.
static void show(measurement *m, int done, int all) {
    if (!m->shows || (!m->terminal && done < m->next)) return;
    m->next = done + 20;
    int left = (int)((amc_clock_seconds() - m->start) / (done - m->recorded) * (all - done));
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

// 1 where it was recorded, 0 where it wasn't.
static int recall(measurement *m, const int *counts, double *diverges) {
    int status =
        m->checkpoint ? amc_checkpoint_next_measured(m->checkpoint, counts, diverges, m->err) : 0;
    if (status == 1) {
        m->recorded++;
        m->start = amc_clock_seconds();
    }
    return status;
}

static int refuse_interrupted(const measurement *m) {
    char *line = amc_shell_line("-resume");
    amc_error_set(m->err, "interrupted while it measured where to start; to go on: %s", line);
    free(line);
    return -1;
}

// Once something failed, nothing matters any more.
static double divergence(void *context, const int *counts, int done, int all) {
    measurement *m = context;
    double diverges = 0, start = amc_clock_seconds();
    int known = m->failed ? -1 : recall(m, counts, &diverges);
    if (known == 0 && amc_interrupt_came()) known = refuse_interrupted(m);
    m->failed = known < 0;
    if (known != 0) return diverges;
    amc_scorer_apply(m->scorer, amc_chooser_make(m->chooser, counts));
    diverges = amc_divergence_measure(m->divergence);
    if (m->checkpoint)
        m->failed = amc_checkpoint_add_measured(m->checkpoint, counts, diverges,
                                                amc_clock_seconds() - start, m->err) < 0;
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
    if (m->shows && m->terminal && m->next) fputc('\n', stderr);
    if (m->shows && m->recorded)
        fprintf(stderr, "resumed: %d plans were measured before\n", m->recorded);
}

void amc_measured_policy_meet_budget(const char *name, amc_scorer *scorer,
                                     const amc_chooser *chooser, const amc_prune_env *env,
                                     bool quiet, int *counts) {
    measurement m = start(scorer, chooser, quiet);
    if (strcmp(name, "fp") == 0)
        meet_by_errors(&m, env, counts);
    else
        meet_by_divergence(&m, &env, 1, counts);
    end(&m);
}

int amc_measured_policy_greedy(amc_scorer *scorer, const amc_chooser *chooser,
                               const amc_prune_env *const *envs, int n, amc_checkpoint *checkpoint,
                               bool quiet, int *counts, amc_error *err) {
    measurement m = start(scorer, chooser, quiet);
    m.checkpoint = checkpoint;
    m.err = err;
    meet_by_divergence(&m, envs, n, counts);
    end(&m);
    return m.failed ? -1 : 0;
}
