#include "kernels/integers.h"
#include "kernels/panels.h"
#include "kernels/winograd.h"
#include "kernels/winograd_tiles.h"

#include <string.h>

enum {
    OUT = AMC_WINOGRAD_OUT,
    IN = AMC_WINOGRAD_IN,
    FREQUENCIES = AMC_WINOGRAD_FREQUENCIES,
    LANES = AMC_WINOGRAD_LANES, // channels of a vector of inputs, tiles of one of gradients
    TAPS = 9,
    PART_FLOATS = 1 << 17,
    LEAST_TILES = 32, // of a part
    MOST_TILES = 128,
};

// The gradient from some images, a part of their tiles after the other.
typedef struct gradient_job {
    amc_winograd_grid grid; // its y is dy
    int size;               // tiles of a part, a multiple of LANES
    int panels;             // of AMC_PANELS_COLUMNS channels
    amc_winograd_part part;
    float *frame;  // (rows, width, LANES) of eight channels
    float *inputs; // (36, panels, tiles, AMC_PANELS_COLUMNS), with
    size_t in;     // floats from one frequency to the next
    float *deltas; // (36, n, tiles), with
    size_t out;    // floats from one frequency to the next
    float *sums;   // (36, n, panels * AMC_PANELS_COLUMNS), over all parts
} gradient_job;

// ---- transforms ---------------------------------------------------------------------------------

// A d: six from four, in place.
static inline __attribute__((always_inline)) void transform_delta(amc_v8 d[IN]) {
    amc_v8 near = d[0] + 0.5f * d[2], near_odd = AMC_WINOGRAD_NEAR * (d[1] + 0.5f * d[3]);
    amc_v8 far = d[0] + 2 * d[2], far_odd = AMC_WINOGRAD_FAR * (d[1] + 2 * d[3]);
    d[5] = d[3];
    d[1] = near + near_odd;
    d[2] = near - near_odd;
    d[3] = far + far_odd;
    d[4] = far - far_odd;
}

// G^T u: three from six, in place.
static inline __attribute__((always_inline)) void transform_sums(amc_v8 u[IN]) {
    amc_v8 near = u[1] + u[2], near_odd = u[1] - u[2], far = u[3] + u[4], far_odd = u[3] - u[4];
    u[0] = u[0] - near * (2.0f / 3) + far * (1.0f / 6);
    u[1] = far_odd * (AMC_WINOGRAD_FAR / 6) - near_odd * (AMC_WINOGRAD_NEAR * 2.0f / 3);
    u[2] = (far - near) * (1.0f / 3) + u[5];
}

// ---- inputs -------------------------------------------------------------------------------------

