#include "search/prune_env.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct amc_prune_env {
    const amc_prune_space *space;
    amc_prune_env_options options;
    int64_t budget[AMC_RESOURCES];
    amc_resource resource; // that states tell of
    int n_steps;
    int *group;     // (n_steps) group of each step
    int *last_step; // (layers) the last that decides channels of the layer; -1 if none does
    int *least;     // (groups) fewest units that may be kept
    int *counts;    // (groups) the episode's decisions; whole where undecided
    double *prior;  // (groups) shares that are fair in proportion
    int t;          // current step
    double last;    // a[t-1] as carried out
    double fair;    // share of the current step
    // Features that stay the same over episodes, scaled: t, n, c, h, w, stride, k, FLOPs[t].
    float (*fixed)[8]; // (n_steps)
};

static int least_count(const amc_prune_env *env, int g) {
    const amc_prune_group *group = &env->space->groups[g];
    if (!group->prunable) return group->n_units;
    int step = amc_prune_space_step(env->space, g, env->options.round);
    int wish = (int)ceil(env->options.min_keep * group->n_units - 1e-9);
    int count = (wish + step - 1) / step * step;
    if (count < step) count = step;
    return count < group->n_units ? count : group->n_units;
}

static void fill_fixed(amc_prune_env *env) {
    int n = env->n_steps;
    for (int t = 0; t < n; t++) {
        int g = env->group[t];
        const amc_layer *layer = &env->space->graph->layers[env->space->groups[g].layers[0]];
        int64_t cost = amc_prune_space_group_cost(env->space, env->resource, env->counts, g);
        double raw[8] = {t,        layer->out_c,  layer->c,    layer->h,
                         layer->w, layer->stride, layer->size, (double)cost};
        for (int i = 0; i < 8; i++) env->fixed[t][i] = (float)raw[i];
    }
    for (int i = 0; i < 8; i++) {
        float low = INFINITY, high = -INFINITY;
        for (int t = 0; t < n; t++) {
            low = fminf(low, env->fixed[t][i]);
            high = fmaxf(high, env->fixed[t][i]);
        }
        for (int t = 0; t < n; t++)
            env->fixed[t][i] = high > low ? (env->fixed[t][i] - low) / (high - low) : 0;
    }
}

static void fill_last_steps(amc_prune_env *env) {
    int layers = env->space->graph->n;
    env->last_step = amc_memory_alloc((size_t)layers, sizeof *env->last_step);
    for (int l = 0; l < layers; l++) env->last_step[l] = -1;
    for (int t = 0; t < env->n_steps; t++) {
        const amc_prune_group *group = &env->space->groups[env->group[t]];
        for (int i = 0; i < group->n_layers; i++) env->last_step[group->layers[i]] = t;
    }
}

static const char *units_name(const amc_prune_env *env) {
    return env->space->granularity == AMC_GRANULARITY_CHANNEL ? "channels" : "weights";
}

static int check_budget(const amc_prune_env *env, amc_resource r, amc_error *err) {
    if (amc_prune_env_smallest(env, r) <= env->budget[r]) return 0;
    double all = (double)amc_prune_space_whole_cost(env->space, r);
    // Rounded up to what is printed, so that it can be asked for.
    double smallest = ceil(1e4 * (double)amc_prune_env_smallest(env, r) / all) / 100;
    return amc_error_set(err,
                         "%s: a budget of %.2f%% of the %s can't be met; the smallest reachable is "
                         "%.2f%% when at least %g of each group's %s are kept (-min-keep), in "
                         "multiples of %d (-round), and with the layers that stay whole (-skip)",
                         env->space->graph->path, 100 * env->options.budget[r],
                         amc_resource_name(r), smallest, env->options.min_keep, units_name(env),
                         env->options.round);
}

