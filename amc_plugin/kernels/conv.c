#include "kernels/conv.h"

#include "kernels/depthwise.h"
#include "kernels/gemm.h"
#include "kernels/parallel.h"
#include "kernels/workspace.h"

#include <stdbool.h>
#include <string.h>

enum { SLACK = 16 }; // floats that rows copied in eights may go too far

static int min(int a, int b) {
    return a < b ? a : b;
}

// A 1x1 kernel on each pixel: the image itself is the matrix.
static bool is_pointwise(const amc_conv_shape *s) {
    return s->size == 1 && s->stride == 1 && s->pad == 0;
}

// ---- images as matrices
// --------------------------------------------------------------------------------------------

static size_t padded_size(const amc_conv_shape *s) {
    return (size_t)(s->c / s->groups) * (s->h + 2 * s->pad) * (s->w + 2 * s->pad);
}

static size_t columns_size(const amc_conv_shape *s) {
    return (size_t)(s->c / s->groups) * s->size * s->size * s->out_h * s->out_w;
}

// Copies one group's channels of an image into a frame of zeros.
static void add_frame(const amc_conv_shape *s, const float *x, float *padded) {
    int channels = s->c / s->groups, pw = s->w + 2 * s->pad;
    memset(padded, 0, padded_size(s) * sizeof(float));
    for (int c = 0; c < channels; c++) {
        float *to = padded + ((size_t)c * (s->h + 2 * s->pad) + s->pad) * pw + s->pad;
        for (int r = 0; r < s->h; r++)
            memcpy(to + r * pw, x + ((size_t)c * s->h + r) * s->w, s->w * sizeof(float));
    }
}

// to[i] = from[i * stride], in eights: up to SLACK floats too many are read and written.
static inline __attribute__((always_inline)) void copy_row(const float *from, int stride, int count,
                                                           float *to) {
    if (stride == 1) {
        for (int i = 0; i < count; i += 8) *(amc_v8 *)(to + i) = *(const amc_v8 *)(from + i);
    } else if (stride == 2) {
        for (int i = 0; i < count; i += 8) {
            amc_v8 low = *(const amc_v8 *)(from + 2 * i),
                   high = *(const amc_v8 *)(from + 2 * i + 8);
            *(amc_v8 *)(to + i) = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
        }
    } else {
        for (int i = 0; i < count; i++) to[i] = from[i * stride];
    }
}

// padded (c, h + 2 pad, w + 2 pad) -> columns (c*size*size, out_h*out_w). What a row writes too
// much, the next one overwrites; both buffers end with SLACK floats more.
AMC_CLONES static void expand(const amc_conv_shape *s, const float *padded, float *columns) {
    int channels = s->c / s->groups, ph = s->h + 2 * s->pad, pw = s->w + 2 * s->pad;
    float *to = columns;
    for (int c = 0; c < channels; c++) {
        for (int tap = 0; tap < s->size * s->size; tap++) {
            const float *from = padded + ((size_t)c * ph + tap / s->size) * pw + tap % s->size;
            for (int r = 0; r < s->out_h; r++, to += s->out_w)
                copy_row(from + (size_t)r * s->stride * pw, s->stride, s->out_w, to);
        }
    }
}

// The transpose of expand: adds each column entry to the pixel that it was copied from.
AMC_CLONES static void collapse(const amc_conv_shape *s, const float *columns, float *padded) {
    int channels = s->c / s->groups, ph = s->h + 2 * s->pad, pw = s->w + 2 * s->pad;
    const float *from = columns;
    for (int c = 0; c < channels; c++) {
        for (int tap = 0; tap < s->size * s->size; tap++) {
            float *to = padded + ((size_t)c * ph + tap / s->size) * pw + tap % s->size;
            for (int r = 0; r < s->out_h; r++, from += s->out_w) {
                float *row = to + (size_t)r * s->stride * pw;
                for (int i = 0; i < s->out_w; i++) row[i * s->stride] += from[i];
            }
        }
    }
}

