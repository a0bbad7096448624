#include "kernels/conv.h"
#include "kernels/integers.h"

#include "kernels/depthwise.h"
#include "kernels/direct.h"
#include "kernels/gemm.h"
#include "kernels/panels.h"
#include "kernels/parallel.h"
#include "kernels/patches.h"
#include "kernels/pointwise.h"
#include "kernels/simd.h"
#include "kernels/winograd.h"
#include "kernels/workspace.h"

#include <stdbool.h>
#include <string.h>

enum {
    TILE_FLOATS = 1 << 17, // a tile's patches and sums should stay in the second cache
    TILE_COLUMNS = 512,    // at most so many output pixels in a tile
    TILE_IMAGES = 16,      // at most so many images in a tile
};

static int filters_of(const amc_conv_shape *s) {
    return s->n / s->groups;
}

static int taps_of(const amc_conv_shape *s) {
    return s->c / s->groups * s->size * s->size;
}

static int pixels_of(const amc_conv_shape *s) {
    return s->out_h * s->out_w;
}

// ---- tiles: a few small images, or a few rows of a large one ------------------------------------

// One convolution of a batch. A tile and some of the panels of filters make a task for a thread; no
// sum depends on how the work is cut.
typedef struct conv_job {
    const amc_conv_shape *s;
    int batch;
    const float *x;           // (batch, c, h, w)
    const float *w;           // the weights
    const amc_finish *finish; // of the sums, or NULL
    bool add;                 // sums are added to y rather than written
    float *y;                 // (batch, n, out_h, out_w)
    int images, rows;         // in a full tile; all rows if there is more than one image
    int blocks;               // into which the panels of filters are cut
} conv_job;

// What one task covers.
typedef struct conv_task {
    int image, images;      // of the batch
    int row, rows;          // of the output
    int filter, end_filter; // of each group
    float *frame;           // (images, channels of a group, rows seen)
    float *line;            // (columns)
    float *patches;         // panels of columns
    float *sums;            // (filters, stride)
    int panels;             // of columns
    size_t stride;          // columns in them
} conv_task;

// Images for a tile: as many as fit, preferring numbers that leave the last panel of columns full.
static int tile_images(int batch, int pixels, int columns) {
    int best = 1;
    double best_use = 0;
    for (int images = 1; images <= amc_min(amc_min(batch, TILE_IMAGES), columns / pixels);
         images++) {
        double use =
            (double)images * pixels / (amc_panels_for(images * pixels) * AMC_PANELS_COLUMNS);
        if (use >= best_use) {
            best = images;
            best_use = use;
        }
    }
    return best;
}

static void choose_tiles(conv_job *job) {
    const amc_conv_shape *s = job->s;
    int columns = TILE_FLOATS / (taps_of(s) + filters_of(s));
    columns = columns < 64 ? 64 : amc_min(columns, TILE_COLUMNS);
    job->images = tile_images(job->batch, pixels_of(s), columns);
    int tiles = job->images > 1 ? 1 : amc_min(s->out_h, amc_ceiling(pixels_of(s), columns));
    job->rows = amc_ceiling(s->out_h, tiles);
}

static int tiles_of_image(const conv_job *job) {
    return amc_ceiling(job->s->out_h, job->rows);
}

static int tiles_of(const conv_job *job) {
    return amc_ceiling(job->batch, job->images) * tiles_of_image(job);
}

// Too few tiles for the threads, a single image say: then filters are shared out as well.
static void choose_blocks(conv_job *job) {
    int most = amc_ceiling(filters_of(job->s), AMC_PANELS_ROWS);
    job->blocks = amc_min(most, amc_ceiling(amc_parallel_threads(), tiles_of(job)));
}

static conv_task task_of(const conv_job *job, int index) {
    const amc_conv_shape *s = job->s;
    int block = index % job->blocks, tile = index / job->blocks;
    int filters = amc_ceiling(filters_of(s), job->blocks);
    conv_task t = {
        .image = tile / tiles_of_image(job) * job->images,
        .row = tile % tiles_of_image(job) * job->rows,
        .filter = amc_min(filters * block, filters_of(s)),
        .end_filter = amc_min(filters * (block + 1), filters_of(s)),
    };
    t.images = amc_min(job->images, job->batch - t.image);
    t.rows = amc_min(job->rows, s->out_h - t.row);
    t.panels = amc_panels_for(t.images * t.rows * s->out_w);
    t.stride = (size_t)t.panels * AMC_PANELS_COLUMNS;
    return t;
}

