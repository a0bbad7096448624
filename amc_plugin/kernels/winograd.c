#include "kernels/winograd.h"
#include "kernels/frame.h"
#include "kernels/integers.h"

#include "kernels/panels.h"
#include "kernels/parallel.h"
#include "kernels/simd.h"
#include "kernels/winograd_tiles.h"
#include "kernels/workspace.h"

#include <string.h>

enum {
    OUT = AMC_WINOGRAD_OUT,
    IN = AMC_WINOGRAD_IN,
    FREQUENCIES = AMC_WINOGRAD_FREQUENCIES,
    LANES = AMC_WINOGRAD_LANES, // tiles of a vector
    TASK_FLOATS = 1 << 17,
    LEAST_TILES = 16, // of a task
    MOST_TILES = 96,
    MANY_TILES = 64,
    MANY_KERNELS = 1 << 14,
    LEAST_KERNELS = 512, // to be transformed by one thread
    LEAST_CHANNELS = 7,  // with fewer the transforms cost more than is saved
    SLACK = LANES,       // floats after a frame that are read
};

#define NEAR AMC_WINOGRAD_NEAR
#define FAR AMC_WINOGRAD_FAR

// One convolution of a batch. A task is some tiles and some filters.
typedef struct winograd_job {
    amc_winograd_grid grid;
    const float *w; // (36, n, c), with
    size_t step;    // floats from one frequency to the next
    const amc_finish *finish;
    bool add;
    int size;   // tiles of a full task, a multiple of AMC_PANELS_COLUMNS
    int blocks; // into which the filters are cut
} winograd_job;

// One task, and its memory.
typedef struct winograd_task {
    const winograd_job *job;
    int filter, filters;
    amc_winograd_part part;
    float *frame;  // of one channel
    float *inputs; // (36, panels of tiles, c, AMC_PANELS_COLUMNS), with
    size_t in;     // floats from one frequency to the next
    float *sums;   // (36, filters, tiles), with
    size_t out;    // floats from one frequency to the next
} winograd_task;

// ---- transforms ---------------------------------------------------------------------------------

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

// Floats from one frequency to the next.
static size_t weights_step(const amc_conv_shape *s) {
    return (size_t)s->n * s->c + AMC_WINOGRAD_APART;
}

size_t amc_winograd_weights(const amc_conv_shape *s) {
    return FREQUENCIES * weights_step(s);
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
    int kernels = s->n * s->c;
    int chunk = amc_ceiling(amc_ceiling(kernels, amc_parallel_threads()), LANES) * LANES;
    if (chunk < LEAST_KERNELS) chunk = LEAST_KERNELS;
#pragma omp parallel for if (kernels > chunk && amc_parallel_is_free())
    for (int i = 0; i < kernels; i += chunk)
        transform_some(w, i, amc_min(i + chunk, kernels), weights_step(s), transformed);
}

// ---- before and after the products --------------------------------------------------------------

// The bands of one channel. The padding around them stays zero.
static inline __attribute__((always_inline)) void fill_frame(const winograd_task *t, int channel) {
    const amc_conv_shape *s = t->job->grid.s;
    const amc_winograd_part *part = &t->part;
    size_t next = channel + 1 < s->c ? (size_t)s->h * s->w : 0;
    for (const amc_winograd_band *b = part->bands; b < part->bands + part->n_bands; b++) {
        const float *x = b->x + (size_t)channel * s->h * s->w;
        float *to = t->frame + b->at + s->pad;
        for (int r = amc_winograd_first_row(b); r < amc_winograd_end_row(b, s); r++) {
            const float *row = x + (size_t)(b->row + r) * s->w;
            amc_frame_copy_row(row, s->w, to + (size_t)r * part->width);
            for (int i = 0; i < s->w; i += 16) __builtin_prefetch(row + next + i);
        }
    }
}

// Four tiles that are neighbours.
static inline bool is_run(const amc_winograd_tile *tiles) {
    return tiles[3].in - tiles[0].in == 3 * OUT;
}

