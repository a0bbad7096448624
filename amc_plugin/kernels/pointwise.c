#include "kernels/pointwise.h"
#include "kernels/integers.h"

#include "kernels/parallel.h"
#include "kernels/simd.h"
#include "kernels/workspace.h"

enum {
    ROWS = 6,               // filters that are summed at a time
    LANES = 8,              // pixels of a vector
    COLUMNS = 16,           // pixels of a panel: they are summed at a time
    DEPTH = 384,            // channels whose products are summed before the sums are put down
    BLOCK = 16,             // slivers of filters whose weights should stay in the second cache
    PIXELS = 2048,          // of a tile, at most, and
    LEAST_PIXELS = 64,      // at least where tiles are for threads
    NEAR_FLOATS = 6 << 10,  // of the panels that should stay in the first cache
    UNIT_PANELS = 8,        // that are packed at a time, at least
    UNIT_FLOATS = 16 << 10, // and floats of them,
    FEW_WEIGHTS = 48 << 10, // if a piece's weights, so many at most, stay in the second cache,
    MORE_FLOATS = 96 << 10, // and otherwise
};

// One convolution of a batch, whose images' pixels are taken as one row. A tile is some of them; a
// task is a tile and some filters.
typedef struct pointwise_job {
    const amc_conv_shape *s;
    int batch;
    const float *x; // (batch, c, pixels)
    const float *w; // (n, channels), or packed
    bool packed;
    const amc_finish *finish; // of the sums, or NULL
    bool add;                 // to y
    float *y;                 // (batch, n, pixels)
    int pixels;               // of an image
    int channels, filters;    // of a group
    int depth;                // channels of a full piece
    int size;                 // pixels of a full tile
    int tiles;                // of the batch
    int blocks;               // into which the filters of a group are cut
    int unit, near;           // panels that are packed at a time, those that a sliver goes over
} pointwise_job;

// Where channel 0 of a pixel is in x, and in y.
typedef struct pointwise_column {
    size_t x, y;
} pointwise_column;

// Where its first pixel is, and whether the others follow it.
typedef struct pointwise_panel {
    size_t x, y;
    bool row;
} pointwise_panel;

// What a task sums up: a piece of the channels of a group, for some filters at some panels.
typedef struct pointwise_sums {
    const pointwise_job *job;
    const pointwise_column *columns; // of the panels, the last pixel's again after its end
    const pointwise_panel *at;       // (panels)
    int size, panels;                // pixels, and panels for them
    amc_affine *finish;              // (n)
    float *packed;                   // (panels, depth, COLUMNS) pixels
    int channel, depth;              // the piece: depth channels from `channel` on
    int filter;                      // first of the group's
    int sliver, end;                 // of the group's filters
    const float *next;               // first channel of what is packed next, or NULL
    bool add, last;                  // on top of what y holds; then sums are finished
} pointwise_sums;

// ---- weights ------------------------------------------------------------------------------------

// The filters of a group are cut into slivers of nearly equal size: 16 are 5, 5 and 6.
static int count_slivers(int filters) {
    return amc_ceiling(filters, ROWS);
}

// First filter of sliver i.
static int sliver_row(int filters, int i) {
    return (int)((long)filters * i / count_slivers(filters));
}

// The channels of a group are cut into pieces, for the same reason.
static int piece_depth(int channels) {
    return amc_ceiling(channels, amc_ceiling(channels, DEPTH));
}

// Where the weights of a sliver from `filter` on for a piece of `depth` channels from `channel` on
// are. Packed, they lie as they are read: groups, pieces, slivers, channels, filters.
static inline __attribute__((always_inline)) const float *
weights_of(const pointwise_job *job, bool packed, int filter, int channel, int depth) {
    size_t channels = job->channels, filters = job->filters, of_group = channel % channels;
    if (!packed) return job->w + filter * channels + of_group;
    size_t group = channel / channels;
    return job->w + (group * channels + of_group) * filters + (filter - group * filters) * depth;
}

void amc_pointwise_pack(const amc_conv_shape *s, const float *w, float *packed) {
    int channels = s->c / s->groups, filters = s->n / s->groups, depth = piece_depth(channels);
    for (int g = 0; g < s->groups; g++, w += (size_t)filters * channels)
        for (int from = 0; from < channels; from += depth)
            for (int i = 0; i < count_slivers(filters); i++)
                for (int c = from; c < amc_min(from + depth, channels); c++)
                    for (int f = sliver_row(filters, i); f < sliver_row(filters, i + 1); f++)
                        *packed++ = w[(size_t)f * channels + c];
}

// ---- packing ------------------------------------------------------------------------------------