static void give_memory(const conv_job *job, conv_task *t) {
    const amc_conv_shape *s = job->s;
    size_t plane = amc_patches_plane(s, amc_patches_rows(s, t->rows));
    size_t frame = t->images * (s->c / s->groups) * plane + AMC_PATCHES_SLACK;
    size_t line = t->stride + AMC_PATCHES_SLACK, patches = t->stride * taps_of(s),
           sums = t->stride * filters_of(s);
    t->patches = amc_workspace_get(AMC_WORKSPACE_TASK, patches + sums + line + frame);
    t->sums = t->patches + patches;
    t->line = t->sums + sums;
    t->frame = t->line + line;
    memset(t->line, 0, line * sizeof(float));
}

// ---- patches of a tile --------------------------------------------------------------------------

// Row `tap` of the patches' matrix goes into the panels.
AMC_CLONES static void store_line(const conv_task *t, int taps, int tap) {
    float *to = t->patches + (size_t)tap * AMC_PANELS_COLUMNS;
    for (size_t i = 0; i < t->stride;
         i += AMC_PANELS_COLUMNS, to += (size_t)taps * AMC_PANELS_COLUMNS) {
        *(amc_v8 *)to = *(const amc_v8 *)(t->line + i);
        *(amc_v8 *)(to + 8) = *(const amc_v8 *)(t->line + i + 8);
    }
}

static const float *group_of_image(const conv_job *job, int image, int group) {
    return job->x + amc_conv_shape_inputs(job->s) * image +
           amc_conv_shape_inputs(job->s) / job->s->groups * group;
}

static void store_patches(const conv_job *job, const conv_task *t, int group) {
    const amc_conv_shape *s = job->s;
    int channels = s->c / s->groups, seen = amc_patches_rows(s, t->rows), taps = s->size * s->size;
    size_t plane = amc_patches_plane(s, seen);
    for (int b = 0; b < t->images; b++)
        amc_patches_frame(s, channels, group_of_image(job, t->image + b, group), t->row * s->stride,
                          seen, t->frame + b * channels * plane);
    for (int c = 0; c < channels; c++) {
        for (int tap = 0; tap < taps; tap++) {
            for (int b = 0; b < t->images; b++)
                amc_patches_line(s, t->frame + (b * channels + c) * plane, tap, t->rows,
                                 t->line + (size_t)b * t->rows * s->out_w);
            store_line(t, channels * taps, c * taps + tap);
        }
    }
}

// ---- the convolution of a tile ------------------------------------------------------------------

AMC_CLONES static void add_row(const float *x, size_t n, float *y) {
    for (size_t i = 0; i < n; i++) y[i] += x[i];
}

// The sums of filter f, all images of the tile, to where they belong.
static void finish_filter(const conv_job *job, const conv_task *t, int f, const float *sums) {
    const amc_conv_shape *s = job->s;
    size_t pixels = (size_t)t->rows * s->out_w;
    for (int b = 0; b < t->images; b++, sums += pixels) {
        float *y = job->y + (((size_t)(t->image + b) * s->n + f) * s->out_h + t->row) * s->out_w;
        if (job->add) {
            add_row(sums, pixels, y);
        } else {
            amc_finish_row(job->finish, f, sums, pixels, y);
        }
    }
}

static void run_task(const conv_job *job, int index) {
    const amc_conv_shape *s = job->s;
    int filters = filters_of(s), taps = taps_of(s);
    conv_task t = task_of(job, index);
    give_memory(job, &t);
    for (int g = 0; g < s->groups; g++) {
        const float *w = job->w + ((size_t)g * filters + t.filter) * taps;
        store_patches(job, &t, g);
        amc_panels_product(t.end_filter - t.filter, t.panels, taps, w, t.patches, t.sums);
        for (int f = t.filter; f < t.end_filter; f++)
            finish_filter(job, &t, g * filters + f, t.sums + (f - t.filter) * t.stride);
    }
}