// What there is of n tiles (n, OUT, OUT), to or onto y.
static void put_pieces(const float *from, const amc_winograd_tile *tiles, int n, size_t plane,
                       int width, bool add) {
    for (int i = 0; i < n; i++, from += OUT * OUT)
        for (int r = 0; r < tiles[i].rows; r++) {
            float *y = tiles[i].out + plane + (size_t)r * width;
            for (int c = 0; c < tiles[i].columns; c++)
                y[c] = add ? y[c] + from[r * OUT + c] : from[r * OUT + c];
        }
}

#define TILES 8
#define PASS AMC_CLONES
#include "kernels/winograd_passes.h"

#define TILES 16
#define PASS AMC_WIDE
#include "kernels/winograd_passes.h"

// ---- tasks --------------------------------------------------------------------------------------

static void give_memory(winograd_task *t) {
    size_t frame = (size_t)t->part.rows * t->part.width + SLACK;
    t->in = (size_t)t->part.tiles * t->job->grid.s->c + AMC_WINOGRAD_APART;
    t->out = (size_t)t->part.tiles * t->filters + AMC_WINOGRAD_APART;
    t->inputs = amc_workspace_get(AMC_WORKSPACE_TASK, FREQUENCIES * (t->in + t->out) + frame);
    t->sums = t->inputs + FREQUENCIES * t->in;
    t->frame = t->sums + FREQUENCIES * t->out;
    memset(t->frame, 0, frame * sizeof(float));
}

static void run_task(const winograd_job *job, int index) {
    const amc_conv_shape *s = job->grid.s;
    int block = index % job->blocks, first = index / job->blocks * job->size;
    int filters = amc_ceiling(s->n, job->blocks), filter = amc_min(filters * block, s->n);
    int panels = amc_ceiling(amc_min(job->size, job->grid.tiles - first), AMC_PANELS_COLUMNS);
    winograd_task t = {.job = job, .filter = filter, .filters = amc_min(filters, s->n - filter)};
    t.part = amc_winograd_part_make(&job->grid, first, panels * AMC_PANELS_COLUMNS);
    give_memory(&t);
    bool wide = amc_simd_is_wide();
    (wide ? transform_inputs_16 : transform_inputs_8)(&t);
    for (int q = 0; q < FREQUENCIES; q++)
        amc_panels_product(t.filters, panels, s->c, job->w + q * job->step + (size_t)filter * s->c,
                           t.inputs + q * t.in, t.sums + q * t.out);
    (wide ? finish_sums_16 : finish_sums_8)(&t);
}

// What a task holds of tiles should stay in the second cache, but weights that don't fit there are
// to be read for many tiles at a time.
static void choose_tasks(winograd_job *job) {
    const amc_conv_shape *s = job->grid.s;
    int least = s->c * s->n < MANY_KERNELS ? LEAST_TILES : MANY_TILES;
    int size = TASK_FLOATS / (FREQUENCIES * (s->c + s->n));
    size = amc_min(size < least ? least : amc_min(size, MOST_TILES), job->grid.tiles);
    job->size = amc_ceiling(size, AMC_PANELS_COLUMNS) * AMC_PANELS_COLUMNS;
    int tasks = amc_ceiling(job->grid.tiles, job->size);
    job->blocks =
        amc_min(amc_ceiling(s->n, AMC_PANELS_ROWS), amc_ceiling(amc_parallel_threads(), tasks));
}

void amc_winograd_forward(const amc_conv_shape *s, int batch, const float *x,
                          const float *transformed, const amc_finish *finish, bool add, float *y) {
    winograd_job job = {.w = transformed, .step = weights_step(s), .finish = finish, .add = add};
    job.grid = amc_winograd_grid_make(s, batch, x, y);
    choose_tasks(&job);
    int tasks = amc_ceiling(job.grid.tiles, job.size) * job.blocks;
#pragma omp parallel for schedule(dynamic) if (tasks > 1 && amc_parallel_is_free())
    for (int i = 0; i < tasks; i++) run_task(&job, i);
}

bool amc_winograd_fits(const amc_conv_shape *s) {
    return s->size == 3 && s->stride == 1 && s->groups == 1 && s->out_h >= 3 && s->out_w >= 3 &&
           s->c >= LEAST_CHANNELS && s->n >= LEAST_CHANNELS;
}
