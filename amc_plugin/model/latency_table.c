#include "model/latency_table.h"

#include "base/files.h"
#include "base/json_file.h"
#include "base/memory.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 3, MOST_COUNTS = 1024 };

static void free_grid(amc_latency_grid *grid) {
    if (!grid) return;
    free(grid->kind);
    free(grid->in);
    free(grid->out);
    free(grid->ns);
    free(grid);
}

amc_latency_table *amc_latency_table_new(void) {
    return amc_memory_alloc(1, sizeof(amc_latency_table));
}

void amc_latency_table_free(amc_latency_table *table) {
    if (!table) return;
    for (int i = 0; i < table->n; i++) free_grid(table->grids[i]);
    free(table->grids);
    free(table);
}

static int find(const amc_latency_table *table, const char *kind) {
    for (int i = 0; i < table->n; i++)
        if (strcmp(table->grids[i]->kind, kind) == 0) return i;
    return -1;
}

const amc_latency_grid *amc_latency_table_find(const amc_latency_table *table, const char *kind) {
    int i = find(table, kind);
    return i < 0 ? NULL : table->grids[i];
}

// The running maximum from the fewest channels up.
static void raise(const amc_latency_grid *grid, int64_t *ns) {
    int row = grid->n_out;
    for (int i = 0; i < grid->n_in * row; i++) {
        if (i >= row && ns[i - row] > ns[i]) ns[i] = ns[i - row];
        if (i % row && ns[i - 1] > ns[i]) ns[i] = ns[i - 1];
    }
}

// The running minimum from the most channels down.
static void lower(const amc_latency_grid *grid, int64_t *ns) {
    int row = grid->n_out, points = grid->n_in * row;
    for (int i = points - 1; i >= 0; i--) {
        if (i + row < points && ns[i + row] < ns[i]) ns[i] = ns[i + row];
        if ((i + 1) % row && ns[i + 1] < ns[i]) ns[i] = ns[i + 1];
    }
}

// The middle between both, which of all times that never fall goes least far from those measured;
// but the whole layer keeps its time, which predictions are a share of.
static void straighten(amc_latency_grid *grid) {
    size_t points = (size_t)grid->n_in * (size_t)grid->n_out;
    int64_t whole = grid->ns[points - 1];
    int64_t *low = amc_memory_copy(grid->ns, points, sizeof *low);
    lower(grid, low);
    raise(grid, grid->ns);
    for (size_t i = 0; i < points; i++) {
        int64_t middle = (grid->ns[i] + low[i]) / 2;
        grid->ns[i] = middle < whole ? middle : whole;
    }
    free(low);
}

void amc_latency_table_add(amc_latency_table *table, const amc_latency_grid *grid) {
    amc_latency_grid *copy = amc_memory_copy(grid, 1, sizeof *grid);
    size_t points = (size_t)grid->n_in * (size_t)grid->n_out;
    copy->kind = amc_memory_text("%s", grid->kind);
    copy->in = amc_memory_copy(grid->in, (size_t)grid->n_in, sizeof *grid->in);
    copy->out = amc_memory_copy(grid->out, (size_t)grid->n_out, sizeof *grid->out);
    copy->ns = amc_memory_copy(grid->ns, points, sizeof *grid->ns);
    straighten(copy);
    int at = find(table, grid->kind);
    if (at < 0) {
        table->grids =
            amc_memory_resize(table->grids, (size_t)table->n + 1, sizeof(amc_latency_grid *));
        at = table->n++;
    } else {
        free_grid(table->grids[at]);
    }
    table->grids[at] = copy;
}

// ---- prediction ---------------------------------------------------------------------------------

// Where a count lies: between points `below` and `above`, that far from the first.
typedef struct place {
    int below, above;
    double share;
} place;

static place locate(const int *counts, int n, int count) {
    int above = 0;
    while (above < n && counts[above] < count) above++;
    if (above == n) return (place){n - 1, n - 1, 0};
    if (above == 0 || counts[above] == count) return (place){above, above, 0};
    int below = above - 1;
    return (place){below, above, (double)(count - counts[below]) / (counts[above] - counts[below])};
}

static double blend(int64_t low, int64_t high, double share) {
    return (double)low + share * (double)(high - low);
}

int64_t amc_latency_grid_predict(const amc_latency_grid *grid, int in, int out) {
    place i = locate(grid->in, grid->n_in, in), o = locate(grid->out, grid->n_out, out);
    const int64_t *below = grid->ns + i.below * grid->n_out;
    const int64_t *above = grid->ns + i.above * grid->n_out;
    double low = blend(below[o.below], below[o.above], o.share);
    double high = blend(above[o.below], above[o.above], o.share);
    return llrint(low + i.share * (high - low));
}

// ---- kinds --------------------------------------------------------------------------------------

static const char *activation_of(const amc_cfg_text *cfg, int l) {
    const char *activation = amc_cfg_text_get(cfg, l + 1, "activation");
    return activation ? activation : "-";
}

char *amc_latency_table_kind(const amc_layer_graph *graph, const amc_cfg_text *cfg, int l) {
    const amc_layer *layer = &graph->layers[l];
    char *others = amc_memory_text("%s", "");
    for (int i = 1; i < layer->n_inputs; i++) { // of a shortcut or route
        const amc_layer *from = &graph->layers[layer->inputs[i]];
        char *more = amc_memory_text("%s+%dx%dx%d", others, from->out_w, from->out_h, from->out_c);
        free(others);
        others = more;
    }
    char *kind = amc_memory_text(
        "%s size %d stride %d pad %d groups %d %s %s, %dx%dx%d%s -> %dx%dx%d",
        amc_layer_type_name(layer->type), layer->size, layer->stride, layer->pad, layer->groups,
        layer->batch_normalize ? "batchnorm" : "-", activation_of(cfg, l), layer->w, layer->h,
        layer->c, others, layer->out_w, layer->out_h, layer->out_c);
    free(others);
    return kind;
}

