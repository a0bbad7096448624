#include "kernels/frame.h"

#include "kernels/parallel.h"

#include <string.h>

enum { LANES = 8 };

// to[i] = line[i * stride + phase] for every phase, which are `width` floats each.
static inline void split_line(const float *line, int stride, int width, float *to) {
    for (int phase = 0; phase < stride; phase++, to += width)
        for (int i = 0; i < width; i++) to[i] = line[i * stride + phase];
}

// The same for a stride of 2, in eights: up to LANES floats too many are read and written.
static inline void split_pairs(const float *line, int width, float *to) {
    for (int i = 0; i < width; i += LANES) {
        amc_v8 low = *(const amc_v8 *)(line + 2 * i),
               high = *(const amc_v8 *)(line + 2 * i + LANES);
        *(amc_v8 *)(to + i) = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
    }
    for (int i = 0; i < width; i += LANES) {
        amc_v8 low = *(const amc_v8 *)(line + 2 * i),
               high = *(const amc_v8 *)(line + 2 * i + LANES);
        *(amc_v8 *)(to + width + i) = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
    }
}

static inline void copy_row(const float *from, int n, float *to) {
    for (int i = 0; i < n - LANES; i += LANES) *(amc_v8 *)(to + i) = *(const amc_v8 *)(from + i);
    *(amc_v8 *)(to + n - LANES) = *(const amc_v8 *)(from + n - LANES);
}

// A padded row; `width` floats are set.
static inline void pad_row(const amc_conv_shape *s, const float *x, int width, float *to) {
    for (int i = 0; i < s->pad; i++) to[i] = 0;
    if (s->w >= LANES)
        copy_row(x, s->w, to + s->pad);
    else
        for (int i = 0; i < s->w; i++) to[s->pad + i] = x[i];
    for (int i = s->pad + s->w; i < width; i++) to[i] = 0;
}

AMC_CLONES void amc_frame_fill(const amc_conv_shape *s, int channels, const float *x, int row,
                               int rows, float *line, float *frame) {
    int width = amc_frame_width(s), step = s->stride * width;
    int seen = (rows - 1) * s->stride + s->size;
    for (int c = 0; c < channels; c++, x += (size_t)s->h * s->w)
        for (int r = 0; r < seen; r++, frame += step) {
            int from = row * s->stride + r - s->pad;
            if (from < 0 || from >= s->h) {
                memset(frame, 0, (size_t)step * sizeof(float));
            } else if (s->stride == 1) {
                pad_row(s, x + (size_t)from * s->w, width, frame);
            } else {
                pad_row(s, x + (size_t)from * s->w, step, line);
                if (s->stride == 2)
                    split_pairs(line, width, frame);
                else
                    split_line(line, s->stride, width, frame);
            }
        }
}
