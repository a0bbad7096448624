#include "kernels/patches.h"

#include "kernels/simd.h"

#include <string.h>

static size_t width(const amc_conv_shape *s) {
    return s->w + 2 * s->pad;
}

static int group_channels(const amc_conv_shape *s) {
    return s->c / s->groups;
}

size_t amc_patches_plane(const amc_conv_shape *s, int rows) {
    return rows * width(s);
}

size_t amc_patches_matrix(const amc_conv_shape *s) {
    return (size_t)group_channels(s) * s->size * s->size * s->out_h * s->out_w;
}

bool amc_patches_is_image(const amc_conv_shape *s) {
    return s->size == 1 && s->stride == 1 && s->pad == 0;
}

void amc_patches_frame(const amc_conv_shape *s, int channels, const float *x, int first, int rows,
                       float *frame) {
    size_t plane = amc_patches_plane(s, rows);
    memset(frame, 0, (channels * plane + AMC_PATCHES_SLACK) * sizeof(float));
    for (int c = 0; c < channels; c++, x += (size_t)s->h * s->w) {
        for (int r = 0; r < rows; r++) {
            int row = first + r - s->pad;
            if (row < 0 || row >= s->h) continue;
            memcpy(frame + c * plane + r * width(s) + s->pad, x + (size_t)row * s->w,
                   s->w * sizeof(float));
        }
    }
}

// to[i] = from[i * stride], in eights: up to AMC_PATCHES_SLACK too many are read and written.
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

// What a row writes too much, the next one overwrites.
AMC_CLONES void amc_patches_line(const amc_conv_shape *s, const float *frame, int tap, int rows,
                                 float *line) {
    const float *from = frame + tap / s->size * width(s) + tap % s->size;
    for (int r = 0; r < rows; r++, from += s->stride * width(s), line += s->out_w)
        copy_row(from, s->stride, s->out_w, line);
}

void amc_patches_cut(const amc_conv_shape *s, const float *x, float *frame, float *matrix) {
    int rows = s->h + 2 * s->pad;
    amc_patches_frame(s, group_channels(s), x, 0, rows, frame);
    for (int c = 0; c < group_channels(s); c++, frame += amc_patches_plane(s, rows)) {
        for (int tap = 0; tap < s->size * s->size; tap++, matrix += s->out_h * s->out_w)
            amc_patches_line(s, frame, tap, s->out_h, matrix);
    }
}

AMC_CLONES static void paste_line(const amc_conv_shape *s, const float *line, int tap,
                                  float *frame) {
    float *to = frame + tap / s->size * width(s) + tap % s->size;
    for (int r = 0; r < s->out_h; r++, to += s->stride * width(s), line += s->out_w) {
        for (int i = 0; i < s->out_w; i++) to[i * s->stride] += line[i];
    }
}

// x += the frame without its padding.
AMC_CLONES static void add_inside(const amc_conv_shape *s, int channels, const float *frame,
                                  float *x) {
    for (int c = 0; c < channels; c++, frame += (s->h + 2 * s->pad) * width(s)) {
        for (int r = 0; r < s->h; r++, x += s->w) {
            const float *from = frame + (r + s->pad) * width(s) + s->pad;
            for (int i = 0; i < s->w; i++) x[i] += from[i];
        }
    }
}

void amc_patches_paste(const amc_conv_shape *s, const float *matrix, float *frame, float *x) {
    size_t plane = amc_patches_plane(s, s->h + 2 * s->pad);
    memset(frame, 0, group_channels(s) * plane * sizeof(float));
    for (int c = 0; c < group_channels(s); c++) {
        for (int tap = 0; tap < s->size * s->size; tap++, matrix += s->out_h * s->out_w)
            paste_line(s, matrix, tap, frame + c * plane);
    }
    add_inside(s, group_channels(s), frame, x);
}
