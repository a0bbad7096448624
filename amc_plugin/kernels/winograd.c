#include "kernels/winograd.h"

#include "kernels/panels.h"
#include "kernels/parallel.h"
#include "kernels/workspace.h"

#include <stdlib.h>
#include <string.h>

enum {
    OUT = 4,      // a tile's output is OUT x OUT pixels
    IN = OUT + 2, // and sees IN x IN
    FREQUENCIES = IN * IN,
    LANES = 8, // tiles of a vector
    TASK_FLOATS = 1 << 17,
    LEAST_TILES = 16, // of a task
    MOST_TILES = 96,
    MANY_TILES = 64,
    MANY_KERNELS = 1 << 14,
    SLACK = LANES, // floats after a frame that are read
    APART = 16,    // floats between frequencies, which must not all fall on one line of the cache
};

typedef float v4 __attribute__((vector_size(16), aligned(4), may_alias));

static int min(int a, int b) {
    return a < b ? a : b;
}

static int ceiling(int a, int b) {
    return (a + b - 1) / b;
}

// One convolution of a batch. A task is some tiles, in the order of images, rows and columns, and
// some filters.
typedef struct winograd_job {
    const amc_conv_shape *s;
    const float *x; // (batch, c, h, w)
    const float *w; // (36, n, c)
    const amc_finish *finish;
    bool add;
    float *y;         // (batch, n, out_h, out_w)
    int across, down; // tiles of an image
    int tiles;        // of the batch
    int size;         // tiles of a full task, a multiple of AMC_PANELS_COLUMNS
    int blocks;       // into which the filters are cut
} winograd_job;

// The tile rows of one image that a task has: they see `rows` rows of it.
typedef struct winograd_band {
    const float *x; // the image's
    int row, rows;  // first one seen, in the image; may be outside
    int at;         // in the frame
} winograd_band;

// Where one tile is.
typedef struct winograd_tile {
    int in;            // in the frame
    float *out;        // in y, of filter 0
    int rows, columns; // of its output that there are
} winograd_tile;

// One task, and its memory.
typedef struct winograd_task {
    const winograd_job *job;
    int filter, filters;
    int tiles;   // a multiple of AMC_PANELS_COLUMNS; those beyond the batch have no rows
    int n_bands; // at most one an image
    int width;   // of the frame's rows
    winograd_band *bands;
    winograd_tile *list;
    float *frame;  // one channel of the bands, padded
    float *inputs; // (36, panels, c, AMC_PANELS_COLUMNS), with
    size_t in;     // floats from one frequency to the next
    float *sums;   // (36, filters, tiles), with
    size_t out;    // floats from one frequency to the next
} winograd_task;

// ---- transforms ---------------------------------------------------------------------------------

// The points are 0, infinity, +-NEAR and +-FAR. With 1 and 2 instead, which is usual, rounding
// errors are almost three times as large.
#define NEAR 0.70710678f // NEAR^2 = 1/2
#define FAR 1.41421356f  // FAR^2 = 2

// B^T d, in place.
static inline __attribute__((always_inline)) void transform_input(amc_v8 d[IN]) {
    amc_v8 near = d[4] - 2 * d[2], near_odd = d[3] - 2 * d[1], far = d[4] - 0.5f * d[2],
           far_odd = d[3] - 0.5f * d[1];
    d[0] = d[0] - 2.5f * d[2] + d[4];
    d[5] = d[1] - 2.5f * d[3] + d[5];
    d[1] = near + NEAR * near_odd;
    d[2] = near - NEAR * near_odd;
    d[3] = far + FAR * far_odd;
    d[4] = far - FAR * far_odd;
}

// A^T m: four from six, in place.
static inline __attribute__((always_inline)) void transform_output(amc_v8 m[IN]) {
    amc_v8 near = m[1] + m[2], far = m[3] + m[4];
    amc_v8 near_odd = NEAR * (m[1] - m[2]), far_odd = FAR * (m[3] - m[4]);
    m[0] = m[0] + near + far;
    m[1] = near_odd + far_odd;
    m[2] = 0.5f * near + 2 * far;
    m[3] = 0.5f * near_odd + 2 * far_odd + m[5];
}