static float *transform(const amc_conv_shape *s, const float *w) {
    float *transformed = amc_workspace_get(AMC_WORKSPACE_WEIGHTS, amc_winograd_weights(s));
    amc_winograd_transform(s, w, transformed);
    return transformed;
}

static void run(conv_job job) {
    if (amc_winograd_fits(job.s)) {
        amc_winograd_forward(job.s, job.batch, job.x, transform(job.s, job.w), job.finish, job.add,
                             job.y);
        return;
    }
    if (amc_pointwise_fits(job.s)) {
        amc_pointwise_forward(job.s, job.batch, job.x, job.w, false, job.finish, job.add, job.y);
        return;
    }
    if (amc_direct_fits(job.s)) {
        amc_direct_forward(job.s, job.batch, job.x, job.w, job.finish, job.add, job.y);
        return;
    }
    choose_tiles(&job);
    choose_blocks(&job);
    int tasks = tiles_of(&job) * job.blocks;
#pragma omp parallel for schedule(dynamic) if (tasks > 1 && amc_parallel_is_free())
    for (int i = 0; i < tasks; i++) run_task(&job, i);
}

// ---- forward ------------------------------------------------------------------------------------

void amc_conv_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                      const amc_finish *finish, float *y) {
    if (amc_depthwise_fits(s)) {
        amc_depthwise_forward(s, batch, x, w, finish, y);
        return;
    }
    run((conv_job){.s = s, .batch = batch, .x = x, .w = w, .finish = finish, .y = y});
}

size_t amc_conv_prepared_size(const amc_conv_shape *s) {
    if (amc_depthwise_fits(s)) return 0; // as a single channel does
    if (amc_winograd_fits(s)) return amc_winograd_weights(s);
    return amc_pointwise_fits(s) ? amc_conv_shape_weights(s) : 0;
}

void amc_conv_prepare(const amc_conv_shape *s, const float *w, float *prepared) {
    if (amc_winograd_fits(s))
        amc_winograd_transform(s, w, prepared);
    else
        amc_pointwise_pack(s, w, prepared);
}

void amc_conv_forward_prepared(const amc_conv_shape *s, int batch, const float *x,
                               const float *prepared, const amc_finish *finish, float *y) {
    if (amc_winograd_fits(s))
        amc_winograd_forward(s, batch, x, prepared, finish, false, y);
    else
        amc_pointwise_forward(s, batch, x, prepared, true, finish, false, y);
}

// ---- backward, by the weights -------------------------------------------------------------------

// This thread's room for one group's matrix and, after it, the frame that it is cut from.
static float *matrix_workspace(const amc_conv_shape *s, float **frame) {
    size_t matrix = amc_patches_matrix(s) + AMC_PATCHES_SLACK;
    size_t framed = s->c / s->groups * amc_patches_plane(s, s->h + 2 * s->pad) + AMC_PATCHES_SLACK;
    float *room = amc_workspace_get(AMC_WORKSPACE_TASK, matrix + framed);
    *frame = room + matrix;
    return room;
}

static const float *matrix_of(const amc_conv_shape *s, const float *x) {
    if (amc_patches_is_image(s)) return x;
    float *frame, *matrix = matrix_workspace(s, &frame);
    amc_patches_cut(s, x, frame, matrix);
    return matrix;
}

// dw = or += the gradient from one image.
static void backward_weights_image(const amc_conv_shape *s, const float *x, const float *dy,
                                   bool add, float *dw) {
    int filters = filters_of(s), taps = taps_of(s), pixels = pixels_of(s);
    for (int g = 0; g < s->groups; g++) {
        const float *matrix = matrix_of(s, x + amc_conv_shape_inputs(s) / s->groups * g);
        /* G_w += G_y X^T */
        amc_gemm(false, true, filters, taps, pixels, 1, dy + (size_t)g * filters * pixels, pixels,
                 matrix, pixels, add, dw + (size_t)g * filters * taps, taps);
    }
}

// dw = the gradient from some images, by this thread alone.
static void backward_weights_images(const amc_conv_shape *s, int batch, const float *x,
                                    const float *dy, float *dw) {
    if (amc_winograd_fits(s)) {
        amc_winograd_backward_weights(s, batch, x, dy, dw);
        return;
    }
    for (int b = 0; b < batch; b++)
        backward_weights_image(s, x + amc_conv_shape_inputs(s) * b,
                               dy + amc_conv_shape_outputs(s) * b, b > 0, dw);
}

