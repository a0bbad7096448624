#include "kernels/conv_shape.h"

#include <assert.h>

amc_conv_shape amc_conv_shape_make(int c, int h, int w, int n, int size, int stride, int pad,
                                   int groups) {
    assert(c > 0 && n > 0 && size > 0 && stride > 0 && pad >= 0);
    assert(groups > 0 && c % groups == 0 && n % groups == 0);
    assert(h + 2 * pad >= size && w + 2 * pad >= size);
    int out_h = (h + 2 * pad - size) / stride + 1;
    int out_w = (w + 2 * pad - size) / stride + 1;
    return (amc_conv_shape){c, h, w, n, size, stride, pad, groups, out_h, out_w};
}
