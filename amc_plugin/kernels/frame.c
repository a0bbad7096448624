#include "kernels/frame.h"

#include "kernels/simd.h"

#include <string.h>

enum { LANES = 8, PAIRS = 2 * LANES };

// to[i] = line[i * stride + phase] for every phase, which are `width` floats each.
static inline void split_line(const float *line, int stride, int width, float *to) {
    for (int phase = 0; phase < stride; phase++, to += width)
        for (int i = 0; i < width; i++) to[i] = line[i * stride + phase];
}

// A padded row; `width` floats are set.
static inline void pad_row(const amc_conv_shape *s, const float *x, int width, float *to) {
    for (int i = 0; i < s->pad; i++) to[i] = 0;
    amc_frame_copy_row(x, s->w, to + s->pad);
    for (int i = s->pad + s->w; i < width; i++) to[i] = 0;
}

// even[i] = x[2 i], odd[i] = x[2 i + 1] of a row of w >= PAIRS pixels.
static inline void split_pairs(const float *x, int w, float *even, float *odd) {
    for (int i = 0; i < w; i += PAIRS) {
        int at = i < w - PAIRS ? i : w - PAIRS;
        amc_v8 low = *(const amc_v8 *)(x + at), high = *(const amc_v8 *)(x + at + LANES);
        float *first = at % 2 ? odd + at / 2 : even + at / 2,
              *second = at % 2 ? even + at / 2 + 1 : odd + at / 2;
        *(amc_v8 *)first = __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
        *(amc_v8 *)second = __builtin_shufflevector(low, high, 1, 3, 5, 7, 9, 11, 13, 15);
    }
}

// A padded row with a stride of 2, `width` floats for each phase.
static inline void pad_pairs(const amc_conv_shape *s, const float *x, int width, float *to) {
    int even = s->pad / 2, odd = (s->pad + 1) / 2; // where x[0] and x[1] go to
    float *evens = to + s->pad % 2 * width, *odds = to + width - s->pad % 2 * width;
    for (int i = 0; i < even; i++) evens[i] = 0;
    for (int i = 0; i < odd; i++) odds[i] = 0;
    split_pairs(x, s->w, evens + even, odds + odd);
    for (int i = even + (s->w + 1) / 2; i < width; i++) evens[i] = 0;
    for (int i = odd + s->w / 2; i < width; i++) odds[i] = 0;
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
            } else if (s->stride == 2 && s->w >= PAIRS) {
                pad_pairs(s, x + (size_t)from * s->w, width, frame);
            } else {
                pad_row(s, x + (size_t)from * s->w, step, line);
                split_line(line, s->stride, width, frame);
            }
        }
}
