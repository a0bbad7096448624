#include "search/sensitivity.h"

#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { LEVELS = AMC_SENSITIVITY_LEVELS };

struct amc_sensitivity {
    const amc_prune_env *env;
    double (*drops)[LEVELS + 1]; // (steps) at 0, 1, ... LEVELS tenths: falling to 0
    int *lowest;                 // (steps) tenths, down from LEVELS, at which they are known
    amc_sensitivity_harm *harm;  // NULL: all are
    void *context;
    int *counts;  // (groups) scratch
    double whole; // what harm says of the whole network
    int measured; // plans
};

// ---- measuring ----------------------------------------------------------------------------------

static double measure(amc_sensitivity *s, const int *counts) {
    int all = 1 + amc_prune_env_steps(s->env) * (LEVELS - 1);
    return s->harm(s->context, counts, ++s->measured, all);
}

// The drop one tenth further down than is known. Below what a group can be cut to nothing more is
// lost, and no drop is less than that of a milder cut.
static double measure_next(amc_sensitivity *s, int t) {
    int g = amc_prune_env_group(s->env, t), k = s->lowest[t] - 1;
    int count = amc_prune_env_round(s->env, g, (double)k / LEVELS);
    double above = s->drops[t][k + 1];
    if (k == 0 || count == amc_prune_env_round(s->env, g, (double)(k + 1) / LEVELS)) return above;
    amc_prune_env_whole(s->env, s->counts);
    s->counts[g] = count;
    return fmax(above, measure(s, s->counts) - s->whole);
}

// Makes sure that step t's drops are known down to `level` tenths.
static const double *drops_to(amc_sensitivity *s, int t, int level) {
    for (; s->lowest[t] > level; s->lowest[t]--) s->drops[t][s->lowest[t] - 1] = measure_next(s, t);
    return s->drops[t];
}

static amc_sensitivity *sensitivity_new(const amc_prune_env *env) {
    amc_sensitivity *s = amc_memory_alloc(1, sizeof *s);
    size_t steps = (size_t)amc_prune_env_steps(env);
    s->env = env;
    s->drops = amc_memory_alloc(steps, sizeof *s->drops);
    s->lowest = amc_memory_alloc(steps, sizeof *s->lowest);
    s->counts = amc_memory_alloc((size_t)amc_prune_env_space(env)->n, sizeof *s->counts);
    return s;
}

amc_sensitivity *amc_sensitivity_measure(const amc_prune_env *env, amc_sensitivity_harm *harm,
                                         void *context) {
    amc_sensitivity *s = sensitivity_new(env);
    s->harm = harm;
    s->context = context;
    amc_prune_env_whole(env, s->counts);
    s->whole = measure(s, s->counts);
    for (int t = 0; t < amc_prune_env_steps(env); t++) s->lowest[t] = LEVELS;
    return s;
}

// ---- from losses --------------------------------------------------------------------------------

static void fill_from_losses(const amc_prune_env *env, int t, const double *losses,
                             double drops[LEVELS + 1]) {
    int g = amc_prune_env_group(env, t), units = amc_prune_env_space(env)->groups[g].n_units;
    for (int k = 0; k <= LEVELS; k++) {
        double sum = 0, removed = units - (double)k / LEVELS * units;
        for (int i = 0; i < units && i < removed; i++) sum += losses[i] * fmin(1, removed - i);
        drops[k] = pow(sum, 1.5);
    }
}

static void fill_from_others(amc_sensitivity *s, double *const *losses, int t) {
    int known = 0;
    for (int k = 0; k <= LEVELS; k++) s->drops[t][k] = 0;
    for (int other = 0; other < amc_prune_env_steps(s->env); other++) {
        if (!losses[amc_prune_env_group(s->env, other)]) continue;
        known++;
        for (int k = 0; k <= LEVELS; k++) s->drops[t][k] += s->drops[other][k];
    }
    for (int k = 0; k <= LEVELS && known; k++) s->drops[t][k] /= known;
}

amc_sensitivity *amc_sensitivity_of_losses(const amc_prune_env *env, double *const *losses) {
    amc_sensitivity *s = sensitivity_new(env);
    int steps = amc_prune_env_steps(env);
    for (int t = 0; t < steps; t++) {
        int g = amc_prune_env_group(env, t);
        if (losses[g]) fill_from_losses(env, t, losses[g], s->drops[t]);
    }
    for (int t = 0; t < steps; t++)
        if (!losses[amc_prune_env_group(env, t)]) fill_from_others(s, losses, t);
    return s;
}

void amc_sensitivity_free(amc_sensitivity *sensitivity) {
    if (!sensitivity) return;
    free(sensitivity->drops);
    free(sensitivity->lowest);
    free(sensitivity->counts);
    free(sensitivity);
}

