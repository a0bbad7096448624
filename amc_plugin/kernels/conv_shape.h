// The dimensions of one convolution, as every kernel of it takes them.

#ifndef AMC_KERNELS_CONV_SHAPE_H
#define AMC_KERNELS_CONV_SHAPE_H

#include <stddef.h>

typedef struct amc_conv_shape {
    int c, h, w;      // input: channels, rows, columns; an image is (c, h, w)
    int n;            // filters; weights are (n, c / groups, size, size)
    int size;         // the kernel is size x size
    int stride;       // of the output over the input, both directions
    int pad;          // zeros around the input, on all four sides
    int groups;       // divides c and n; filters of group g see channels g c / groups ... only
    int out_h, out_w; // output: rows, columns; an output is (n, out_h, out_w)
} amc_conv_shape;

// Fills in out_h and out_w. The arguments have to give at least one output pixel.
amc_conv_shape amc_conv_shape_make(int c, int h, int w, int n, int size, int stride, int pad,
                                   int groups);

// Floats in one image, in one output, and in all the weights.
static inline size_t amc_conv_shape_inputs(const amc_conv_shape *s) {
    return (size_t)s->c * s->h * s->w;
}
static inline size_t amc_conv_shape_outputs(const amc_conv_shape *s) {
    return (size_t)s->n * s->out_h * s->out_w;
}
static inline size_t amc_conv_shape_weights(const amc_conv_shape *s) {
    return (size_t)s->n * (s->c / s->groups) * s->size * s->size;
}

#endif
