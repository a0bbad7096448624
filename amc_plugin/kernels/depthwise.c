#include "kernels/depthwise.h"

#include "kernels/depthwise3x3.h"
#include "kernels/frame.h"
#include "kernels/integers.h"
#include "kernels/neighbours.h"
#include "kernels/parallel.h"
#include "kernels/simd.h"
#include "kernels/workspace.h"

#include <stdlib.h>
#include <string.h>

// ---- one channel of one image -------------------------------------------------------------------

enum {
    LANES = 8,
    DOWN = 4,   // output rows that share what they read
    PLANES = 8, // channels of images that are a task
};

static inline __attribute__((always_inline)) void put(amc_v8 v, int count, bool add, float *y) {
    if (count >= LANES && add)
        *(amc_v8 *)y += v;
    else if (count >= LANES)
        *(amc_v8 *)y = v;
    else
        for (int i = 0; i < count; i++) y[i] = add ? y[i] + v[i] : v[i];
}

// `rows` output rows from y on, with `size` known to the compiler: an input row that several of
// them see is read once. x: the frame at the first row.
static inline __attribute__((always_inline)) void sum_rows(const amc_conv_shape *s, int rows,
                                                           int size, const float *x, const float *w,
                                                           amc_affine a, bool add, float *y) {
    int stride = s->stride, width = amc_frame_width(s);
    for (int i = 0; i < s->out_w; i += LANES) {
        amc_v8 sums[DOWN] = {0};
#pragma GCC unroll 16
        for (int q = 0; q < (rows - 1) * stride + size; q++)
#pragma GCC unroll 4
            for (int kx = 0; kx < size; kx++) {
                amc_v8 v =
                    *(const amc_v8 *)(x + (q * stride + kx % stride) * width + kx / stride + i);
#pragma GCC unroll 4
                for (int r = 0; r < rows; r++)
                    if (q >= r * stride && q < r * stride + size)
                        sums[r] += w[(q - r * stride) * size + kx] * v;
            }
        for (int r = 0; r < rows; r++)
            put(amc_affine_vector_8(a, sums[r]), s->out_w - i, add, y + r * s->out_w + i);
    }
}

// The shapes that networks have, unrolled; s->size and s->stride are constants in them.
#define SUM_ROWS(rows, kernel, step)                                                               \
    if (s->size == (kernel) && s->stride == (step)) {                                              \
        amc_conv_shape known = *s;                                                                 \
        known.stride = (step);                                                                     \
        sum_rows(&known, rows, kernel, x, w, a, add, y);                                           \
        return;                                                                                    \
    }

AMC_CLONES static void sum_four(const amc_conv_shape *s, const float *x, const float *w,
                                amc_affine a, bool add, float *y) {
    SUM_ROWS(DOWN, 3, 1)
    SUM_ROWS(DOWN, 3, 2)
    sum_rows(s, DOWN, s->size, x, w, a, add, y);
}

AMC_CLONES static void sum_one(const amc_conv_shape *s, const float *x, const float *w,
                               amc_affine a, bool add, float *y) {
    SUM_ROWS(1, 3, 1)
    SUM_ROWS(1, 3, 2)
    sum_rows(s, 1, s->size, x, w, a, add, y);
}

// y (out_h, out_w) = or += the sums of a frame under the kernel w, finished.
static void sum_frame(const amc_conv_shape *s, const float *frame, const float *w, amc_affine a,
                      bool add, float *y) {
    int row = 0, down = amc_frame_down(s);
    for (; row + DOWN <= s->out_h; row += DOWN)
        sum_four(s, frame + row * down, w, a, add, y + row * s->out_w);
    for (; row < s->out_h; row++) sum_one(s, frame + row * down, w, a, add, y + row * s->out_w);
}

// y (out_h, out_w) = the sums of x (h, w).
static void convolve(const amc_conv_shape *s, const float *x, const float *w, amc_affine a,
                     float *y) {
    size_t plane = amc_frame_plane(s, s->out_h) + AMC_FRAME_SLACK;
    float *frame = amc_workspace_get(AMC_WORKSPACE_TASK, plane + amc_frame_line(s));
    amc_frame_fill(s, 1, x, 0, s->out_h, frame + plane, frame);
    sum_frame(s, frame, w, a, false, y);
}

// ---- forward ------------------------------------------------------------------------------------

void amc_depthwise_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                           const amc_finish *finish, float *y) {
    size_t in = (size_t)s->h * s->w, out = (size_t)s->out_h * s->out_w;
    int planes = batch * s->c;
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int from = 0; from < planes; from += PLANES) {
        int end = from + PLANES < planes ? from + PLANES : planes;
        if (amc_depthwise3x3_fits(s)) {
            amc_depthwise3x3_planes(s, from, end, x, w, finish, y);
            continue;
        }
        for (int i = from; i < end; i++)
            convolve(s, x + in * i, w + (size_t)(i % s->c) * s->size * s->size,
                     amc_finish_of(finish, i % s->c), y + out * i);
    }
}

// ---- backward -----------------------------------------------------------------------------------

// sum and dy * what one tap sees of x, at `seen` in the frame. dy's rows are `step` floats long,
// zero beyond out_w.
static inline __attribute__((always_inline)) amc_v8
correlate(const amc_conv_shape *s, const float *seen, const float *dy, int step, amc_v8 sum) {
    for (int r = 0; r < s->out_h; r++, dy += step, seen += amc_frame_down(s))
        for (int i = 0; i < step; i += LANES)
            sum += *(const amc_v8 *)(dy + i) * *(const amc_v8 *)(seen + i);
    return sum;
}