double amc_sensitivity_drop(amc_sensitivity *sensitivity, int t, double share) {
    double at = fmin(fmax(share, 0), 1) * LEVELS;
    int below = at < LEVELS ? (int)at : LEVELS - 1;
    const double *drops = drops_to(sensitivity, t, below);
    return drops[below] + (at - below) * (drops[below + 1] - drops[below]);
}

// ---- equal drops --------------------------------------------------------------------------------

// What a tenth costs besides: accuracy falls in steps, and where it stays the same over several
// levels, no more goes than has to.
#define TENTH_COSTS 1e-6

static double cost_at(const double drops[LEVELS + 1], int k) {
    return drops[k] + TENTH_COSTS * (LEVELS - k);
}

// The smallest share that costs at most `cost`.
static double share_at(const double drops[LEVELS + 1], double cost) {
    int k = LEVELS;
    while (k > 0 && cost_at(drops, k - 1) <= cost) k--;
    if (k == 0) return 0;
    double above = cost_at(drops, k);
    return (k - (cost - above) / (cost_at(drops, k - 1) - above)) / LEVELS;
}

static void apply_level(amc_sensitivity *s, double cost, int *counts) {
    for (int t = 0; t < amc_prune_env_steps(s->env); t++) {
        int g = amc_prune_env_group(s->env, t);
        counts[g] = amc_prune_env_round(s->env, g, share_at(drops_to(s, t, 0), cost));
    }
}

// 50 halvings are exact to the last count that rounding can tell apart.
void amc_sensitivity_level(amc_sensitivity *sensitivity, int *counts) {
    const amc_prune_env *env = sensitivity->env;
    double low = 0,
           high = 1 + LEVELS * TENTH_COSTS; // which cuts every group to its least: feasible
    amc_prune_env_whole(env, counts);
    for (int i = 0; i < 50; i++) {
        double cost = (low + high) / 2;
        apply_level(sensitivity, cost, counts);
        if (amc_prune_env_meets(env, counts))
            high = cost;
        else
            low = cost;
    }
    apply_level(sensitivity, high, counts);
}

// ---- one by one ---------------------------------------------------------------------------------

// The next smaller count of step t's group that rounding allows, or in groups of many the next half
// percent; the same if there is none.
static int next_count(const amc_prune_env *env, int t, int count) {
    int g = amc_prune_env_group(env, t);
    double step = fmax(amc_prune_env_share(env, g, 1), 0.005);
    int next = amc_prune_env_floor(env, g, amc_prune_env_share(env, g, count) - step);
    return next < count ? next : count;
}

// A group's next smaller count, what it costs for what it saves of the pressure, and what it costs
// at all.
typedef struct offer {
    int count;
    double price; // infinite if nothing is saved
    double cost;  // infinite if there is no smaller count
} offer;

// Times may stay the same over several counts, which are then given up together.
static offer make_offer(amc_sensitivity *s, const amc_prune_env *env, int t, int *counts,
                        double pressure) {
    int g = amc_prune_env_group(env, t), count = counts[g];
    double saved = 0;
    for (int before = -1; saved <= 0 && counts[g] != before;) {
        before = counts[g];
        counts[g] = next_count(env, t, before);
        saved = pressure - amc_prune_env_pressure(env, counts);
    }
    offer made = {counts[g], INFINITY, INFINITY};
    counts[g] = count;
    if (made.count == count) return made;
    made.cost = amc_sensitivity_drop(s, t, amc_prune_env_share(env, g, made.count)) -
                amc_sensitivity_drop(s, t, amc_prune_env_share(env, g, count));
    const double least = 1e-9; // where nothing is lost, what saves most comes first
    if (saved > 0) made.price = (made.cost + least) / saved;
    return made;
}

static bool is_better(offer a, offer b) {
    return a.price < b.price || (a.price == b.price && a.cost < b.cost);
}

void amc_sensitivity_exchange(amc_sensitivity *sensitivity, const amc_prune_env *env, int *counts) {
    amc_prune_env_whole(env, counts);
    while (!amc_prune_env_meets(env, counts)) {
        int best = -1;
        offer cheapest = {0, INFINITY, INFINITY};
        double pressure = amc_prune_env_pressure(env, counts);
        for (int t = 0; t < amc_prune_env_steps(env); t++) {
            offer made = make_offer(sensitivity, env, t, counts, pressure);
            if (is_better(made, cheapest)) cheapest = made, best = t;
        }
        assert(best >= 0); // the environment knows that the budgets can be met
        counts[amc_prune_env_group(env, best)] = cheapest.count;
    }
}