const amc_latency_grid **amc_latency_table_of(const amc_latency_table *table,
                                              const amc_layer_graph *graph,
                                              const amc_cfg_text *cfg) {
    const amc_latency_grid **grids = amc_memory_alloc((size_t)graph->n, sizeof *grids);
    for (int l = 0; l < graph->n; l++) {
        char *kind = amc_latency_table_kind(graph, cfg, l);
        grids[l] = amc_latency_table_find(table, kind);
        free(kind);
    }
    return grids;
}

// ---- the file -----------------------------------------------------------------------------------

// A rising list of positive integers, new memory; NULL if it is none.
static int *counts_of(const cJSON *list, int *n) {
    *n = cJSON_IsArray(list) ? cJSON_GetArraySize(list) : 0;
    if (*n < 1 || *n > MOST_COUNTS) return NULL;
    int *counts = amc_memory_alloc((size_t)*n, sizeof *counts), i = 0;
    bool fine = true;
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        double value = cJSON_IsNumber(item) ? item->valuedouble : 0;
        fine = fine && value >= 1 && value <= 1 << 30 && value == floor(value);
        counts[i] = fine ? (int)value : 0;
        fine = fine && (i == 0 || counts[i] > counts[i - 1]);
        i++;
    }
    if (fine) return counts;
    free(counts);
    return NULL;
}

// The times, new memory; NULL if they aren't `points` positive numbers.
static int64_t *times_of(const cJSON *list, int points) {
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) != points) return NULL;
    int64_t *ns = amc_memory_alloc((size_t)points, sizeof *ns);
    int i = 0;
    bool fine = true;
    const cJSON *item;
    cJSON_ArrayForEach(item, list) {
        double value = cJSON_IsNumber(item) ? item->valuedouble : 0;
        fine = fine && value >= 1 && value < 1e15;
        ns[i++] = fine ? (int64_t)value : 0;
    }
    if (fine) return ns;
    free(ns);
    return NULL;
}

static bool add_entry(amc_latency_table *table, const cJSON *entry) {
    const cJSON *kind = cJSON_GetObjectItem(entry, "kind");
    amc_latency_grid grid = {.kind = cJSON_IsString(kind) ? kind->valuestring : NULL};
    grid.in = counts_of(cJSON_GetObjectItem(entry, "in"), &grid.n_in);
    grid.out = counts_of(cJSON_GetObjectItem(entry, "out"), &grid.n_out);
    if (grid.in && grid.out)
        grid.ns = times_of(cJSON_GetObjectItem(entry, "ns"), grid.n_in * grid.n_out);
    bool fine = grid.kind && grid.ns;
    if (fine) amc_latency_table_add(table, &grid);
    free(grid.in);
    free(grid.out);
    free(grid.ns);
    return fine;
}

static amc_latency_table *read_table(const cJSON *root) {
    amc_latency_table *table = amc_latency_table_new();
    const cJSON *list = cJSON_GetObjectItem(root, "grids"), *entry;
    bool fine = cJSON_IsArray(list);
    cJSON_ArrayForEach(entry, list) fine = fine && add_entry(table, entry);
    if (fine) return table;
    amc_latency_table_free(table);
    return NULL;
}

static bool is_ours(const cJSON *root, const char *made_by) {
    const cJSON *format = cJSON_GetObjectItem(root, "format");
    const cJSON *by = cJSON_GetObjectItem(root, "made_by");
    return cJSON_IsNumber(format) && format->valuedouble == FORMAT && cJSON_IsString(by) &&
           strcmp(by->valuestring, made_by) == 0;
}

amc_latency_table *amc_latency_table_load(const char *path, const char *made_by, amc_error *err) {
    cJSON *root = amc_json_file_load(path, "a table of latencies", err);
    if (!root) return NULL;
    amc_latency_table *table = read_table(root);
    bool ours = table && is_ours(root, made_by);
    cJSON_Delete(root);
    *err = (amc_error){""};
    if (ours) return table;
    if (!table)
        amc_error_set(err, "%s: expected a table of latencies as this program writes it", path);
    amc_latency_table_free(table);
    return NULL;
}

static cJSON *grid_json(const amc_latency_grid *grid) {
    cJSON *json = cJSON_CreateObject();
    cJSON_AddStringToObject(json, "kind", grid->kind);
    cJSON_AddItemToObject(json, "in", cJSON_CreateIntArray(grid->in, grid->n_in));
    cJSON_AddItemToObject(json, "out", cJSON_CreateIntArray(grid->out, grid->n_out));
    cJSON *ns = cJSON_AddArrayToObject(json, "ns");
    for (int i = 0; i < grid->n_in * grid->n_out; i++)
        cJSON_AddItemToArray(ns, cJSON_CreateNumber((double)grid->ns[i]));
    return json;
}

int amc_latency_table_save(const amc_latency_table *table, const char *path, const char *made_by,
                           amc_error *err) {
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "format", FORMAT);
    cJSON_AddStringToObject(root, "made_by", made_by);
    cJSON *list = cJSON_AddArrayToObject(root, "grids");
    for (int i = 0; i < table->n; i++) cJSON_AddItemToArray(list, grid_json(table->grids[i]));
    char *text = cJSON_PrintUnformatted(root);
    cJSON_Delete(root);
    int status = amc_files_write(path, text, strlen(text), err);
    cJSON_free(text);
    return status;
}
