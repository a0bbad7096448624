#include "kernels/depthwise.h"

#include "kernels/frame.h"
#include "kernels/parallel.h"
#include "kernels/workspace.h"

#include <stdlib.h>
#include <string.h>

// Rows are read in eights, of which the last may lie beyond the row: in the next one or in as many
// floats after the frame.
static size_t frame_size(int h, int w, int pad, int stride) {
    return (size_t)(h + 2 * pad) * (w + 2 * pad) + 8 * stride;
}

// Copies a channel (h, w) into a frame of `pad` zeros.
static void add_frame(const float *x, int h, int w, int pad, int stride, float *frame) {
    memset(frame, 0, frame_size(h, w, pad, stride) * sizeof(float));
    for (int r = 0; r < h; r++)
        memcpy(frame + (size_t)(r + pad) * (w + 2 * pad) + pad, x + (size_t)r * w,
               w * sizeof(float));
}

// from[0], from[stride], ..., from[7 * stride]
static inline __attribute__((always_inline)) amc_v8 every(const float *from, int stride) {
    if (stride == 1) return *(const amc_v8 *)from;
    if (stride == 2) {
        amc_v8 low = *(const amc_v8 *)from, high = *(const amc_v8 *)(from + 8);
        return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    }
    amc_v8 v = {0};
    for (int i = 0; i < 8; i++) v[i] = from[i * stride];
    return v;
}

// y (out_h, out_w) += the frame (.., fw) convolved with w (size, size).
AMC_CLONES static void convolve(const float *frame, int fw, const float *w, int size, int stride,
                                int out_h, int out_w, float *y) {
    for (int r = 0; r < out_h; r++, y += out_w) {
        for (int i = 0; i < out_w; i += 8) {
            const float *from = frame + (size_t)r * stride * fw + i * stride;
            amc_v8 sum = {0};
            for (int ky = 0; ky < size; ky++) {
                for (int kx = 0; kx < size; kx++)
                    sum += w[ky * size + kx] * every(from + ky * fw + kx, stride);
            }
            for (int j = 0; j < 8 && i + j < out_w; j++) y[i + j] += sum[j];
        }
    }
}

// ---- forward ------------------------------------------------------------------------------------

enum {
    LANES = 8,
    DOWN = 4, // output rows that share what they read
};

static inline __attribute__((always_inline)) void put(amc_v8 v, int count, float *y) {
    if (count >= LANES)
        *(amc_v8 *)y = v;
    else
        for (int i = 0; i < count; i++) y[i] = v[i];
}

// `rows` output rows from y on, with `size` known to the compiler: an input row that several of
// them see is read once. x: the frame at the first row.
static inline __attribute__((always_inline)) void sum_rows(const amc_conv_shape *s, int rows,
                                                           int size, const float *x, const float *w,
                                                           amc_affine a, float *y) {
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
            put(amc_affine_vector(a, sums[r]), s->out_w - i, y + r * s->out_w + i);
    }
}

// The shapes that networks have, unrolled; s->size and s->stride are constants in them.
#define SUM_ROWS(rows, kernel, step)                                                               \
    if (s->size == (kernel) && s->stride == (step)) {                                              \
        amc_conv_shape known = *s;                                                                 \
        known.stride = (step);                                                                     \
        sum_rows(&known, rows, kernel, x, w, a, y);                                                \
        return;                                                                                    \
    }

AMC_CLONES static void sum_four(const amc_conv_shape *s, const float *x, const float *w,
                                amc_affine a, float *y) {
    SUM_ROWS(DOWN, 3, 1)
    SUM_ROWS(DOWN, 3, 2)
    sum_rows(s, DOWN, s->size, x, w, a, y);
}

AMC_CLONES static void sum_one(const amc_conv_shape *s, const float *x, const float *w,
                               amc_affine a, float *y) {
    SUM_ROWS(1, 3, 1)
    SUM_ROWS(1, 3, 2)
    sum_rows(s, 1, s->size, x, w, a, y);
}

// One channel of one image.
static void forward_channel(const amc_conv_shape *s, const float *x, const float *w, amc_affine a,
                            float *y) {
    size_t plane = amc_frame_plane(s, s->out_h) + AMC_FRAME_SLACK;
    float *frame = amc_workspace_get(AMC_WORKSPACE_TASK, plane + amc_frame_line(s));
    int row = 0, down = amc_frame_down(s);
    amc_frame_fill(s, 1, x, 0, s->out_h, frame + plane, frame);
    for (; row + DOWN <= s->out_h; row += DOWN)
        sum_four(s, frame + row * down, w, a, y + row * s->out_w);
    for (; row < s->out_h; row++) sum_one(s, frame + row * down, w, a, y + row * s->out_w);
}

void amc_depthwise_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                           const amc_finish *finish, float *y) {
    size_t in = (size_t)s->h * s->w, out = (size_t)s->out_h * s->out_w;
#pragma omp parallel for schedule(dynamic, 8) if (amc_parallel_is_free())
    for (int i = 0; i < batch * s->c; i++) {
        int c = i % s->c;
        forward_channel(s, x + in * i, w + (size_t)c * s->size * s->size, amc_finish_of(finish, c),
                        y + out * i);
    }
}