// The columns of pixels from .. from + size of the batch.
static void fill_columns(const pointwise_job *job, int from, int size, pointwise_column *columns) {
    const amc_conv_shape *s = job->s;
    size_t image = from / job->pixels, pixel = from % job->pixels;
    for (int i = 0; i < amc_ceiling(size, COLUMNS) * COLUMNS; i++) {
        columns[i] = (pointwise_column){image * s->c * job->pixels + pixel,
                                        image * s->n * job->pixels + pixel};
        if (i < size - 1 && ++pixel == (size_t)job->pixels) image++, pixel = 0;
    }
}

// Whether n columns are neighbours.
static inline bool is_row(const pointwise_column *c, int n) {
    return c[n - 1].x - c[0].x == (size_t)n - 1 && c[n - 1].y - c[0].y == (size_t)n - 1;
}

// A piece's pixels go into panels.
AMC_CLONES static void pack(const pointwise_sums *t) {
    const float *x = t->job->x + t->channel * (size_t)t->job->pixels;
    for (int p = 0; p < t->depth; p++, x += t->job->pixels) {
        float *to = t->packed + (size_t)p * COLUMNS;
        for (int i = 0; i < t->panels; i++, to += (size_t)t->depth * COLUMNS) {
            const float *from = x + t->at[i].x;
            __builtin_prefetch(from + 2 * (size_t)t->job->pixels);
            if (t->at[i].row) {
                *(amc_v8 *)to = *(const amc_v8 *)from;
                *(amc_v8 *)(to + LANES) = *(const amc_v8 *)(from + LANES);
            } else {
                for (int k = 0; k < COLUMNS; k++) to[k] = x[t->columns[i * COLUMNS + k].x];
            }
        }
    }
}

// ---- sums ---------------------------------------------------------------------------------------

// LANES sums go to y, of pixels that may be of several images or not there at all.
static inline __attribute__((always_inline)) void put_lanes(const pointwise_sums *t, amc_affine a,
                                                            const pointwise_column *c, int count,
                                                            amc_v8 sum, float *y) {
    bool row = count >= LANES && is_row(c, LANES);
    if (t->add && row) sum += *(amc_v8 *)(y + c->y);
    for (int i = 0; i < LANES && t->add && !row; i++) sum[i] += y[c[i].y];
    if (t->last) sum = amc_affine_started_8(a, a.slope == 0, sum);
    if (row) *(amc_v8 *)(y + c->y) = sum;
    for (int i = 0; i < amc_min(count, LANES) && !row; i++) y[c[i].y] = sum[i];
}

AMC_CLONES static void put_edge(const pointwise_sums *t, int rows, int filter, int panel,
                                amc_v8 sums[ROWS][2]) {
    const pointwise_column *c = t->columns + (size_t)panel * COLUMNS;
    int count = t->size - panel * COLUMNS;
    for (int i = 0; i < rows; i++) {
        float *y = t->job->y + (size_t)(filter + i) * t->job->pixels;
        put_lanes(t, t->finish[filter + i], c, count, sums[i][0], y);
        put_lanes(t, t->finish[filter + i], c + LANES, count - LANES, sums[i][1], y);
    }
}

// The sums of a panel of neighbours.
static inline __attribute__((always_inline)) void put(const pointwise_sums *t, int rows, int filter,
                                                      amc_v8 sums[ROWS][2], float *y) {
    size_t pixels = t->job->pixels;
    if (t->add)
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            sums[i][0] += *(amc_v8 *)(y + i * pixels);
            sums[i][1] += *(amc_v8 *)(y + i * pixels + LANES);
        }
    if (t->last)
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) {
            amc_affine a = t->finish[filter + i];
            sums[i][0] = amc_affine_started_8(a, a.slope == 0, sums[i][0]);
            sums[i][1] = amc_affine_started_8(a, a.slope == 0, sums[i][1]);
        }
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) {
        *(amc_v8 *)(y + i * pixels) = sums[i][0];
        *(amc_v8 *)(y + i * pixels + LANES) = sums[i][1];
    }
}

// Fetches from memory where the sums of the next panel go, and this sliver's share of what is
// packed next.
static inline __attribute__((always_inline)) void fetch(const pointwise_sums *t, int rows,
                                                        int filter, int panel) {
    size_t pixels = t->job->pixels;
    const float *y = t->job->y + filter * pixels + t->at[amc_min(panel + 1, t->panels - 1)].y;
#pragma GCC unroll 6
    for (int i = 0; i < rows; i++) __builtin_prefetch(y + i * pixels, 1);
    if (t->next) {
        const float *x = t->next + t->at[panel].x;
        for (int p = (filter - t->filter) / ROWS; p < t->depth; p += t->end - t->sliver)
            __builtin_prefetch(x + p * pixels);
    }
}