// G g: six from three, in place.
static inline __attribute__((always_inline)) void transform_kernel(amc_v8 g[IN]) {
    amc_v8 near = (g[0] + 0.5f * g[2]) * (-2.0f / 3), near_odd = g[1] * (NEAR * -2.0f / 3);
    amc_v8 far = (g[0] + 2 * g[2]) * (1.0f / 6), far_odd = g[1] * (FAR / 6);
    g[5] = g[2];
    g[1] = near + near_odd;
    g[2] = near - near_odd;
    g[3] = far + far_odd;
    g[4] = far - far_odd;
}

// ---- weights ------------------------------------------------------------------------------------

size_t amc_winograd_weights(const amc_conv_shape *s) {
    return (size_t)FREQUENCIES * s->n * s->c;
}

// Eight kernels, or the `count` that there are, which lie side by side.
static inline __attribute__((always_inline)) void transform_kernels(const float *w, int count,
                                                                    size_t step, float *to) {
    amc_v8 g[IN][IN] = {0};
    for (int t = 0; t < 9; t++)
        for (int i = 0; i < count; i++) g[t / 3][t % 3][i] = w[i * 9 + t];
    for (int r = 0; r < 3; r++) transform_kernel(g[r]);
    for (int c = 0; c < IN; c++) {
        amc_v8 column[IN] = {g[0][c], g[1][c], g[2][c]};
        transform_kernel(column);
        for (int r = 0; r < IN; r++, to += step)
            if (count == LANES)
                *(amc_v8 *)to = column[r];
            else
                for (int i = 0; i < count; i++) to[i] = column[r][i];
    }
}

AMC_CLONES static void transform_some(const float *w, int from, int end, size_t step, float *to) {
    for (; from + LANES <= end; from += LANES)
        transform_kernels(w + from * 9, LANES, step, to + from);
    if (from < end) transform_kernels(w + from * 9, end - from, step, to + from);
}

void amc_winograd_transform(const amc_conv_shape *s, const float *w, float *transformed) {
    int kernels = s->n * s->c, chunk = 1024;
#pragma omp parallel for if (kernels > chunk && amc_parallel_is_free())
    for (int i = 0; i < kernels; i += chunk)
        transform_some(w, i, min(i + chunk, kernels), kernels, transformed);
}

// ---- a task's tiles -----------------------------------------------------------------------------

static int rows_seen(const winograd_task *t) {
    const winograd_job *job = t->job;
    int whole = ceiling(job->size, job->across) + 1; // tile rows, of a single image
    int images = ceiling(job->size, job->across * job->down) + 1;
    return min(whole, job->down * images) * OUT + images * (IN - OUT);
}

static void give_memory(winograd_task *t) {
    const winograd_job *job = t->job;
    int images = ceiling(job->size, job->across * job->down) + 1;
    size_t frame = (size_t)rows_seen(t) * t->width + SLACK;
    t->in = (size_t)t->tiles * job->s->c + APART;
    t->out = (size_t)t->tiles * t->filters + APART;
    t->inputs = amc_workspace_get(AMC_WORKSPACE_TASK, FREQUENCIES * (t->in + t->out) + frame);
    t->sums = t->inputs + FREQUENCIES * t->in;
    t->frame = t->sums + FREQUENCIES * t->out;
    memset(t->frame, 0, frame * sizeof(float));
    t->list = amc_workspace_bytes(AMC_WORKSPACE_TABLES,
                                  t->tiles * sizeof *t->list + images * sizeof *t->bands);
    t->bands = (winograd_band *)(void *)(t->list + t->tiles);
}

