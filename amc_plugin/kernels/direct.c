#include "kernels/direct.h"
#include "kernels/integers.h"

#include "kernels/frame.h"
#include "kernels/parallel.h"
#include "kernels/simd.h"
#include "kernels/workspace.h"

enum {
    ROWS = 6,               // filters that are summed at a time, each at two vectors of pixels
    LEAST_LANES = 8,        // pixels of the vectors that every processor has
    MOST_LANES = 16,        // and of wide ones, where rows fill them
    PIECE = 384,            // taps whose products are summed before the sums are put down
    AHEAD = 64,             // pixels from what is put down to what is fetched from memory
    FRAME_FLOATS = 1 << 15, // a tile's frame should stay in the second cache
};

// One convolution of a batch. A tile is some output rows of one image; a task is a tile and some
// filters.
typedef struct direct_job {
    const amc_conv_shape *s;
    int batch;
    const float *x;           // (batch, c, h, w)
    const float *w;           // (n, taps)
    const amc_finish *finish; // of the sums, or NULL
    bool add;                 // to y
    float *y;                 // (batch, n, out_h, out_w)
    int taps;                 // of a filter
    int channels, filters;    // of a group
    int rows;                 // of a full tile
    int tiles;                // of an image
    int lanes;                // pixels of a vector
    int blocks;               // into which the filters of a group are cut
} direct_job;

// Rows of the output that a tile covers, and the frame's floats for a channel.
typedef struct direct_tile {
    int row, rows;
    int plane;
} direct_tile;

// Pixels of an output row, a lane each. The last vector of a row ends where the row does; where
// sums come in parts, the lanes that the one before had already are left out.
typedef struct direct_vector {
    int x;    // in the frame, of tap 0 of channel 0
    int y;    // in the output's plane
    int skip; // lanes that are left out
} direct_vector;

// What a task sums up: some filters of a group at all vectors of a tile.
typedef struct direct_sums {
    const direct_job *job;
    const float *frame;           // of the group's channels
    const int *offsets;           // (taps) from a vector's x to what the tap reads
    const direct_vector *vectors; // (n), an even number of them
    int n;
    float *y;        // of the image
    int from, depth; // the piece: taps from .. from + depth
} direct_sums;

// ---- where things are ---------------------------------------------------------------------------

static direct_tile tile_of(const direct_job *job, int index) {
    direct_tile t = {.row = index * job->rows};
    t.rows = amc_min(job->rows, job->s->out_h - t.row);
    t.plane = amc_frame_plane(job->s, t.rows);
    return t;
}

static void fill_offsets(const direct_job *job, direct_tile t, int *offsets) {
    const amc_conv_shape *s = job->s;
    for (int c = 0; c < job->channels; c++)
        for (int ky = 0; ky < s->size; ky++)
            for (int kx = 0; kx < s->size; kx++)
                *offsets++ = c * t.plane + amc_frame_tap(s, ky, kx);
}

// The vectors of a row of `width` pixels, which starts at x in the frame and y in the output's
// plane. Returns the one after the last.
static direct_vector *add_row(int x, int y, int width, int lanes, direct_vector *v) {
    for (int i = 0; i < width; i += lanes) {
        int at = amc_min(i, width - lanes);
        *v++ = (direct_vector){x + at, y + at, i - at};
    }
    return v;
}

// Returns how many vectors there are, an even number.
static int fill_vectors(const direct_job *job, direct_tile t, direct_vector *vectors) {
    const amc_conv_shape *s = job->s;
    direct_vector *end = vectors;
    for (int r = 0; r < t.rows; r++)
        end = add_row(r * amc_frame_down(s), (t.row + r) * s->out_w, s->out_w, job->lanes, end);
    if ((end - vectors) % 2) {
        *end = end[-1];
        end++->skip = job->lanes;
    }
    return (int)(end - vectors);
}

// ---- sums ---------------------------------------------------------------------------------------

#define LANES 8
#define SUMS AMC_CLONES
#include "kernels/direct_sums.h"

#define LANES 16
#define SUMS AMC_WIDE
#include "kernels/direct_sums.h"

