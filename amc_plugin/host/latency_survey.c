#include "host/latency_survey.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "host/latency_probe.h"
#include "model/slice.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAST_SWEEPS = 3, // over all points,
    MOST_SWEEPS = 99,
    PLANS = 8,        // that show how far predictions between the points are off
    MOST_PASSES = 10, // of the whole network and of a plan at a time,
};
#define STEADY_NS 2e7 // as far as they don't take longer

// ---- points -------------------------------------------------------------------------------------

// Filters go six at a time, and seven channels are the fewest that Winograd's algorithm is used
// for.
int amc_latency_survey_counts(int n, int *counts) {
    static const int first[] = {1, 3, 6, 7};
    int found = 0;
    for (int i = 0; i < 4; i++)
        if (first[i] < n) counts[found++] = first[i];
    for (int count = 12; count < 0.9 * n && found < AMC_LATENCY_COUNTS - 2; count *= 2) {
        counts[found++] = count;
        if (count * 3 / 2 < 0.9 * n) counts[found++] = count * 3 / 2;
    }
    counts[found++] = n;
    int few = 1; // far less than a plan leaves of many
    while (few < found && counts[few] < n / 24) few++;
    for (int i = few; i < found; i++) counts[i - few + 1] = counts[i];
    return found > 1 ? found - few + 1 : 1;
}

// Of one layer, at each level of its channels.
typedef struct profile {
    bool two;        // input and output have counts of their own; else the input follows
    int n_in, *in;   // (n_in) counts, different ones
    int n_out, *out; // (n_out)
    int *at_in;      // (levels of inputs) index into in
    int *at_out;     // (levels of outputs)
    double *ns;      // (n_in, n_out, MOST_SWEEPS)
} profile;

typedef struct survey {
    const amc_layer_graph *graph;
    int in_levels, out_levels;
    profile *subjects; // (layers)
    int sweeps;
    double whole[MOST_SWEEPS]; // nanoseconds of the network with all channels
    amc_layer_graph *plans[PLANS];
    double plan_ns[PLANS][MOST_SWEEPS];
} survey;

static bool makes_freely(const amc_layer *layer) {
    return layer->flow == AMC_FLOW_MAKES && layer->groups == 1;
}

// Counts of what a filter makes; of grouped convolutions, whole groups.
static int own_counts(const amc_layer *layer, int *counts) {
    int groups = layer->groups,
        n = amc_latency_survey_counts(groups > 1 ? groups : layer->out_c, counts);
    for (int i = 0; i < n && groups > 1; i++) counts[i] *= layer->out_c / groups;
    return n;
}

static void count_levels(survey *s) {
    int counts[AMC_LATENCY_COUNTS];
    s->in_levels = s->out_levels = 1;
    for (int l = 0; l < s->graph->n; l++) {
        const amc_layer *layer = &s->graph->layers[l];
        if (layer->flow != AMC_FLOW_MAKES) continue;
        int out = own_counts(layer, counts);
        int in = makes_freely(layer) ? amc_latency_survey_counts(layer->c, counts) : 1;
        if (out > s->out_levels) s->out_levels = out;
        if (in > s->in_levels) s->in_levels = in;
    }
}

// What input number `which` of layer l has at a level of outputs.
static int input_at(const survey *s, int l, int which, int level) {
    int from = s->graph->layers[l].inputs[which];
    if (from == AMC_NETWORK_INPUT) return s->graph->c;
    return s->subjects[from].out[s->subjects[from].at_out[level]];
}

// Channels that a layer without filters hands on at a level.
static int handed_on(const survey *s, int l, int level) {
    const amc_layer *layer = &s->graph->layers[l];
    int in = input_at(s, l, 0, level), block = layer->stride * layer->stride, sum = 0;
    switch (layer->flow) {
    case AMC_FLOW_JOINS:
        for (int i = 0; i < layer->n_inputs; i++) sum += input_at(s, l, i, level);
        return sum;
    case AMC_FLOW_SPREADS:
        return (in < block ? block : in / block * block) * block;
    case AMC_FLOW_GATHERS:
        return in < block ? 1 : in / block;
    case AMC_FLOW_NEEDS:
        return layer->out_c;
    default:
        return in;
    }
}