// Tiles from `first` on: their places in a frame that has one band an image.
static void place_tiles(winograd_task *t, int first) {
    const winograd_job *job = t->job;
    const amc_conv_shape *s = job->s;
    int end = min(first + t->tiles, job->tiles), at = 0;
    winograd_band *band = NULL;
    t->n_bands = 0;
    for (int i = first; i < end; i++) {
        int image = i / (job->across * job->down), row = i / job->across % job->down,
            column = i % job->across;
        if (!band || (row == 0 && column == 0)) {
            if (band) at += band->rows * t->width;
            band = &t->bands[t->n_bands++];
            *band = (winograd_band){job->x + amc_conv_shape_inputs(s) * image, row * OUT - s->pad,
                                    0, at};
        }
        int below = row * OUT - s->pad - band->row;
        band->rows = below + IN;
        t->list[i - first] = (winograd_tile){.in = band->at + below * t->width + column * OUT,
                                             .out = job->y + amc_conv_shape_outputs(s) * image +
                                                    row * OUT * s->out_w + column * OUT,
                                             .rows = min(OUT, s->out_h - row * OUT),
                                             .columns = min(OUT, s->out_w - column * OUT)};
    }
    for (int i = end; i < first + t->tiles; i++) t->list[i - first] = (winograd_tile){0};
}

// ---- to the frequencies -------------------------------------------------------------------------

static inline __attribute__((always_inline)) void copy_row(const float *from, int n, float *to) {
    int i = 0;
    for (; i + LANES <= n; i += LANES) *(amc_v8 *)(to + i) = *(const amc_v8 *)(from + i);
    for (; i < n; i++) to[i] = from[i];
}

// The bands of one channel. The padding around them stays zero.
static inline __attribute__((always_inline)) void fill_frame(const winograd_task *t, int channel) {
    const amc_conv_shape *s = t->job->s;
    for (const winograd_band *b = t->bands; b < t->bands + t->n_bands; b++) {
        const float *x = b->x + (size_t)channel * s->h * s->w;
        float *to = t->frame + b->at + s->pad;
        int from = b->row < 0 ? -b->row : 0, end = min(b->rows, s->h - b->row);
        for (int r = from; r < end; r++)
            copy_row(x + (size_t)(b->row + r) * s->w, s->w, to + (size_t)r * t->width);
    }
}

static inline __attribute__((always_inline)) amc_v8 pair(const float *low, const float *high) {
    return __builtin_shufflevector(*(const v4 *)low, *(const v4 *)high, 0, 1, 2, 3, 4, 5, 6, 7);
}

// d[j] = pixel j of each of eight rows of six.
static inline __attribute__((always_inline)) void load_row(const float *const at[LANES], int offset,
                                                           amc_v8 d[IN]) {
    amc_v8 a[4], b[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        a[i] = pair(at[i] + offset, at[i + 4] + offset);
        b[i] = pair(at[i] + offset + 4, at[i + 4] + offset + 4);
    }
    amc_v8 low = __builtin_shufflevector(a[0], a[1], 0, 8, 1, 9, 4, 12, 5, 13),
           high = __builtin_shufflevector(a[2], a[3], 0, 8, 1, 9, 4, 12, 5, 13);
    d[0] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
    d[1] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
    low = __builtin_shufflevector(a[0], a[1], 2, 10, 3, 11, 6, 14, 7, 15);
    high = __builtin_shufflevector(a[2], a[3], 2, 10, 3, 11, 6, 14, 7, 15);
    d[2] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
    d[3] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
    low = __builtin_shufflevector(b[0], b[1], 0, 8, 1, 9, 4, 12, 5, 13);
    high = __builtin_shufflevector(b[2], b[3], 0, 8, 1, 9, 4, 12, 5, 13);
    d[4] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
    d[5] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
}

// Eight tiles of the frame's channel, from at[i] on, to `to` + frequency * step.
static inline __attribute__((always_inline)) void
transform_tiles(const float *const at[LANES], int width, size_t step, float *to) {
    amc_v8 d[IN][IN];
#pragma GCC unroll 6
    for (int r = 0; r < IN; r++) {
        load_row(at, r * width, d[r]);
        transform_input(d[r]);
    }
#pragma GCC unroll 6
    for (int c = 0; c < IN; c++) {
        amc_v8 column[IN] = {d[0][c], d[1][c], d[2][c], d[3][c], d[4][c], d[5][c]};
        transform_input(column);
#pragma GCC unroll 6
        for (int r = 0; r < IN; r++, to += step) *(amc_v8 *)to = column[r];
    }
}

