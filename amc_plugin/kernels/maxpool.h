// Max pooling with Darknet's windows: output (r, i) looks at input rows r * stride + offset ... +
// size - 1, columns alike, as far as they lie in the image. The first of equal values wins; NaN
// never does.

#ifndef AMC_KERNELS_MAXPOOL_H
#define AMC_KERNELS_MAXPOOL_H

typedef struct amc_maxpool_shape {
    int h, w, out_h, out_w;   // of one channel, before and after
    int size, stride, offset; // offset is -padding / 2
} amc_maxpool_shape;

// x is (planes, h, w), a plane being one channel of one image; y and indexes are (planes, out_h,
// out_w). indexes says where in x each maximum was found, -1 for a window outside the image.
void amc_maxpool_forward(const amc_maxpool_shape *s, int planes, const float *x, float *y,
                         int *indexes);

// dx[indexes[i]] += dy[i]
void amc_maxpool_backward(const amc_maxpool_shape *s, int planes, const int *indexes,
                          const float *dy, float *dx);

#endif