// Appends a level's count, where it is another.
static void add_level(int *counts, int *n, int *at, int level, int count) {
    if (*n == 0 || counts[*n - 1] != count) counts[(*n)++] = count;
    at[level] = *n - 1;
}

// Layers of few counts stay longer at each, so that all get larger together.
static void place(survey *s, int l) {
    const amc_layer *layer = &s->graph->layers[l];
    profile *subject = &s->subjects[l];
    int counts[AMC_LATENCY_COUNTS], n = 0, ins = s->in_levels, outs = s->out_levels;
    subject->two = makes_freely(layer);
    subject->in = amc_memory_alloc((size_t)ins, sizeof(int));
    subject->at_in = amc_memory_alloc((size_t)ins, sizeof(int));
    subject->out = amc_memory_alloc((size_t)outs, sizeof(int));
    subject->at_out = amc_memory_alloc((size_t)outs, sizeof(int));
    n = subject->two ? amc_latency_survey_counts(layer->c, counts) : 0;
    for (int i = 0; i < ins; i++)
        add_level(subject->in, &subject->n_in, subject->at_in, i,
                  subject->two ? counts[i * n / ins] : layer->c);
    n = layer->flow == AMC_FLOW_MAKES ? own_counts(layer, counts) : 0;
    for (int o = 0; o < outs; o++)
        add_level(subject->out, &subject->n_out, subject->at_out, o,
                  n ? counts[o * n / outs] : handed_on(s, l, o));
    subject->ns =
        amc_memory_alloc((size_t)subject->n_in * subject->n_out * MOST_SWEEPS, sizeof *subject->ns);
}

// The network with a quarter to all of each group's channels.
static amc_layer_graph *random_plan(const amc_layer_graph *graph, const amc_channel_groups *groups,
                                    amc_rng *rng) {
    double *score = amc_memory_alloc((size_t)groups->n_units, sizeof *score);
    amc_prune_plan *plan = amc_prune_plan_new(groups);
    for (int g = 0; g < groups->n; g++) {
        int units = groups->groups[g].n_units;
        double keep = 0.25 + 0.75 * amc_rng_uniform(rng);
        if (groups->groups[g].prunable)
            amc_prune_plan_keep_best(plan, groups, g, (int)ceil(keep * units), score);
    }
    amc_layer_graph *small = amc_slice_graph(graph, groups, plan);
    amc_prune_plan_free(plan);
    free(score);
    return small;
}

static void draw_plans(survey *s) {
    amc_rng rng;
    amc_rng_init(&rng, 1);
    amc_channel_groups *groups = amc_channel_groups_new(s->graph);
    for (int p = 0; p < PLANS; p++) s->plans[p] = random_plan(s->graph, groups, &rng);
    amc_channel_groups_free(groups);
}

static survey new_survey(const amc_layer_graph *graph) {
    survey s = {.graph = graph};
    s.subjects = amc_memory_alloc((size_t)graph->n, sizeof *s.subjects);
    count_levels(&s);
    for (int l = 0; l < graph->n; l++) place(&s, l);
    draw_plans(&s);
    return s;
}

static void clear_survey(survey *s) {
    for (int l = 0; l < s->graph->n; l++) {
        profile *subject = &s->subjects[l];
        free(subject->in);
        free(subject->out);
        free(subject->at_in);
        free(subject->at_out);
        free(subject->ns);
    }
    free(s->subjects);
    for (int p = 0; p < PLANS; p++) amc_layer_graph_free(s->plans[p]);
}

// ---- measuring ----------------------------------------------------------------------------------

// The graph whose layers have what the levels say, each for itself.
static void set_levels(const survey *s, int in, int out, amc_layer_graph *graph) {
    for (int l = 0; l < graph->n; l++) {
        const amc_layer *whole = &s->graph->layers[l];
        const profile *subject = &s->subjects[l];
        amc_layer *layer = &graph->layers[l];
        layer->out_c = subject->out[subject->at_out[out]];
        if (subject->two)
            layer->c = subject->in[subject->at_in[in]];
        else if (whole->flow == AMC_FLOW_JOINS)
            layer->c = input_at(s, l, 0, out);
        else
            layer->c = (int)((int64_t)layer->out_c * whole->c / whole->out_c);
        if (whole->groups > 1) layer->groups = layer->out_c / (whole->out_c / whole->groups);
    }
}

static bool is_last(const int *at, int levels, int level) {
    return level + 1 == levels || at[level] != at[level + 1];
}