// Four tiles that are neighbours.
static inline bool is_run(const winograd_tile *tiles) {
    return tiles[3].in - tiles[0].in == 3 * OUT;
}

AMC_CLONES static void transform_inputs(const winograd_task *t) {
    int channels = t->job->s->c;
    for (int c = 0; c < channels; c++) {
        fill_frame(t, c);
        for (int i = 0; i < t->tiles; i += LANES) {
            size_t panel = i / AMC_PANELS_COLUMNS * channels + c;
            float *to = t->inputs + panel * AMC_PANELS_COLUMNS + i % AMC_PANELS_COLUMNS;
            const winograd_tile *tiles = t->list + i;
            if (is_run(tiles) && is_run(tiles + 4)) {
                const float *a = t->frame + tiles[0].in, *b = t->frame + tiles[4].in;
                const float *at[] = {a, a + 4, a + 8, a + 12, b, b + 4, b + 8, b + 12};
                transform_tiles(at, t->width, t->in, to);
            } else {
                const float *at[LANES];
                for (int j = 0; j < LANES; j++) at[j] = t->frame + tiles[j].in;
                transform_tiles(at, t->width, t->in, to);
            }
        }
    }
}

// ---- and back -----------------------------------------------------------------------------------

// One row of the output of eight tiles, whose pixels j are y[j].
static inline __attribute__((always_inline)) void store_row(const amc_v8 y[OUT], size_t offset,
                                                            float *const to[LANES]) {
    amc_v8 low = __builtin_shufflevector(y[0], y[1], 0, 8, 1, 9, 4, 12, 5, 13),
           high = __builtin_shufflevector(y[2], y[3], 0, 8, 1, 9, 4, 12, 5, 13), out[4];
    out[0] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
    out[1] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
    low = __builtin_shufflevector(y[0], y[1], 2, 10, 3, 11, 6, 14, 7, 15);
    high = __builtin_shufflevector(y[2], y[3], 2, 10, 3, 11, 6, 14, 7, 15);
    out[2] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
    out[3] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        *(v4 *)(to[i] + offset) = __builtin_shufflevector(out[i], out[i], 0, 1, 2, 3);
        *(v4 *)(to[i + 4] + offset) = __builtin_shufflevector(out[i], out[i], 4, 5, 6, 7);
    }
}

// Eight tiles of a filter's sums; rows of a tile's output are `width` apart.
static inline __attribute__((always_inline)) void
finish_tiles(const float *sums, size_t step, amc_affine affine, int width, float *const to[LANES]) {
    amc_v8 m[OUT][IN];
#pragma GCC unroll 6
    for (int c = 0; c < IN; c++) {
        amc_v8 column[IN];
#pragma GCC unroll 6
        for (int r = 0; r < IN; r++, sums += step) column[r] = *(const amc_v8 *)sums;
        transform_output(column);
#pragma GCC unroll 4
        for (int r = 0; r < OUT; r++) m[r][c] = column[r];
    }
#pragma GCC unroll 4
    for (int r = 0; r < OUT; r++) {
        transform_output(m[r]);
#pragma GCC unroll 4
        for (int c = 0; c < OUT; c++) m[r][c] = amc_affine_vector(affine, m[r][c]);
        store_row(m[r], (size_t)r * width, to);
    }
}

static bool are_whole(const winograd_tile *tiles) {
    bool whole = true;
    for (int i = 0; i < LANES; i++) whole &= tiles[i].rows == OUT && tiles[i].columns == OUT;
    return whole;
}

// What there is of eight tiles (LANES, OUT, OUT), to or onto y.
static void put_pieces(const float *from, const winograd_tile *tiles, size_t plane, int width,
                       bool add) {
    for (int i = 0; i < LANES; i++, from += OUT * OUT)
        for (int r = 0; r < tiles[i].rows; r++) {
            float *y = tiles[i].out + plane + (size_t)r * width;
            for (int c = 0; c < tiles[i].columns; c++)
                y[c] = add ? y[c] + from[r * OUT + c] : from[r * OUT + c];
        }
}

