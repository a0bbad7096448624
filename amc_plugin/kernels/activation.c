#include "kernels/activation.h"

#include "kernels/simd.h"

#include <string.h>

AMC_CLONES static void scaled(const float *x, size_t n, float centre, float scale, float shift,
                              float *y) {
    for (size_t i = 0; i < n; i++) y[i] = (x[i] - centre) * scale + shift;
}

AMC_CLONES static void scaled_sloped(const float *x, size_t n, float centre, float scale,
                                     float shift, float slope, float *y) {
    for (size_t i = 0; i < n; i++) {
        float v = (x[i] - centre) * scale + shift;
        float low = slope * v;
        y[i] = v > 0 ? v : low;
    }
}

AMC_CLONES static void sloped(float *x, size_t n, float slope) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] > 0 ? x[i] : slope * x[i];
}

AMC_CLONES static void sloped_back(const float *y, size_t n, float slope, float *delta) {
    for (size_t i = 0; i < n; i++) delta[i] = y[i] > 0 ? delta[i] : slope * delta[i];
}

void amc_activation_scaled(const float *x, size_t n, float centre, float scale, float shift,
                           amc_activation act, float *y) {
    if (act == AMC_LINEAR) {
        scaled(x, n, centre, scale, shift, y);
    } else {
        scaled_sloped(x, n, centre, scale, shift, amc_activation_slope(act), y);
    }
}

void amc_activation_forward(float *x, size_t n, amc_activation act) {
    if (act != AMC_LINEAR) sloped(x, n, amc_activation_slope(act));
}

void amc_activation_backward(const float *y, size_t n, amc_activation act, float *delta) {
    if (act != AMC_LINEAR) sloped_back(y, n, amc_activation_slope(act), delta);
}

amc_affine amc_finish_of(const amc_finish *finish, int i) {
    amc_affine a = {0, 1, 0, 1};
    if (!finish) return a;
    if (finish->centre) a.centre = finish->centre[i];
    if (finish->scale) a.scale = finish->scale[i];
    if (finish->shift) a.shift = finish->shift[i];
    a.slope = amc_activation_slope(finish->act);
    return a;
}

void amc_finish_row(const amc_finish *finish, int i, const float *x, size_t n, float *y) {
    if (finish) {
        amc_affine a = amc_finish_of(finish, i);
        amc_activation_scaled(x, n, a.centre, a.scale, a.shift, finish->act, y);
    } else if (y != x) {
        memcpy(y, x, n * sizeof(float));
    }
}
