// Times of layers, measured at some channel counts, from which those at others are predicted. It
// holds and interpolates numbers; host/latency_survey measures them. A file holds it as JSON, times
// for the first of `in` first:
//
//   {"format": 3, "made_by": "...",
//    "grids": [{"kind": "...", "in": [1, 6, 7], "out": [1, 6], "ns": [5, 6, 7, 8, 9, 10]}, ...]}

#ifndef AMC_MODEL_LATENCY_TABLE_H
#define AMC_MODEL_LATENCY_TABLE_H

#include "model/layer_graph.h"

// Times of layers of one kind. They never fall with a count, so that budgets can be found by
// bisection.
typedef struct amc_latency_grid {
    char *kind;
    int n_in, n_out;
    int *in;     // (n_in) rising channel counts of the input; a single one where they don't matter
    int *out;    // (n_out) of the output
    int64_t *ns; // (n_in, n_out)
} amc_latency_grid;

typedef struct amc_latency_table {
    int n;
    amc_latency_grid **grids; // (n)
} amc_latency_table;

amc_latency_table *amc_latency_table_new(void);
void amc_latency_table_free(amc_latency_table *table);

// The grid of that kind; NULL if there is none.
const amc_latency_grid *amc_latency_table_find(const amc_latency_table *table, const char *kind);

// Adds times, copied, in place of those of the same kind. Where fewer channels would take longer,
// their times are lowered and those of more raised, until they meet in the middle; that of all
// channels stays. in and out are rising, times positive.
void amc_latency_table_add(amc_latency_table *table, const amc_latency_grid *grid);

// Nanoseconds of a layer with so many channels: those of the grid at its points, between them in
// proportion (bilinear), beyond them those of the nearest.
int64_t amc_latency_grid_predict(const amc_latency_grid *grid, int in, int out);

// What the time of layer l depends on besides channels that go: its type, window, image, activation
// and so on, and how many channels it has to begin with. New text.
char *amc_latency_table_kind(const amc_layer_graph *graph, const amc_cfg_text *cfg, int l);

// The grid of each layer (layers), borrowed; NULL where the table has none.
const amc_latency_grid **amc_latency_table_of(const amc_latency_table *table,
                                              const amc_layer_graph *graph,
                                              const amc_cfg_text *cfg);

// The file's table. NULL with err set if it is no such file; where `made_by` is not what the file
// says, NULL too, with err's text empty: it is in order, but of another program.
amc_latency_table *amc_latency_table_load(const char *path, const char *made_by, amc_error *err);

// Writes it atomically; -1 with err set.
int amc_latency_table_save(const amc_latency_table *table, const char *path, const char *made_by,
                           amc_error *err);

#endif