static int check_options(const amc_prune_env *env, amc_error *err) {
    if (env->n_steps == 0)
        return amc_error_set(err,
                             "%s: no group of %s can be pruned when at least %g of each are kept "
                             "(-min-keep), in multiples of %d (-round), and with the layers that "
                             "stay whole (-skip)",
                             env->space->graph->path, units_name(env), env->options.min_keep,
                             env->options.round);
    for (int r = 0; r < AMC_RESOURCES; r++)
        if (check_budget(env, (amc_resource)r, err) < 0) return -1;
    return 0;
}

static bool limits(const amc_prune_env *env, int resource) {
    return env->options.budget[resource] > 0 && env->options.budget[resource] < 1;
}

static amc_resource choose_resource(const amc_prune_env *env) {
    if (env->space->granularity == AMC_GRANULARITY_WEIGHT) return AMC_RESOURCE_PARAMS;
    if (limits(env, AMC_RESOURCE_MACS)) return AMC_RESOURCE_MACS;
    if (limits(env, AMC_RESOURCE_LATENCY)) return AMC_RESOURCE_LATENCY;
    return limits(env, AMC_RESOURCE_PARAMS) ? AMC_RESOURCE_PARAMS : AMC_RESOURCE_MACS;
}

static void fill_budgets(amc_prune_env *env) {
    for (int r = 0; r < AMC_RESOURCES; r++) {
        double all = (double)amc_prune_space_whole_cost(env->space, (amc_resource)r);
        double share = limits(env, r) ? env->options.budget[r] : 1;
        env->budget[r] = (int64_t)floor(share * all + 1e-6);
    }
    env->resource = choose_resource(env);
}

amc_prune_env *amc_prune_env_new(const amc_prune_space *space, amc_prune_env_options options,
                                 amc_error *err) {
    amc_prune_env *env = amc_memory_alloc(1, sizeof *env);
    *env = (amc_prune_env){.space = space, .options = options};
    env->group = amc_memory_alloc((size_t)space->n, sizeof *env->group);
    env->least = amc_memory_alloc((size_t)space->n, sizeof *env->least);
    env->counts = amc_memory_alloc((size_t)space->n, sizeof *env->counts);
    env->prior = amc_memory_alloc((size_t)space->n, sizeof *env->prior);
    for (int g = 0; g < space->n; g++) env->prior[g] = 1;
    fill_budgets(env);
    for (int g = 0; g < space->n; g++) {
        env->least[g] = least_count(env, g);
        if (env->least[g] < space->groups[g].n_units) env->group[env->n_steps++] = g;
    }
    env->fixed = amc_memory_alloc((size_t)env->n_steps, sizeof *env->fixed);
    amc_prune_env_reset(env);
    fill_last_steps(env);
    fill_fixed(env);
    if (check_options(env, err) == 0) return env;
    amc_prune_env_free(env);
    return NULL;
}

void amc_prune_env_free(amc_prune_env *env) {
    if (!env) return;
    free(env->group);
    free(env->last_step);
    free(env->least);
    free(env->counts);
    free(env->prior);
    free(env->fixed);
    free(env);
}

const amc_prune_space *amc_prune_env_space(const amc_prune_env *env) {
    return env->space;
}

amc_resource amc_prune_env_resource(const amc_prune_env *env) {
    return env->resource;
}

void amc_prune_env_set_resource(amc_prune_env *env, amc_resource resource) {
    env->resource = resource;
    amc_prune_env_reset(env);
    fill_fixed(env);
}

int amc_prune_env_steps(const amc_prune_env *env) {
    return env->n_steps;
}

double amc_prune_env_min_keep(const amc_prune_env *env) {
    return env->options.min_keep;
}

int amc_prune_env_group(const amc_prune_env *env, int t) {
    return env->group[t];
}

void amc_prune_env_whole(const amc_prune_env *env, int *counts) {
    for (int g = 0; g < env->space->n; g++) counts[g] = env->space->groups[g].n_units;
}