// Whether a point of a layer, which may stand for several levels, is to be noted at these; one
// whose input follows is where inputs and outputs of all layers are about equally many.
static bool is_noted(const survey *s, const profile *subject, int in, int out) {
    if (!is_last(subject->at_out, s->out_levels, out)) return false;
    return subject->two ? is_last(subject->at_in, s->in_levels, in)
                        : in == out * s->in_levels / s->out_levels;
}

static void note(survey *s, int in, int out, const double *layer_ns) {
    for (int l = 0; l < s->graph->n; l++) {
        profile *subject = &s->subjects[l];
        if (!is_noted(s, subject, in, out)) continue;
        int point = subject->at_in[in] * subject->n_out + subject->at_out[out];
        subject->ns[(size_t)point * MOST_SWEEPS + s->sweeps] = layer_ns[l];
    }
}

// What shows how far it is, and when it is over.
typedef struct watch {
    amc_latency_survey_report *report;
    void *context;
    double start;
    double seconds; // that it should take
    int sweeps;     // that there will be
} watch;

// As many sweeps as the time holds, by those that are done.
static int sweeps_for(const watch *w, int done) {
    int sweeps = (int)(w->seconds * done / (amc_clock_seconds() - w->start + 1e-9));
    return sweeps < LEAST_SWEEPS ? LEAST_SWEEPS : sweeps < MOST_SWEEPS ? sweeps : MOST_SWEEPS;
}

// The first pass of two finds the caches as another network left them. Returns nanoseconds of the
// second.
static double pass(amc_latency_probe *probe, const amc_layer_graph *graph,
                   const amc_weights *weights, double *layer_ns) {
    amc_latency_probe_apply(probe, graph, weights);
    amc_latency_probe_pass(probe, layer_ns);
    return amc_latency_probe_pass(probe, layer_ns);
}

// Of a network that is run again and again, as those that are timed are: a small one is fast only
// when caches and threads have seen it some times.
static double steady_pass(amc_latency_probe *probe, const amc_layer_graph *graph,
                          const amc_weights *weights, double *layer_ns) {
    double ns = pass(probe, graph, weights, layer_ns), spent = 2 * ns;
    for (int i = 2; i < MOST_PASSES && spent < STEADY_NS; i++, spent += ns)
        ns = amc_latency_probe_pass(probe, layer_ns);
    return ns;
}

static void sweep(survey *s, amc_latency_probe *probe, amc_layer_graph *graph,
                  const amc_weights *weights, const watch *w) {
    double *ns = amc_memory_alloc((size_t)graph->n, sizeof *ns);
    int points = s->in_levels * s->out_levels;
    for (int out = 0; out < s->out_levels; out++) {
        for (int in = 0; in < s->in_levels; in++) {
            set_levels(s, in, out, graph);
            pass(probe, graph, weights, ns);
            note(s, in, out, ns);
            w->report(w->context, s->sweeps * points + out * s->in_levels + in + 1,
                      w->sweeps * points);
        }
    }
    s->whole[s->sweeps] = steady_pass(probe, s->graph, weights, ns);
    for (int p = 0; p < PLANS; p++)
        s->plan_ns[p][s->sweeps] = steady_pass(probe, s->plans[p], weights, ns);
    free(ns);
    s->sweeps++;
}

static void measure(survey *s, amc_latency_probe *probe, watch w) {
    amc_layer_graph *graph = amc_layer_graph_copy(s->graph);
    amc_weights *weights = amc_latency_probe_weights(s->graph);
    w.start = amc_clock_seconds();
    w.sweeps = LEAST_SWEEPS;
    while (s->sweeps < w.sweeps) {
        sweep(s, probe, graph, weights, &w);
        w.sweeps = sweeps_for(&w, s->sweeps);
    }
    amc_weights_free(weights);
    amc_layer_graph_free(graph);
}

// ---- the table ----------------------------------------------------------------------------------

static double time_of(const survey *s, const profile *subject, int point) {
    return amc_latency_probe_quantile(&subject->ns[(size_t)point * MOST_SWEEPS], s->sweeps, 0.25);
}