// The sums of any panel.
static inline __attribute__((always_inline)) void
put_panel(const pointwise_sums *t, int rows, int filter, int panel, amc_v8 sums[ROWS][2]) {
    if (t->at[panel].row) {
        put(t, rows, filter, sums, t->job->y + (size_t)filter * t->job->pixels + t->at[panel].y);
        return;
    }
    amc_v8 edge[ROWS][2];
    for (int i = 0; i < rows; i++) edge[i][0] = sums[i][0], edge[i][1] = sums[i][1];
    put_edge(t, rows, filter, panel, edge);
}

// name: `rows` filters times two vectors of pixels, which are `apart` in what is packed. With
// `rows` known to the compiler all sums stay in registers.
#define SUM(name, vector)                                                                          \
    static inline __attribute__((always_inline)) void name(                                        \
        int rows, bool packed, const pointwise_sums *t, int filter, int panel, size_t apart,       \
        vector sums[ROWS][2]) {                                                                    \
        const float *w = weights_of(t->job, packed, filter, t->channel, t->depth);                 \
        const float *x = t->packed + (size_t)panel * t->depth * COLUMNS;                           \
        size_t right = packed ? rows : 1, down = packed ? 1 : t->job->channels;                    \
        _Pragma("GCC unroll 6") for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] =           \
            (vector){0} - (t->add ? 0 : t->finish[filter + i].centre);                             \
        for (int p = 0; p < t->depth; p++, w += right, x += COLUMNS) {                             \
            vector first = *(const vector *)x, second = *(const vector *)(x + apart);              \
            _Pragma("GCC unroll 6") for (int i = 0; i < rows; i++) {                               \
                sums[i][0] += w[i * down] * first;                                                 \
                sums[i][1] += w[i * down] * second;                                                \
            }                                                                                      \
        }                                                                                          \
    }
SUM(sum_panel, amc_v8)
SUM(sum_two_panels, amc_v16)

static inline __attribute__((always_inline)) void
multiply(int rows, bool packed, const pointwise_sums *t, int filter, int panel) {
    amc_v8 sums[ROWS][2];
    fetch(t, rows, filter, panel);
    sum_panel(rows, packed, t, filter, panel, LANES, sums);
    put_panel(t, rows, filter, panel, sums);
}

static inline __attribute__((always_inline)) void
multiply_pair(int rows, bool packed, const pointwise_sums *t, int filter, int panel) {
    amc_v16 sums[ROWS][2];
    fetch(t, rows, filter, panel);
    fetch(t, rows, filter, panel + 1);
    sum_two_panels(rows, packed, t, filter, panel, (size_t)t->depth * COLUMNS, sums);
#pragma GCC unroll 2
    for (int k = 0; k < 2; k++) {
        amc_v8 halves[ROWS][2];
#pragma GCC unroll 6
        for (int i = 0; i < rows; i++) amc_v16_split(sums[i][k], halves[i]);
        put_panel(t, rows, filter, panel + k, halves);
    }
}

static inline __attribute__((always_inline)) void
multiply_some(int rows, bool packed, const pointwise_sums *t, int filter, int panel) {
    AMC_KNOWN_ROWS(multiply, rows, packed, t, filter, panel)
}

static inline __attribute__((always_inline)) void
multiply_some_pair(int rows, bool packed, const pointwise_sums *t, int filter,
                   int panel){AMC_KNOWN_ROWS(multiply_pair, rows, packed, t, filter, panel)}

// A sliver, `rows` filters, times panels from .. end.
AMC_CLONES
    static void sum_sliver(int rows, const pointwise_sums *t, int filter, int from, int end) {
    for (int panel = from; panel < end; panel++)
        if (t->job->packed)
            multiply_some(rows, true, t, filter, panel);
        else
            multiply_some(rows, false, t, filter, panel);
}

// The same where vectors are as wide as panels; every sum is the same to the last bit.
AMC_WIDE static void sum_sliver_wide(int rows, const pointwise_sums *t, int filter, int from,
                                     int end) {
    for (; from + 1 < end; from += 2)
        if (t->job->packed)
            multiply_some_pair(rows, true, t, filter, from);
        else
            multiply_some_pair(rows, false, t, filter, from);
    if (from < end) sum_sliver(rows, t, filter, from, end);
}

static void sum_piece(const pointwise_sums *t) {
    const pointwise_job *job = t->job;
    bool wide = amc_simd_is_wide();
    for (int first = t->sliver; first < t->end; first += BLOCK)
        for (int panel = 0; panel < t->panels; panel += job->near)
            for (int i = first; i < amc_min(first + BLOCK, t->end); i++) {
                int row = sliver_row(job->filters, i);
                (wide ? sum_sliver_wide : sum_sliver)(sliver_row(job->filters, i + 1) - row, t,
                                                      t->filter + row, panel,
                                                      amc_min(panel + job->near, t->panels));
            }
}

// ---- tasks --------------------------------------------------------------------------------------