// What the layers that steps from t on decide about take; a layer that makes channels of several
// groups counts once.
static int64_t cost_from(const amc_prune_env *env, int t) {
    int64_t sum = 0;
    for (int l = 0; l < env->space->graph->n; l++)
        if (env->last_step[l] >= t)
            sum += amc_prune_space_layer_cost(env->space, env->resource, env->counts, l);
    return sum;
}

void amc_prune_env_state(const amc_prune_env *env, float state[AMC_PRUNE_ENV_STATE]) {
    double all = (double)amc_prune_space_whole_cost(env->space, env->resource);
    // Undecided groups are whole in counts, so what is missing was cut in decided ones.
    double reduced = all - (double)amc_prune_env_cost(env, env->resource, env->counts);
    memcpy(state, env->fixed[env->t], sizeof env->fixed[env->t]);
    state[8] = (float)(reduced / all);
    state[9] = (float)((double)cost_from(env, env->t + 1) / all);
    state[10] = (float)env->last;
    state[AMC_PRUNE_ENV_FAIR] = (float)env->fair;
}

// Bisection for the largest factor on the prior shares that fits: costs grow with it. 20 halvings
// are as fine as any group of channels needs, and leave a millionth of the largest layer's weights.
static double find_fair_share(const amc_prune_env *env) {
    int *counts = amc_memory_copy(env->counts, (size_t)env->space->n, sizeof *counts);
    double low = 0, high = 1, smallest = 1;
    bool all = env->t >= env->n_steps || amc_prune_env_meets(env, counts); // undecided is whole
    for (int t = env->t; t < env->n_steps; t++)
        smallest = fmin(smallest, env->prior[env->group[t]]);
    high = 1 / smallest;
    for (int i = 0; i < 20 && !all; i++) {
        double factor = (low + high) / 2;
        for (int t = env->t; t < env->n_steps; t++) {
            int g = env->group[t];
            counts[g] = amc_prune_env_round(env, g, fmin(1, factor * env->prior[g]));
        }
        if (amc_prune_env_meets(env, counts))
            low = factor;
        else
            high = factor;
    }
    free(counts);
    return all ? 1 : fmin(1, low * env->prior[env->group[env->t]]);
}

void amc_prune_env_set_prior(amc_prune_env *env, const int *counts) {
    for (int g = 0; g < env->space->n; g++) env->prior[g] = amc_prune_env_share(env, g, counts[g]);
    amc_prune_env_reset(env);
}

void amc_prune_env_reset(amc_prune_env *env) {
    amc_prune_env_whole(env, env->counts);
    env->t = 0;
    env->last = 1;
    env->fair = find_fair_share(env);
}

// Whether the budgets are met with `count` units of the current group and every later group cut as
// far as allowed: W_duty of algorithm 1, exact because whole plans are priced.
static bool feasible(const amc_prune_env *env, int *counts, int count) {
    counts[env->group[env->t]] = count;
    return amc_prune_env_meets(env, counts);
}

// The most units of the current group that leave the budgets reachable. Costs grow with counts, so
// bisection over the multiples of the rounding step finds it; the whole group is allowed too.
static int most_feasible(const amc_prune_env *env) {
    int g = env->group[env->t], units = env->space->groups[g].n_units;
    int step = amc_prune_space_step(env->space, g, env->options.round);
    int *counts = amc_memory_copy(env->counts, (size_t)env->space->n, sizeof *counts);
    for (int t = env->t + 1; t < env->n_steps; t++)
        counts[env->group[t]] = env->least[env->group[t]];
    int low = env->least[g] / step, high = units / step; // feasible at low by induction
    bool whole = feasible(env, counts, units);
    while (low < high) {
        int middle = (low + high + 1) / 2;
        if (feasible(env, counts, middle * step))
            low = middle;
        else
            high = middle - 1;
    }
    free(counts);
    return whole ? units : low * step;
}

int amc_prune_env_round(const amc_prune_env *env, int g, double ratio) {
    int count = amc_prune_space_round(env->space, g, ratio, env->options.round);
    return count > env->least[g] ? count : env->least[g];
}