// x += what lies inside the frame.
static void add_inside(const amc_conv_shape *s, const float *padded, float *x) {
    int channels = s->c / s->groups, pw = s->w + 2 * s->pad;
    for (int c = 0; c < channels; c++) {
        const float *from = padded + ((size_t)c * (s->h + 2 * s->pad) + s->pad) * pw + s->pad;
        for (int r = 0; r < s->h; r++) {
            float *to = x + ((size_t)c * s->h + r) * s->w;
            for (int i = 0; i < s->w; i++) to[i] += from[r * pw + i];
        }
    }
}

// Room for a group's columns and, SLACK floats after them, its framed channels.
static float *columns_workspace(const amc_conv_shape *s) {
    return amc_workspace_get(AMC_WORKSPACE_TASK, columns_size(s) + padded_size(s) + 2 * SLACK);
}

// One group's channels at x as a (c*size*size, out_h*out_w) matrix: x itself or, in this thread's
// workspace, its patches.
static const float *as_matrix(const amc_conv_shape *s, const float *x) {
    if (is_pointwise(s)) return x;
    float *columns = columns_workspace(s), *padded = columns + columns_size(s) + SLACK;
    add_frame(s, x, padded);
    expand(s, padded, columns);
    return columns;
}

// ---- forward
// -------------------------------------------------------------------------------------------------------

static void forward_image(const amc_conv_shape *s, const float *x, const float *w,
                          const amc_finish *finish, float *y) {
    int filters = s->n / s->groups, taps = s->c / s->groups * s->size * s->size,
        pixels = s->out_h * s->out_w;
    for (int g = 0; g < s->groups; g++) {
        const float *matrix = as_matrix(s, x + amc_conv_shape_inputs(s) / s->groups * g);
        float *out = y + (size_t)g * filters * pixels;
        amc_gemm(false, false, filters, pixels, taps, 1, w + (size_t)g * filters * taps, taps,
                 matrix, pixels, 0, out, pixels);
        for (int f = 0; f < filters; f++, out += pixels)
            amc_finish_row(finish, g * filters + f, out, pixels, out);
    }
}

void amc_conv_forward(const amc_conv_shape *s, int batch, const float *x, const float *w,
                      const amc_finish *finish, float *y) {
    if (amc_depthwise_fits(s)) {
        amc_depthwise_forward(s, batch, x, w, finish, y);
        return;
    }
#pragma omp parallel for schedule(dynamic) if (batch > 1 && amc_parallel_is_free())
    for (int b = 0; b < batch; b++)
        forward_image(s, x + amc_conv_shape_inputs(s) * b, w, finish,
                      y + amc_conv_shape_outputs(s) * b);
}

// ---- backward
// ------------------------------------------------------------------------------------------------------

// dw = (first image) or += the gradient of one image.
static void backward_weights_image(const amc_conv_shape *s, const float *x, const float *dy,
                                   bool add, float *dw) {
    int filters = s->n / s->groups, taps = s->c / s->groups * s->size * s->size,
        pixels = s->out_h * s->out_w;
    for (int g = 0; g < s->groups; g++) {
        const float *matrix = as_matrix(s, x + amc_conv_shape_inputs(s) / s->groups * g);
        /* G_w += G_y X^T */
        amc_gemm(false, true, filters, taps, pixels, 1, dy + (size_t)g * filters * pixels, pixels,
                 matrix, pixels, add, dw + (size_t)g * filters * taps, taps);
    }
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
    int pieces = min(batch, weights > (1 << 18) ? 8 : 16);
    float *sums = amc_workspace_get(AMC_WORKSPACE_CALL, weights * pieces);
#pragma omp parallel for schedule(dynamic) if (pieces > 1 && amc_parallel_is_free())
    for (int p = 0; p < pieces; p++) {
        int first = (int)((long)batch * p / pieces), end = (int)((long)batch * (p + 1) / pieces);
        for (int b = first; b < end; b++)
            backward_weights_image(s, x + amc_conv_shape_inputs(s) * b,
                                   dy + amc_conv_shape_outputs(s) * b, b > first,
                                   sums + weights * p);
    }
    for (int p = 0; p < pieces; p++) {
        for (size_t i = 0; i < weights; i++) dw[i] += sums[weights * p + i];
    }
}