// to[i] (LANES) = pixel i of eight channels.
static inline __attribute__((always_inline)) void turn_pixels(const float *const from[LANES],
                                                              size_t at, float *to) {
    amc_v8 a[LANES];
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i++) a[i] = *(const amc_v8 *)(from[i] + at);
    amc_v8_transpose(a, a);
    amc_v8_transpose(a + 4, a + 4);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        *(amc_v8 *)(to + i * LANES) =
            __builtin_shufflevector(a[i], a[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        *(amc_v8 *)(to + (i + 4) * LANES) =
            __builtin_shufflevector(a[i], a[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
}

// A row of the frame from one of the image, of `count` channels, which are `plane` floats apart.
static inline __attribute__((always_inline)) void fill_row(const float *x, size_t plane, int count,
                                                           int width, float *to) {
    const float *from[LANES] = {0};
    for (int i = 0; i < count; i++) from[i] = x + i * plane;
    int at = 0;
    for (; count == LANES && at + LANES <= width; at += LANES)
        turn_pixels(from, at, to + at * LANES);
    for (; at < width; at++)
        for (int i = 0; i < count; i++) to[at * LANES + i] = from[i][at];
}

static inline __attribute__((always_inline)) void fill_frame(const gradient_job *job, int channel) {
    const amc_conv_shape *s = job->grid.s;
    const amc_winograd_part *part = &job->part;
    size_t plane = (size_t)s->h * s->w;
    for (const amc_winograd_band *b = part->bands; b < part->bands + part->n_bands; b++) {
        const float *x = b->x + channel * plane;
        float *to = job->frame + (b->at + s->pad) * LANES;
        for (int r = amc_winograd_first_row(b); r < amc_winograd_end_row(b, s); r++)
            fill_row(x + (size_t)(b->row + r) * s->w, plane, amc_min(LANES, s->c - channel), s->w,
                     to + (size_t)r * part->width * LANES);
    }
}

// One tile, eight channels.
static inline __attribute__((always_inline)) void transform_tile(const float *frame, int width,
                                                                 size_t step, float *to) {
    amc_v8 d[IN][IN];
#pragma GCC unroll 6
    for (int r = 0; r < IN; r++) {
#pragma GCC unroll 6
        for (int c = 0; c < IN; c++)
            d[r][c] = *(const amc_v8 *)(frame + ((size_t)r * width + c) * LANES);
        amc_winograd_transform_input_8(d[r]);
    }
    amc_winograd_put_frequencies_8(d, step, to);
}

// The padding of the frame stays zero, and so do the lanes of channels that there are none of.
AMC_CLONES static void transform_inputs(const gradient_job *job) {
    const amc_winograd_part *part = &job->part;
    size_t frame = (size_t)part->rows * part->width * LANES;
    for (int c = 0; c < job->grid.s->c; c += LANES) {
        if (c == 0 || c + LANES > job->grid.s->c) memset(job->frame, 0, frame * sizeof(float));
        fill_frame(job, c);
        float *to = job->inputs +
                    (size_t)(c / AMC_PANELS_COLUMNS) * part->tiles * AMC_PANELS_COLUMNS +
                    c % AMC_PANELS_COLUMNS;
        for (int i = 0; i < part->tiles; i++)
            transform_tile(job->frame + (size_t)part->list[i].in * LANES, part->width, job->in,
                           to + (size_t)i * AMC_PANELS_COLUMNS);
    }
}

// ---- gradients of outputs -----------------------------------------------------------------------

// d[j] = pixel j of each of eight rows of four.
static inline __attribute__((always_inline)) void load_row(const float *const at[LANES],
                                                           size_t offset, amc_v8 d[OUT]) {
    amc_v8 a[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) a[i] = amc_v8_get(at + i, offset);
    amc_v8_transpose(a, d);
}

// Eight tiles of a filter's dy, from at[i] on in rows that are `width` apart.
static inline __attribute__((always_inline)) void
transform_deltas_at(const float *const at[LANES], int width, size_t step, float *to) {
    amc_v8 d[OUT][IN];
#pragma GCC unroll 4
    for (int r = 0; r < OUT; r++) {
        load_row(at, (size_t)r * width, d[r]);
        transform_delta(d[r]);
    }
#pragma GCC unroll 6
    for (int c = 0; c < IN; c++) {
        amc_v8 column[IN] = {d[0][c], d[1][c], d[2][c], d[3][c]};
        transform_delta(column);
#pragma GCC unroll 6
        for (int r = 0; r < IN; r++, to += step) *(amc_v8 *)to = column[r];
    }
}

// Eight tiles of a filter's dy (LANES, OUT, OUT), zero where there is none.
static void get_pieces(const amc_winograd_tile *tiles, size_t plane, int width, float *to) {
    memset(to, 0, LANES * OUT * OUT * sizeof *to);
    for (int i = 0; i < LANES; i++, to += OUT * OUT)
        for (int r = 0; r < tiles[i].rows; r++)
            memcpy(to + r * OUT, tiles[i].out + plane + (size_t)r * width,
                   tiles[i].columns * sizeof *to);
}

AMC_CLONES static void transform_deltas(const gradient_job *job) {
    const amc_conv_shape *s = job->grid.s;
    float pieces[LANES * OUT * OUT];
    const float *at[LANES];
    for (int f = 0; f < s->n; f++) {
        size_t plane = (size_t)f * s->out_h * s->out_w;
        float *to = job->deltas + (size_t)f * job->part.tiles;
        for (int i = 0; i < job->part.tiles; i += LANES) {
            const amc_winograd_tile *tiles = job->part.list + i;
            bool whole = tiles->eight_whole;
            if (!whole) get_pieces(tiles, plane, s->out_w, pieces);
            for (int j = 0; j < LANES; j++)
                at[j] = whole ? tiles[j].out + plane : pieces + j * OUT * OUT;
            transform_deltas_at(at, whole ? s->out_w : OUT, job->out, to + i);
        }
    }
}

// ---- the sums, back from the frequencies --------------------------------------------------------

AMC_CLONES static void finish_sums(const gradient_job *job, float *dw) {
    const amc_conv_shape *s = job->grid.s;
    size_t row = (size_t)job->panels * AMC_PANELS_COLUMNS, step = s->n * row;
    for (int f = 0; f < s->n; f++)
        for (int c = 0; c < s->c; c += LANES) {
            const float *sums = job->sums + f * row + c;
            amc_v8 u[3][IN];
            for (int q = 0; q < IN; q++) {
                amc_v8 column[IN];
                for (int r = 0; r < IN; r++, sums += step) column[r] = *(const amc_v8 *)sums;
                transform_sums(column);
                for (int r = 0; r < 3; r++) u[r][q] = column[r];
            }
            for (int r = 0; r < 3; r++) {
                transform_sums(u[r]);
                for (int i = 0; i < amc_min(LANES, s->c - c); i++)
                    for (int t = 0; t < 3; t++) dw[i * TAPS + r * 3 + t] = u[r][t][i];
            }
            dw += amc_min(LANES, s->c - c) * TAPS;
        }
}

// ---- parts --------------------------------------------------------------------------------------

static void choose_parts(gradient_job *job) {
    const amc_conv_shape *s = job->grid.s;
    job->panels = amc_ceiling(s->c, AMC_PANELS_COLUMNS);
    int size = PART_FLOATS / (FREQUENCIES * (job->panels * AMC_PANELS_COLUMNS + s->n));
    size = size < LEAST_TILES ? LEAST_TILES : amc_min(size, MOST_TILES);
    job->size = amc_ceiling(amc_min(size, job->grid.tiles), LANES) * LANES;
}

static void give_memory(gradient_job *job) {
    const amc_conv_shape *s = job->grid.s;
    int columns = job->panels * AMC_PANELS_COLUMNS;
    size_t frame = amc_winograd_most_pixels(&job->grid, job->size) * LANES;
    size_t sums = (size_t)FREQUENCIES * s->n * columns;
    job->in = (size_t)job->size * columns + AMC_WINOGRAD_APART;
    job->out = (size_t)job->size * s->n + AMC_WINOGRAD_APART;
    job->sums =
        amc_workspace_get(AMC_WORKSPACE_TASK, sums + FREQUENCIES * (job->in + job->out) + frame);
    job->inputs = job->sums + sums;
    job->deltas = job->inputs + FREQUENCIES * job->in;
    job->frame = job->deltas + FREQUENCIES * job->out;
    memset(job->sums, 0, sums * sizeof(float));
}

void amc_winograd_backward_weights(const amc_conv_shape *s, int batch, const float *x,
                                   const float *dy, float *dw) {
    gradient_job job = {.grid = amc_winograd_grid_make(s, batch, x, (float *)dy)};
    choose_parts(&job);
    give_memory(&job);
    for (int first = 0; first < job.grid.tiles; first += job.size) {
        int tiles = amc_ceiling(amc_min(job.size, job.grid.tiles - first), LANES) * LANES;
        job.part = amc_winograd_part_make(&job.grid, first, tiles);
        transform_inputs(&job);
        transform_deltas(&job);
        for (int q = 0; q < FREQUENCIES; q++)
            amc_panels_add_product(s->n, job.panels, tiles, job.deltas + q * job.out,
                                   job.inputs + q * job.in,
                                   job.sums + (size_t)q * s->n * job.panels * AMC_PANELS_COLUMNS);
    }
    finish_sums(&job, dw);
}