double amc_prune_env_share(const amc_prune_env *env, int g, int count) {
    return (double)count / env->space->groups[g].n_units;
}

int amc_prune_env_floor(const amc_prune_env *env, int g, double ratio) {
    int units = env->space->groups[g].n_units;
    int step = amc_prune_space_step(env->space, g, env->options.round);
    double wish = ratio * units + 1e-9; // 0.7 * 10 is a little less than 7
    int count = wish >= units ? units : (int)wish / step * step;
    return count > env->least[g] ? count : env->least[g];
}

int amc_prune_env_refuse_share(const amc_prune_env *env, double keep, amc_error *err) {
    int worst = env->group[0];
    for (int t = 1; t < env->n_steps; t++)
        if (amc_prune_env_share(env, env->group[t], env->least[env->group[t]]) >
            amc_prune_env_share(env, worst, env->least[worst]))
            worst = env->group[t];
    const amc_prune_group *group = &env->space->groups[worst];
    const amc_layer_graph *graph = env->space->graph;
    const char *units = units_name(env);
    return amc_error_set(
        err,
        "%s:%d: layer %d can't be cut to %.4g of its %s: %.4g (%d of %d) is the least when at "
        "least %g of each group's %s are kept, in multiples of %d",
        graph->path, graph->layers[group->layers[0]].line, group->layers[0], keep, units,
        ceil(1e4 * amc_prune_env_share(env, worst, env->least[worst])) / 1e4, env->least[worst],
        group->n_units, env->options.min_keep, units, env->options.round);
}

double amc_prune_env_fair_share(const amc_prune_env *env) {
    return env->fair;
}

double amc_prune_env_step(amc_prune_env *env, double action) {
    int g = env->group[env->t];
    int count = amc_prune_env_round(env, g, action), most = most_feasible(env);
    env->counts[g] = count < most ? count : most;
    env->last = amc_prune_env_share(env, g, env->counts[g]);
    if (++env->t < env->n_steps) env->fair = find_fair_share(env);
    return env->last;
}

const int *amc_prune_env_counts(const amc_prune_env *env) {
    return env->counts;
}

int64_t amc_prune_env_cost(const amc_prune_env *env, amc_resource resource, const int *counts) {
    return amc_prune_space_cost(env->space, resource, counts);
}

int64_t amc_prune_env_smallest(const amc_prune_env *env, amc_resource resource) {
    return amc_prune_env_cost(env, resource, env->least);
}

int64_t amc_prune_env_budget(const amc_prune_env *env, amc_resource resource) {
    return env->budget[resource];
}

bool amc_prune_env_is_limited(const amc_prune_env *env) {
    for (int r = 0; r < AMC_RESOURCES; r++)
        if (limits(env, r)) return true;
    return false;
}

bool amc_prune_env_meets(const amc_prune_env *env, const int *counts) {
    for (int r = 0; r < AMC_RESOURCES; r++)
        if (limits(env, r) && amc_prune_env_cost(env, (amc_resource)r, counts) > env->budget[r])
            return false;
    return true;
}

double amc_prune_env_load(const amc_prune_env *env, const int *counts) {
    double load = 0;
    for (int r = 0; r < AMC_RESOURCES; r++) {
        if (!limits(env, r)) continue;
        double cost = (double)amc_prune_env_cost(env, (amc_resource)r, counts);
        load = fmax(load, cost / (double)env->budget[r]);
    }
    return load;
}

double amc_prune_env_pressure(const amc_prune_env *env, const int *counts) {
    double load = amc_prune_env_load(env, counts);
    int64_t memory = env->budget[AMC_RESOURCE_MEMORY];
    if (!limits(env, AMC_RESOURCE_MEMORY)) return load;
    return load + amc_prune_space_memory_beyond(env->space, counts, memory) / (double)memory;
}
