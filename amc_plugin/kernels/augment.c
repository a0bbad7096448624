#include "kernels/augment.h"

#include "kernels/simd.h"

#include <math.h>

// ---- crops --------------------------------------------------------------------------------------

enum { SPAN = 64 }; // pixels of a row that are located at a time

// The neighbours of each pixel of a span on one axis: where they begin in a plane, and their
// shares. Those outside the image have none.
typedef struct span_axis {
    float position[SPAN];
    int first[SPAN], second[SPAN];
    float first_share[SPAN], second_share[SPAN];
} span_axis;

// Everything about a view that all its pixels share.
typedef struct camera {
    int h, w;                 // of the input
    double cosine, sine;      // of the angle
    double scale, aspect;     //
    double left, top;         // of the output, before scaling
    float shift_x, shift_y;   // in input pixels
    float centre_x, centre_y; // of the input
} camera;

// Where n output pixels of row y, from column x on, lie in the input.
AMC_CLONES static void locate(const camera *c, int y, int x, int n, float *across, float *down) {
    const double cosine = c->cosine, sine = c->sine, narrowed = c->aspect / c->scale;
    const double left = x + c->left, shift = c->shift_x;
    const double below = (y + c->top) / c->scale + c->shift_y;
    const float centre_x = c->centre_x, centre_y = c->centre_y;
    for (int i = 0; i < n; i++) {
        double right = (i + left) * narrowed + shift;
        across[i] = (float)(cosine * right - sine * below + centre_x);
        down[i] = (float)(sine * right + cosine * below + centre_y);
    }
}

static inline __attribute__((always_inline)) int clamp(int i, int last) {
    i = i < last ? i : last;
    return i > 0 ? i : 0;
}

// On an axis of `length` input pixels that lie `step` floats apart.
AMC_CLONES static void neighbours(span_axis *axis, int n, int length, int step) {
    const float end = length;
    for (int i = 0; i < n; i++) {
        float p = axis->position[i];
        p = p > -1 ? p : -1; // far outside is as good as just outside
        p = p < end ? p : end;
        float floor = floorf(p), share = p - floor;
        int at = (int)floor;
        axis->first[i] = clamp(at, length - 1) * step;
        axis->second[i] = clamp(at + 1, length - 1) * step;
        axis->first_share[i] = (floor >= 0) & (floor < end) ? 1 - share : 0;
        axis->second_share[i] = floor + 1 < end ? share : 0;
    }
}

AMC_CLONES static void sample(const float *plane, const span_axis *across, const span_axis *down,
                              int n, float *y) {
    const int *left = across->first, *right = across->second, *above = down->first,
              *below = down->second;
#pragma omp simd
    for (int i = 0; i < n; i++) {
        float x0 = across->first_share[i], x1 = across->second_share[i];
        float y0 = down->first_share[i], y1 = down->second_share[i];
        y[i] = y0 * x0 * plane[above[i] + left[i]] + y1 * x0 * plane[below[i] + left[i]] +
               y0 * x1 * plane[above[i] + right[i]] + y1 * x1 * plane[below[i] + right[i]];
    }
}

void amc_augment_crop(const amc_augment_view *view, int c, int h, int w, const float *x, int out_h,
                      int out_w, float *y) {
    float s = view->scale, aspect = view->aspect;
    camera cam = {h,       w,           cos(view->angle), sin(view->angle),      s,
                  aspect,  -out_w / 2., -out_h / 2.,      view->dx / s * aspect, view->dy / s,
                  w / 2.f, h / 2.f};
    span_axis across, down;
    for (int r = 0; r < out_h; r++) {
        for (int i = 0; i < out_w; i += SPAN) {
            int n = out_w - i < SPAN ? out_w - i : SPAN;
            locate(&cam, r, i, n, across.position, down.position);
            neighbours(&across, n, w, 1);
            neighbours(&down, n, h, w);
            for (int p = 0; p < c; p++)
                sample(x + (size_t)p * h * w, &across, &down, n,
                       y + ((size_t)p * out_h + r) * out_w + i);
        }
    }
}

// ---- colours ------------------------------------------------------------------------------------

// One channel of the colour with that hue (0 ... 6), offset being 5 for red, 3 green, 1 blue.
static inline __attribute__((always_inline)) float channel(float hue, float saturation, float value,
                                                           float offset) {
    float k = hue + offset;
    k = k >= 6 ? k - 6 : k;
    float part = k < 4 - k ? k : 4 - k;
    part = part < 0 ? 0 : part < 1 ? part : 1;
    float v = value * (1 - saturation * part);
    return v < 0 ? 0 : v < 1 ? v : 1;
}

AMC_CLONES static void distort(float *red, float *green, float *blue, size_t n, float turn,
                               float saturation, float exposure) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float r = red[i], g = green[i], b = blue[i];
        float low = r < g ? r : g, high = r < g ? g : r;
        low = low < b ? low : b;
        high = high < b ? b : high;
        float range = high - low, by_range = range > 0 ? 1 / range : 0;
        float h = r == high   ? (g - b) * by_range
                  : g == high ? 2 + (b - r) * by_range
                              : 4 + (r - g) * by_range;
        float s = high > 0 ? range / high * saturation : 0, v = high * exposure;
        h = (h < 0 ? h + 6 : h) + turn;
        h = h > 6 ? h - 6 : h;
        h = h < 0 ? h + 6 : h;
        red[i] = channel(h, s, v, 5);
        green[i] = channel(h, s, v, 3);
        blue[i] = channel(h, s, v, 1);
    }
}

AMC_CLONES static void hold(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = x[i] < 0 ? 0 : x[i] < 1 ? x[i] : 1;
}

void amc_augment_distort(float *x, size_t pixels, float hue, float saturation, float exposure) {
    if (hue == 0 && saturation == 1 && exposure == 1) {
        hold(x, 3 * pixels); // the same colours come back
    } else {
        distort(x, x + pixels, x + 2 * pixels, pixels, 6 * hue, saturation, exposure);
    }
}
