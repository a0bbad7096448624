// What training does to images so that it doesn't see the same twice: turned and scaled crops,
// shifted colours. Darknet's formulas, a row at a time; images are planes (c, h, w) of floats.

#ifndef AMC_KERNELS_AUGMENT_H
#define AMC_KERNELS_AUGMENT_H

#include <stddef.h>

// Which part of an image is seen, and how large. The output's centre lies dx, dy output pixels from
// the input's.
typedef struct amc_augment_view {
    float angle;  // radians
    float scale;  // output pixels in an input pixel
    float aspect; // by which it is narrowed
    float dx, dy;
} amc_augment_view;

// y (c, out_h, out_w) from x (c, h, w) by bilinear interpolation; outside of the image there are
// zeros.
void amc_augment_crop(const amc_augment_view *view, int c, int h, int w, const float *x, int out_h,
                      int out_w, float *y);

// x (3, pixels) in RGB: `hue` is added to the hue (1 is a full turn), saturation and value are
// multiplied, and the result is held between 0 and 1.
void amc_augment_distort(float *x, size_t pixels, float hue, float saturation, float exposure);

#endif