// A stride of 1: the gradient is itself a convolution, of dy with the kernels turned by half a turn
// and (filters, channels) swapped, which needs no adding up of columns. Each group on its own.
static amc_conv_shape turned_shape(const amc_conv_shape *s) {
    return amc_conv_shape_make(s->n, s->out_h, s->out_w, s->c, s->size, 1, s->size - 1 - s->pad,
                               s->groups);
}

static bool is_turnable(const amc_conv_shape *s) {
    return s->stride == 1 && s->pad < s->size && (s->size == 1 || s->n <= 2 * s->c);
}

static void turn_weights(const amc_conv_shape *s, const float *w, float *turned) {
    int channels = s->c / s->groups, filters = s->n / s->groups, taps = s->size * s->size;
    for (int g = 0; g < s->groups; g++) {
        for (int c = 0; c < channels; c++) {
            for (int f = 0; f < filters; f++) {
                const float *from = w + ((size_t)(g * filters + f) * channels + c) * taps;
                for (int t = taps; t-- > 0;) *turned++ = from[t];
            }
        }
    }
}

static void backward_input_turned(const amc_conv_shape *s, const float *turned, const float *dy,
                                  float *dx) {
    amc_conv_shape back = turned_shape(s);
    int channels = s->c / s->groups, taps = s->n / s->groups * s->size * s->size;
    int pixels = s->h * s->w;
    for (int g = 0; g < s->groups; g++) {
        const float *matrix = as_matrix(&back, dy + amc_conv_shape_outputs(s) / s->groups * g);
        /* G_x += turned(W) * G_y */
        amc_gemm(false, false, channels, pixels, taps, 1, turned + (size_t)g * channels * taps,
                 taps, matrix, pixels, 1, dx + (size_t)g * channels * pixels, pixels);
    }
}

static void backward_input_image(const amc_conv_shape *s, const float *w, const float *dy,
                                 float *dx) {
    int filters = s->n / s->groups, taps = s->c / s->groups * s->size * s->size;
    int pixels = s->out_h * s->out_w;
    float *columns = columns_workspace(s), *padded = columns + columns_size(s) + SLACK;
    for (int g = 0; g < s->groups; g++) {
        /* G_columns = W^T G_y */
        amc_gemm(true, false, taps, pixels, filters, 1, w + (size_t)g * filters * taps, taps,
                 dy + (size_t)g * filters * pixels, pixels, 0, columns, pixels);
        memset(padded, 0, padded_size(s) * sizeof(float));
        collapse(s, columns, padded);
        add_inside(s, padded, dx + amc_conv_shape_inputs(s) / s->groups * g);
    }
}

void amc_conv_backward_input(const amc_conv_shape *s, int batch, const float *w, const float *dy,
                             float *dx) {
    if (amc_depthwise_fits(s)) {
        amc_depthwise_backward_input(s, batch, w, dy, dx);
        return;
    }
    float *turned = NULL;
    if (is_turnable(s)) {
        turned = amc_workspace_get(AMC_WORKSPACE_CALL, amc_conv_shape_weights(s));
        turn_weights(s, w, turned);
    }
#pragma omp parallel for schedule(dynamic) if (batch > 1 && amc_parallel_is_free())
    for (int b = 0; b < batch; b++) {
        const float *dyb = dy + amc_conv_shape_outputs(s) * b;
        float *dxb = dx + amc_conv_shape_inputs(s) * b;
        if (turned) {
            backward_input_turned(s, turned, dyb, dxb);
        } else {
            backward_input_image(s, w, dyb, dxb);
        }
    }
}

// ---- references
// ----------------------------------------------------------------------------------------------------