AMC_CLONES static void correlate_taps(const amc_conv_shape *s, const float *frame, const float *dy,
                                      int step, amc_v8 *sums) {
    for (int t = 0; t < s->size * s->size; t++)
        sums[t] =
            correlate(s, frame + amc_frame_tap(s, t / s->size, t % s->size), dy, step, sums[t]);
}

// The weight gradients of n neighbouring channels, over the batch.
static void backward_weights_channels(const amc_conv_shape *s, int batch, int n, const float *x,
                                      const float *dy, float *dw) {
    int taps = s->size * s->size, step = (s->out_w + LANES - 1) / LANES * LANES;
    size_t plane = amc_frame_plane(s, s->out_h), framed = plane + AMC_FRAME_SLACK;
    size_t padded = (size_t)step * s->out_h, all = (size_t)n * taps;
    float *frame =
        amc_workspace_get(AMC_WORKSPACE_TASK, framed + padded + all * LANES + amc_frame_line(s));
    float *rows = frame + framed, *lanes = rows + padded, *line = lanes + all * LANES;
    amc_v8 *sums = (amc_v8 *)lanes;
    memset(rows, 0, (padded + all * LANES) * sizeof(float));
    for (int b = 0; b < batch; b++) {
        const float *xb = x + amc_conv_shape_inputs(s) * b;
        const float *dyb = dy + amc_conv_shape_outputs(s) * b;
        for (int c = 0; c < n; c++, xb += (size_t)s->h * s->w) {
            amc_frame_fill(s, 1, xb, 0, s->out_h, line, frame);
            memset(frame + plane, 0, AMC_FRAME_SLACK * sizeof(float)); // zero times NaN is NaN
            for (int r = 0; r < s->out_h; r++, dyb += s->out_w)
                amc_frame_copy_row(dyb, s->out_w, rows + (size_t)r * step);
            correlate_taps(s, frame, rows, step, sums + (size_t)c * taps);
        }
    }
    for (size_t t = 0; t < all; t++) dw[t] += amc_v8_sum(sums[t]);
}

void amc_depthwise_backward_weights(const amc_conv_shape *s, int batch, const float *x,
                                    const float *dy, float *dw) {
    int together = amc_neighbours(s->c, s->h * s->w);
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int c = 0; c < s->c; c += together)
        backward_weights_channels(s, batch, amc_min(together, s->c - c),
                                  x + (size_t)c * s->h * s->w, dy + (size_t)c * s->out_h * s->out_w,
                                  dw + (size_t)c * s->size * s->size);
}

// Each channel's kernel turned by half a turn.
static const float *turn(const amc_conv_shape *s, const float *w) {
    int taps = s->size * s->size;
    float *turned = amc_workspace_get(AMC_WORKSPACE_CALL, amc_conv_shape_weights(s));
    for (int i = 0; i < s->c * taps; i++) turned[i] = w[i / taps * taps + taps - 1 - i % taps];
    return turned;
}

// Of rows or columns: dy's first and last + 1 that fall into a frame of so many when number 0 is at
// `at` and the others are a stride apart. Not all do with more padding than a kernel reaches.
typedef struct span {
    int from, end;
} span;

static span span_of(int count, int stride, int at, int frame) {
    span all = {0, count};
    while (all.from < count && all.from * stride + at < 0) all.from++;
    while (all.end > all.from && (all.end - 1) * stride + at >= frame) all.end--;
    return all;
}

// dy among zeros: where it is in a frame (h + size - 1, w + size - 1) that the turned kernel sees.
AMC_CLONES static void spread(const amc_conv_shape *s, const float *dy, float *frame) {
    int at = s->size - 1 - s->pad, h = s->h + s->size - 1, w = s->w + s->size - 1;
    span rows = span_of(s->out_h, s->stride, at, h), columns = span_of(s->out_w, s->stride, at, w);
    memset(frame, 0, (size_t)h * w * sizeof(float));
    for (int r = rows.from; r < rows.end; r++) {
        const float *from = dy + (size_t)r * s->out_w;
        float *to = frame + (size_t)(r * s->stride + at) * w;
        if (s->stride == 1)
            amc_frame_copy_row(from + columns.from, columns.end - columns.from,
                               to + columns.from + at);
        else
            for (int i = columns.from; i < columns.end; i++) to[i * s->stride + at] = from[i];
    }
}

// dx += dy, spread out by the stride, convolved with the turned kernel.
void amc_depthwise_backward_input(const amc_conv_shape *s, int batch, const float *w,
                                  const float *dy, float *dx) {
    size_t in = (size_t)s->h * s->w, out = (size_t)s->out_h * s->out_w, taps = s->size * s->size;
    const float *kernels = turn(s, w);
    amc_conv_shape back =
        amc_conv_shape_make(1, s->h + s->size - 1, s->w + s->size - 1, 1, s->size, 1, 0, 1);
    size_t plane = amc_frame_plane(&back, s->h) + AMC_FRAME_SLACK;
#pragma omp parallel for schedule(dynamic, 8) if (amc_parallel_is_free())
    for (int i = 0; i < batch * s->c; i++) {
        float *frame = amc_workspace_get(AMC_WORKSPACE_TASK, plane);
        spread(s, dy + out * i, frame);
        sum_frame(&back, frame, kernels + i % s->c * taps, amc_finish_of(NULL, 0), true,
                  dx + in * i);
    }
}