// ---- backward -----------------------------------------------------------------------------------

// Sum of dy * the frame shifted to one tap. dy's rows are `step` floats long, zero beyond out_w.
AMC_CLONES static float correlate(const float *frame, int fw, int stride, const float *dy, int step,
                                  int out_h) {
    amc_v8 sum = {0};
    for (int r = 0; r < out_h; r++, dy += step, frame += (size_t)stride * fw) {
        for (int i = 0; i < step; i += 8)
            sum += *(const amc_v8 *)(dy + i) * every(frame + i * stride, stride);
    }
    return amc_v8_sum(sum);
}

// One channel's weight gradient, over the batch.
static void backward_weights_channel(const amc_conv_shape *s, int batch, const float *x,
                                     const float *dy, float *dw) {
    int taps = s->size * s->size, fw = s->w + 2 * s->pad, step = (s->out_w + 7) / 8 * 8;
    size_t framed = frame_size(s->h, s->w, s->pad, s->stride);
    float *frame =
        amc_workspace_get(AMC_WORKSPACE_TASK, framed + (size_t)step * s->out_h + 2 * taps);
    float *rows = frame + framed, *sums = rows + (size_t)step * s->out_h;
    memset(rows, 0, ((size_t)step * s->out_h + taps) * sizeof(float));
    for (int b = 0; b < batch; b++) {
        const float *dyb = dy + amc_conv_shape_outputs(s) * b;
        add_frame(x + amc_conv_shape_inputs(s) * b, s->h, s->w, s->pad, s->stride, frame);
        for (int r = 0; r < s->out_h; r++)
            memcpy(rows + (size_t)r * step, dyb + (size_t)r * s->out_w, s->out_w * 4);
        for (int t = 0; t < taps; t++)
            sums[t] += correlate(frame + (size_t)(t / s->size) * fw + t % s->size, fw, s->stride,
                                 rows, step, s->out_h);
    }
    for (int t = 0; t < taps; t++) dw[t] += sums[t];
}

void amc_depthwise_backward_weights(const amc_conv_shape *s, int batch, const float *x,
                                    const float *dy, float *dw) {
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int c = 0; c < s->c; c++)
        backward_weights_channel(s, batch, x + (size_t)c * s->h * s->w,
                                 dy + (size_t)c * s->out_h * s->out_w,
                                 dw + (size_t)c * s->size * s->size);
}

// A stride of 1: dx += dy convolved with the kernel turned by half a turn.
static void backward_input_turned(const amc_conv_shape *s, const float *w, const float *dy,
                                  float *dx) {
    int taps = s->size * s->size, pad = s->size - 1 - s->pad;
    size_t framed = frame_size(s->out_h, s->out_w, pad, 1);
    float *frame = amc_workspace_get(AMC_WORKSPACE_TASK, framed + taps), *turned = frame + framed;
    for (int t = 0; t < taps; t++) turned[t] = w[taps - 1 - t];
    add_frame(dy, s->out_h, s->out_w, pad, 1, frame);
    convolve(frame, s->out_w + 2 * pad, turned, s->size, 1, s->h, s->w, dx);
}

// Any stride: every dy is spread over the frame's pixels that it came from.
AMC_CLONES static void spread(const amc_conv_shape *s, const float *w, const float *dy,
                              float *frame) {
    int fw = s->w + 2 * s->pad;
    for (int t = 0; t < s->size * s->size; t++) {
        for (int r = 0; r < s->out_h; r++) {
            float *to = frame + ((size_t)r * s->stride + t / s->size) * fw + t % s->size;
            for (int i = 0; i < s->out_w; i++) to[i * s->stride] += w[t] * dy[r * s->out_w + i];
        }
    }
}

static void backward_input_spread(const amc_conv_shape *s, const float *w, const float *dy,
                                  float *dx) {
    int fw = s->w + 2 * s->pad;
    size_t framed = frame_size(s->h, s->w, s->pad, s->stride);
    float *frame = amc_workspace_get(AMC_WORKSPACE_TASK, framed);
    memset(frame, 0, framed * sizeof(float));
    spread(s, w, dy, frame);
    for (int r = 0; r < s->h; r++) {
        const float *from = frame + (size_t)(r + s->pad) * fw + s->pad;
        for (int i = 0; i < s->w; i++) dx[r * s->w + i] += from[i];
    }
}

void amc_depthwise_backward_input(const amc_conv_shape *s, int batch, const float *w,
                                  const float *dy, float *dx) {
    size_t in = (size_t)s->h * s->w, out = (size_t)s->out_h * s->out_w;
#pragma omp parallel for schedule(dynamic, 8) if (amc_parallel_is_free())
    for (int i = 0; i < batch * s->c; i++) {
        const float *wi = w + (size_t)(i % s->c) * s->size * s->size;
        if (s->stride == 1 && s->pad < s->size) {
            backward_input_turned(s, wi, dy + out * i, dx + in * i);
        } else {
            backward_input_spread(s, wi, dy + out * i, dx + in * i);
        }
    }
}