// The batch is cut into pieces whose number depends on shapes alone; each piece has its own sum,
// and the sums are added in order, so that the number of threads changes nothing.
void amc_conv_backward_weights(const amc_conv_shape *s, int batch, const float *x, const float *dy,
                               float *dw) {
    if (amc_depthwise_fits(s)) {
        amc_depthwise_backward_weights(s, batch, x, dy, dw);
        return;
    }
    size_t weights = amc_conv_shape_weights(s);
    int pieces = amc_min(batch, weights > (1 << 18) ? 8 : 16);
    float *sums = amc_workspace_get(AMC_WORKSPACE_CALL, weights * pieces);
#pragma omp parallel for schedule(dynamic) if (pieces > 1 && amc_parallel_is_free())
    for (int p = 0; p < pieces; p++) {
        int first = (int)((long)batch * p / pieces), end = (int)((long)batch * (p + 1) / pieces);
        backward_weights_images(s, end - first, x + amc_conv_shape_inputs(s) * first,
                                dy + amc_conv_shape_outputs(s) * first, sums + weights * p);
    }
    for (int p = 0; p < pieces; p++) add_row(sums + weights * p, weights, dw);
}

// ---- backward, by the input ---------------------------------------------------------------------

// With a stride of 1 the gradient is itself a convolution, of dy, with the kernels turned by half a
// turn and filters and channels swapped.
static bool is_turnable(const amc_conv_shape *s) {
    return s->stride == 1 && s->pad < s->size;
}

static amc_conv_shape turned_shape(const amc_conv_shape *s) {
    return amc_conv_shape_make(s->n, s->out_h, s->out_w, s->c, s->size, 1, s->size - 1 - s->pad,
                               s->groups);
}

static void turn_weights(const amc_conv_shape *s, const float *w, float *turned) {
    int channels = s->c / s->groups, filters = filters_of(s), taps = s->size * s->size;
    for (int c = 0; c < s->c; c++) {
        for (int f = 0; f < filters; f++) {
            const float *from =
                w + ((size_t)(c / channels * filters + f) * channels + c % channels) * taps;
            for (int t = taps; t-- > 0;) *turned++ = from[t];
        }
    }
}

static void backward_input_turned(const amc_conv_shape *s, int batch, const float *w,
                                  const float *dy, float *dx) {
    amc_conv_shape back = turned_shape(s);
    float *turned = amc_workspace_get(AMC_WORKSPACE_CALL, amc_conv_shape_weights(s));
    turn_weights(s, w, turned);
    run((conv_job){.s = &back, .batch = batch, .x = dy, .w = turned, .add = true, .y = dx});
}

static void backward_input_image(const amc_conv_shape *s, const float *w, const float *dy,
                                 float *dx) {
    int filters = filters_of(s), taps = taps_of(s), pixels = pixels_of(s);
    float *frame, *matrix = matrix_workspace(s, &frame);
    for (int g = 0; g < s->groups; g++) {
        /* G_X = W^T G_y */
        amc_gemm(true, false, taps, pixels, filters, 1, w + (size_t)g * filters * taps, taps,
                 dy + (size_t)g * filters * pixels, pixels, 0, matrix, pixels);
        amc_patches_paste(s, matrix, frame, dx + amc_conv_shape_inputs(s) / s->groups * g);
    }
}

void amc_conv_backward_input(const amc_conv_shape *s, int batch, const float *w, const float *dy,
                             float *dx) {
    if (amc_depthwise_fits(s)) {
        amc_depthwise_backward_input(s, batch, w, dy, dx);
    } else if (is_turnable(s)) {
        backward_input_turned(s, batch, w, dy, dx);
    } else {
#pragma omp parallel for schedule(dynamic) if (batch > 1 && amc_parallel_is_free())
        for (int b = 0; b < batch; b++)
            backward_input_image(s, w, dy + amc_conv_shape_outputs(s) * b,
                                 dx + amc_conv_shape_inputs(s) * b);
    }
}