// What times are to be multiplied by.
static double scale_of(survey *s) {
    double sum = 1; // lest it be 0
    for (int l = 0; l < s->graph->n; l++) {
        const profile *subject = &s->subjects[l];
        sum += time_of(s, subject, subject->n_in * subject->n_out - 1);
    }
    return amc_latency_probe_quantile(s->whole, s->sweeps, 0.5) / sum;
}

static bool is_alike(const profile *a, const profile *b) {
    return a->n_in == b->n_in && a->n_out == b->n_out &&
           memcmp(a->in, b->in, (size_t)a->n_in * sizeof(int)) == 0 &&
           memcmp(a->out, b->out, (size_t)a->n_out * sizeof(int)) == 0;
}

// The mean over all layers that are of the kind of layer l: times (points), scaled.
static void average(const survey *s, char *const *kinds, int l, double scale, int64_t *ns) {
    const profile *subject = &s->subjects[l];
    for (int p = 0; p < subject->n_in * subject->n_out; p++) {
        double sum = 0;
        int alike = 0;
        for (int k = 0; k < s->graph->n; k++) {
            if (strcmp(kinds[k], kinds[l]) != 0 || !is_alike(&s->subjects[k], subject)) continue;
            sum += time_of(s, &s->subjects[k], p);
            alike++;
        }
        ns[p] = 1 + (int64_t)(scale * sum / alike);
    }
}

static double predict(const amc_latency_grid *const *grids, const amc_layer_graph *graph) {
    double sum = 0;
    for (int l = 0; l < graph->n; l++)
        sum +=
            (double)amc_latency_grid_predict(grids[l], graph->layers[l].c, graph->layers[l].out_c);
    return sum;
}

// A plan's time by the whole network's, side by side in each sweep, so that what slows the machine
// for a while slows both.
static double share_of_plan(const survey *s, int plan) {
    double shares[MOST_SWEEPS];
    for (int i = 0; i < s->sweeps; i++) shares[i] = s->plan_ns[plan][i] / s->whole[i];
    return amc_latency_probe_quantile(shares, s->sweeps, 0.5);
}

// How much longer than predicted the plans took, the middle one of them: kernels take channels in
// blocks, of which proportion between the points knows nothing.
static double excess(const survey *s, const amc_latency_table *table, const amc_cfg_text *cfg) {
    double excess[PLANS];
    const amc_latency_grid **grids = amc_latency_table_of(table, s->graph, cfg);
    for (int p = 0; p < PLANS; p++)
        excess[p] = share_of_plan(s, p) * predict(grids, s->graph) / predict(grids, s->plans[p]);
    free(grids);
    return amc_latency_probe_quantile(excess, PLANS, 0.5);
}

// `pruned`: what times are multiplied by besides, except those of layers that are whole.
static void enter(survey *s, amc_latency_table *table, const amc_cfg_text *cfg, double pruned) {
    int layers = s->graph->n;
    double scale = scale_of(s);
    char **kinds = amc_memory_alloc((size_t)layers, sizeof *kinds);
    for (int l = 0; l < layers; l++) kinds[l] = amc_latency_table_kind(s->graph, cfg, l);
    for (int l = 0; l < layers; l++) {
        const profile *subject = &s->subjects[l];
        size_t points = (size_t)subject->n_in * (size_t)subject->n_out;
        int64_t *ns = amc_memory_alloc(points, sizeof *ns);
        average(s, kinds, l, scale, ns);
        for (size_t i = 0; i + 1 < points; i++) ns[i] = 1 + (int64_t)(pruned * (double)ns[i]);
        amc_latency_table_add(table, &(amc_latency_grid){kinds[l], subject->n_in, subject->n_out,
                                                         subject->in, subject->out, ns});
        free(ns);
    }
    for (int l = 0; l < layers; l++) free(kinds[l]);
    free(kinds);
}

int amc_latency_survey_run(amc_latency_table *table, const amc_cfg_text *cfg,
                           const amc_layer_graph *graph, double seconds,
                           amc_latency_survey_report *report, void *context, amc_error *err) {
    amc_latency_probe *probe = amc_latency_probe_new(cfg->path, graph, err);
    if (!probe) return -1;
    survey s = new_survey(graph);
    measure(&s, probe, (watch){.report = report, .context = context, .seconds = seconds});
    enter(&s, table, cfg, 1);
    enter(&s, table, cfg, excess(&s, table, cfg));
    amc_latency_probe_free(probe);
    clear_survey(&s);
    return 0;
}