// Filters in blocks of nearly equal size: 16 are 6, 5 and 5. A block's weights stay in the first
// cache while it goes over the tile.
static void sum_filters(direct_sums *t, int filter, int end) {
    const direct_job *job = t->job;
    int taps = job->s->size * job->s->size;
    int piece = amc_ceiling(job->channels, amc_ceiling(job->taps, PIECE)) * taps;
    for (t->from = 0; t->from < job->taps; t->from += piece) {
        t->depth = amc_min(piece, job->taps - t->from);
        bool last = t->from + t->depth == job->taps;
        for (int f = filter, rows; f < end; f += rows) {
            rows = amc_ceiling(end - f, amc_ceiling(end - f, ROWS));
            (job->lanes == MOST_LANES ? multiply_16 : multiply_8)(
                rows, t, f, job->add || t->from > 0, last && !job->add);
        }
    }
}

// ---- tasks --------------------------------------------------------------------------------------

// One task's memory.
typedef struct direct_memory {
    float *frame, *line;
    int *offsets;
    direct_vector *vectors;
} direct_memory;

static direct_memory give_memory(const direct_job *job, direct_tile t) {
    const amc_conv_shape *s = job->s;
    size_t frame = (size_t)t.plane * job->channels + AMC_FRAME_SLACK;
    size_t vectors = (size_t)t.rows * amc_ceiling(s->out_w, job->lanes);
    direct_memory m = {.frame = amc_workspace_get(AMC_WORKSPACE_TASK, frame + amc_frame_line(s))};
    m.line = m.frame + frame;
    m.vectors = amc_workspace_bytes(AMC_WORKSPACE_TABLES,
                                    (vectors + 1) * sizeof *m.vectors + job->taps * sizeof(int));
    m.offsets = (int *)(void *)(m.vectors + vectors + 1);
    return m;
}

static void run_task(const direct_job *job, int index) {
    const amc_conv_shape *s = job->s;
    int block = index % job->blocks, image = index / job->blocks / job->tiles;
    int filters = amc_ceiling(job->filters, job->blocks);
    direct_tile tile = tile_of(job, index / job->blocks % job->tiles);
    direct_memory memory = give_memory(job, tile);
    fill_offsets(job, tile, memory.offsets);
    direct_sums sums = {.job = job,
                        .frame = memory.frame,
                        .offsets = memory.offsets,
                        .vectors = memory.vectors,
                        .n = fill_vectors(job, tile, memory.vectors),
                        .y = job->y + amc_conv_shape_outputs(s) * image};
    for (int g = 0; g < s->groups; g++) {
        const float *x =
            job->x + amc_conv_shape_inputs(s) * image + (size_t)g * job->channels * s->h * s->w;
        int first = g * job->filters;
        amc_frame_fill(s, job->channels, x, tile.row, tile.rows, memory.line, memory.frame);
        sum_filters(&sums, first + amc_min(filters * block, job->filters),
                    first + amc_min(filters * (block + 1), job->filters));
    }
}

static void choose_tiles(direct_job *job) {
    const amc_conv_shape *s = job->s;
    size_t most = FRAME_FLOATS / ((size_t)amc_frame_down(s) * job->channels);
    int rows = most < 1 ? 1 : most > (size_t)s->out_h ? s->out_h : (int)most;
    job->rows = amc_ceiling(s->out_h, amc_ceiling(s->out_h, rows));
    job->tiles = amc_ceiling(s->out_h, job->rows);
    // Too few tiles for the threads, a single image say: then filters are shared out as well.
    int wanted = amc_ceiling(amc_parallel_threads(), job->tiles * job->batch);
    job->blocks = amc_min(wanted, amc_ceiling(job->filters, ROWS));
}

void amc_direct_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                        const amc_finish *finish, bool add, float *y) {
    direct_job job = {.s = s, .batch = batch, .x = x, .w = w, .finish = finish, .add = add, .y = y};
    job.channels = s->c / s->groups;
    job.filters = s->n / s->groups;
    job.taps = job.channels * s->size * s->size;
    job.lanes = amc_simd_is_wide() && s->out_w >= MOST_LANES ? MOST_LANES : LEAST_LANES;
    choose_tiles(&job);
    int tasks = batch * job.tiles * job.blocks;
#pragma omp parallel for schedule(dynamic) if (tasks > 1 && amc_parallel_is_free())
    for (int i = 0; i < tasks; i++) run_task(&job, i);
}

bool amc_direct_fits(const amc_conv_shape *s) {
    if (s->out_w < LEAST_LANES) return false;
    double full = (double)s->out_w / (amc_ceiling(s->out_w, LEAST_LANES) * LEAST_LANES);
    return full > 1 - 8.0 / (s->n / s->groups);
}