AMC_CLONES static void finish_sums(const winograd_task *t) {
    const amc_conv_shape *s = t->job->s;
    float pieces[LANES * OUT * OUT], *to[LANES];
    for (int f = 0; f < t->filters; f++) {
        amc_affine affine = amc_finish_of(t->job->finish, t->filter + f);
        size_t plane = (size_t)(t->filter + f) * s->out_h * s->out_w;
        for (int i = 0; i < t->tiles; i += LANES) {
            const winograd_tile *tiles = t->list + i;
            bool whole = !t->job->add && are_whole(tiles);
            for (int j = 0; j < LANES; j++)
                to[j] = whole ? tiles[j].out + plane : pieces + j * OUT * OUT;
            finish_tiles(t->sums + (size_t)f * t->tiles + i, t->out, affine, whole ? s->out_w : OUT,
                         to);
            if (!whole) put_pieces(pieces, tiles, plane, s->out_w, t->job->add);
        }
    }
}

// ---- tasks --------------------------------------------------------------------------------------

static void run_task(const winograd_job *job, int index) {
    const amc_conv_shape *s = job->s;
    int block = index % job->blocks, first = index / job->blocks * job->size;
    int filters = ceiling(s->n, job->blocks), filter = min(filters * block, s->n);
    winograd_task t = {.job = job, .filter = filter, .filters = min(filters, s->n - filter)};
    t.tiles = min(job->size, ceiling(job->tiles - first, AMC_PANELS_COLUMNS) * AMC_PANELS_COLUMNS);
    t.width = (job->across + 1) * OUT;
    give_memory(&t);
    place_tiles(&t, first);
    transform_inputs(&t);
    for (int q = 0; q < FREQUENCIES; q++)
        amc_panels_product(t.filters, t.tiles / AMC_PANELS_COLUMNS, s->c,
                           job->w + ((size_t)q * s->n + t.filter) * s->c, t.inputs + q * t.in,
                           t.sums + q * t.out);
    finish_sums(&t);
}

// What a task holds of tiles should stay in the second cache, but weights that don't fit there are
// to be read for many tiles at a time.
static void choose_tasks(winograd_job *job) {
    const amc_conv_shape *s = job->s;
    int least = s->c * s->n < MANY_KERNELS ? LEAST_TILES : MANY_TILES;
    int size = TASK_FLOATS / (FREQUENCIES * (s->c + s->n));
    size = min(size < least ? least : min(size, MOST_TILES), job->tiles);
    job->size = ceiling(size, AMC_PANELS_COLUMNS) * AMC_PANELS_COLUMNS;
    int tasks = ceiling(job->tiles, job->size);
    job->blocks = min(ceiling(s->n, AMC_PANELS_ROWS), ceiling(amc_parallel_threads(), tasks));
}

void amc_winograd_forward(const amc_conv_shape *s, int batch, const float *x,
                          const float *transformed, const amc_finish *finish, bool add, float *y) {
    winograd_job job = {.s = s, .x = x, .w = transformed, .finish = finish, .add = add, .y = y};
    job.across = ceiling(s->out_w, OUT);
    job.down = ceiling(s->out_h, OUT);
    job.tiles = batch * job.across * job.down;
    choose_tasks(&job);
    int tasks = ceiling(job.tiles, job.size) * job.blocks;
#pragma omp parallel for schedule(dynamic) if (tasks > 1 && amc_parallel_is_free())
    for (int i = 0; i < tasks; i++) run_task(&job, i);
}

bool amc_winograd_fits(const amc_conv_shape *s) {
    if (s->size != 3 || s->stride != 1 || s->groups != 1 || s->out_h < 3 || s->out_w < 3)
        return false;
    // Per vector of tiles: cycles saved in products, and spent in the transforms.
    return 54L * s->c * s->n > 100L * s->c + 70L * s->n;
}