// Where tap (ky, kx) of output pixel (oy, ox) falls in a channel, or -1 in the padding.
static long pixel_at(const amc_conv_shape *s, int oy, int ox, int ky, int kx) {
    int y = oy * s->stride - s->pad + ky, x = ox * s->stride - s->pad + kx;
    return y < 0 || x < 0 || y >= s->h || x >= s->w ? -1 : (long)y * s->w + x;
}

static float finished(const amc_finish *finish, int f, double sum) {
    if (!finish) return (float)sum;
    if (finish->centre) sum -= finish->centre[f];
    if (finish->scale) sum *= finish->scale[f];
    if (finish->shift) sum += finish->shift[f];
    double slope = finish->act == AMC_RELU ? 0 : finish->act == AMC_LEAKY ? 0.1 : 1;
    return (float)(sum > 0 ? sum : slope * sum);
}

void amc_conv_forward_reference(const amc_conv_shape *s, int batch, const float *x, const float *w,
                                const amc_finish *finish, float *y) {
    int channels = s->c / s->groups;
    for (long o = 0; o < (long)(batch * amc_conv_shape_outputs(s)); o++) {
        int ox = o % s->out_w, oy = o / s->out_w % s->out_h, f = o / s->out_w / s->out_h % s->n;
        long b = o / amc_conv_shape_outputs(s), first = f / (s->n / s->groups) * channels;
        double sum = 0;
        for (int c = 0; c < channels; c++) {
            for (int t = 0; t < s->size * s->size; t++) {
                long at = pixel_at(s, oy, ox, t / s->size, t % s->size);
                if (at < 0) continue;
                double weight = w[((long)f * channels + c) * s->size * s->size + t];
                sum += weight * x[((b * s->c + first + c) * s->h) * s->w + at];
            }
        }
        y[o] = finished(finish, f, sum);
    }
}

// Both gradients walk the same sums as the forward pass; `from` and `to` choose which factor is
// added to which.
void amc_conv_backward_weights_reference(const amc_conv_shape *s, int batch, const float *x,
                                         const float *dy, float *dw) {
    int channels = s->c / s->groups;
    for (long i = 0; i < (long)amc_conv_shape_weights(s); i++) {
        int t = i % (s->size * s->size), c = i / (s->size * s->size) % channels,
            f = i / (s->size * s->size) / channels;
        long first = f / (s->n / s->groups) * channels;
        double sum = 0;
        for (long b = 0; b < batch; b++) {
            for (int o = 0; o < s->out_h * s->out_w; o++) {
                long at = pixel_at(s, o / s->out_w, o % s->out_w, t / s->size, t % s->size);
                if (at < 0) continue;
                double back = dy[(b * s->n + f) * s->out_h * s->out_w + o];
                sum += back * x[((b * s->c + first + c) * s->h) * s->w + at];
            }
        }
        dw[i] += (float)sum;
    }
}

void amc_conv_backward_input_reference(const amc_conv_shape *s, int batch, const float *w,
                                       const float *dy, float *dx) {
    int channels = s->c / s->groups, filters = s->n / s->groups;
    for (long i = 0; i < (long)(batch * amc_conv_shape_inputs(s)); i++) {
        int at = i % (s->h * s->w), c = i / (s->h * s->w) % s->c;
        long b = i / amc_conv_shape_inputs(s);
        double sum = 0;
        for (int f = c / channels * filters; f < (c / channels + 1) * filters; f++) {
            for (int o = 0; o < s->out_h * s->out_w; o++) {
                for (int t = 0; t < s->size * s->size; t++) {
                    if (pixel_at(s, o / s->out_w, o % s->out_w, t / s->size, t % s->size) != at)
                        continue;
                    double weight = w[((long)f * channels + c % channels) * s->size * s->size + t];
                    sum += weight * dy[(b * s->n + f) * s->out_h * s->out_w + o];
                }
            }
        }
        dx[i] += (float)sum;
    }
}
