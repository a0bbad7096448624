// Rows of images with their zero padding in place, so that what one kernel tap sees from
// neighbouring output pixels lies side by side. With a stride, a padded row is held as that many
// rows: of every stride-th pixel from the first, from the second, ...

#ifndef AMC_KERNELS_FRAME_H
#define AMC_KERNELS_FRAME_H

#include "kernels/conv_shape.h"
#include "kernels/simd.h"

enum { AMC_FRAME_SLACK = 16 }; // floats after a frame's and a line's end that are touched

// Floats of one of the rows that a padded row is held as.
static inline int amc_frame_width(const amc_conv_shape *s) {
    return (s->w + 2 * s->pad + s->stride - 1) / s->stride;
}

// Floats of a channel of the frame that `rows` output rows see.
static inline int amc_frame_plane(const amc_conv_shape *s, int rows) {
    return ((rows - 1) * s->stride + s->size) * s->stride * amc_frame_width(s);
}

// From what tap (0, 0) of an output pixel reads to what tap (ky, kx) reads.
static inline int amc_frame_tap(const amc_conv_shape *s, int ky, int kx) {
    return (ky * s->stride + kx % s->stride) * amc_frame_width(s) + kx / s->stride;
}

// From what an output pixel's tap reads to what that of the pixel below reads.
static inline int amc_frame_down(const amc_conv_shape *s) {
    return s->stride * s->stride * amc_frame_width(s);
}

// to[0 .. n) = from[0 .. n): rows are too short for memcpy to be worth its call.
static inline __attribute__((always_inline)) void amc_frame_copy_row(const float *from, int n,
                                                                     float *to) {
    enum { LANES = 8 };
    for (int i = 0; i < n - LANES; i += LANES) *(amc_v8 *)(to + i) = *(const amc_v8 *)(from + i);
    if (n >= LANES)
        *(amc_v8 *)(to + n - LANES) = *(const amc_v8 *)(from + n - LANES);
    else
        for (int i = 0; i < n; i++) to[i] = from[i];
}

// Floats of scratch that filling needs.
static inline size_t amc_frame_line(const amc_conv_shape *s) {
    return (size_t)s->w + 2 * s->pad + s->stride + AMC_FRAME_SLACK;
}

// frame = what output rows row .. row + rows see of `channels` channels (h, w) at x: (channels,
// plane). line: scratch.
void amc_frame_fill(const amc_conv_shape *s, int channels, const float *x, int row, int rows,
                    float *line, float *frame);

#endif