// All pieces of a group's channels at some panels. more: the panels after them come next.
static void sum_unit(pointwise_sums t, int group, bool more) {
    const pointwise_job *job = t.job;
    int first = group * job->channels, end = first + job->channels;
    for (t.channel = first; t.channel < end; t.channel += t.depth) {
        t.depth = amc_min(job->depth, end - t.channel);
        t.add = job->add || t.channel > first;
        t.last = t.channel + t.depth == end && !job->add;
        t.next = NULL;
        if (t.channel + t.depth < end)
            t.next = job->x + (size_t)(t.channel + t.depth) * job->pixels;
        else if (more)
            t.next = job->x + (size_t)first * job->pixels + t.panels * COLUMNS;
        pack(&t);
        sum_piece(&t);
    }
}

// Memory of a task, and what doesn't change while it runs. Returns its number of panels.
static int start(const pointwise_job *job, int tile, pointwise_sums *t) {
    int from = tile * job->size, n = job->s->n;
    t->size = amc_min(job->size, job->batch * job->pixels - from);
    int panels = amc_ceiling(t->size, COLUMNS);
    size_t bytes = panels * (COLUMNS * sizeof(pointwise_column) + sizeof(pointwise_panel));
    pointwise_column *columns =
        amc_workspace_bytes(AMC_WORKSPACE_TABLES, bytes + n * sizeof(amc_affine));
    pointwise_panel *at = (void *)(columns + (size_t)panels * COLUMNS);
    t->columns = columns;
    t->at = at;
    t->finish = (void *)(at + panels);
    t->packed = amc_workspace_get(AMC_WORKSPACE_TASK, (size_t)job->unit * job->depth * COLUMNS);
    fill_columns(job, from, t->size, columns);
    for (int i = 0; i < panels; i++, columns += COLUMNS) {
        bool whole = (i + 1) * COLUMNS <= t->size; // or the last column stands for those left
        at[i] = (pointwise_panel){columns->x, columns->y, whole && is_row(columns, COLUMNS)};
    }
    for (int i = 0; i < n; i++) t->finish[i] = amc_finish_of(job->finish, i);
    return panels;
}

static void run_task(const pointwise_job *job, int index) {
    const amc_conv_shape *s = job->s;
    int block = index % job->blocks, slivers = count_slivers(job->filters);
    pointwise_sums tile = {.job = job};
    int panels = start(job, index / job->blocks, &tile);
    for (int g = 0; g < s->groups; g++) {
        pointwise_sums t = tile;
        t.filter = g * job->filters;
        t.sliver = slivers * block / job->blocks;
        t.end = slivers * (block + 1) / job->blocks;
        for (int panel = 0; panel < panels; panel += job->unit) {
            t.columns = tile.columns + (size_t)panel * COLUMNS;
            t.at = tile.at + panel;
            t.size = tile.size - panel * COLUMNS;
            t.panels = amc_min(job->unit, panels - panel);
            sum_unit(t, g, panel + 2 * job->unit <= panels);
        }
    }
}

// Where a piece's weights are too many for the second cache, more panels share what is read of them
// from further away.
static void choose_sizes(pointwise_job *job) {
    int all = job->batch * job->pixels;
    job->depth = piece_depth(job->channels);
    int panel = job->depth * COLUMNS; // floats
    bool few = job->depth * job->filters <= FEW_WEIGHTS;
    int least = amc_simd_is_wide() ? 2 : 1; // are taken at a time
    job->near = amc_max(NEAR_FLOATS / panel / least, 1) * least;
    job->unit = amc_max((few ? UNIT_FLOATS : MORE_FLOATS) / panel, UNIT_PANELS);
    int tiles =
        amc_max(amc_ceiling(all, PIXELS), amc_min(amc_parallel_threads(), all / LEAST_PIXELS));
    job->size = amc_ceiling(amc_ceiling(all, tiles), COLUMNS) * COLUMNS;
    job->tiles = amc_ceiling(all, job->size);
    // Too few pixels for the threads, a small image say: then filters are shared out as well.
    job->blocks =
        amc_min(amc_ceiling(amc_parallel_threads(), job->tiles), count_slivers(job->filters));
}

void amc_pointwise_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                           bool packed, const amc_finish *finish, bool add, float *y) {
    pointwise_job job = {
        .s = s, .batch = batch, .x = x, .w = w, .finish = finish, .add = add, .y = y};
    job.packed = packed;
    job.pixels = s->out_h * s->out_w;
    job.channels = s->c / s->groups;
    job.filters = s->n / s->groups;
    choose_sizes(&job);
    int tasks = job.tiles * job.blocks;
#pragma omp parallel for schedule(dynamic) if (tasks > 1 && amc_parallel_is_free())
    for (int i = 0; i < tasks; i++) run_task(&job, i);
}
