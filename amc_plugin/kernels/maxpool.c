#include "kernels/maxpool.h"

#include "kernels/parallel.h"
#include "kernels/simd.h"

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { LANES = 8 };

// The part of a window from `first` that lies in 0 ... length - 1.
static inline void clip(int first, int size, int length, int *from, int *to) {
    *from = first < 0 ? 0 : first;
    *to = first + size > length ? length : first + size;
}

// n outputs whose windows are 2 x 2 and lie side by side: `above` and `below` are the rows that
// they see, `first` where in the image the first one's upper left corner is, w the image's width.
static inline __attribute__((always_inline)) void pool_pairs(const float *above, const float *below,
                                                             int first, int w, int n, float *y,
                                                             int *indexes) {
#pragma omp simd
    for (int i = 0; i < n; i++) {
        int at = first + 2 * i, best = -1;
        float most = -FLT_MAX;
        best = above[2 * i] > most ? at : best;
        most = above[2 * i] > most ? above[2 * i] : most;
        best = above[2 * i + 1] > most ? at + 1 : best;
        most = above[2 * i + 1] > most ? above[2 * i + 1] : most;
        best = below[2 * i] > most ? at + w : best;
        most = below[2 * i] > most ? below[2 * i] : most;
        best = below[2 * i + 1] > most ? at + w + 1 : best;
        most = below[2 * i + 1] > most ? below[2 * i + 1] : most;
        y[i] = most;
        indexes[i] = best;
    }
}

// One row of outputs. What is left of it after full vectors is computed in one that is padded: one
// by one, it would be a branch an input, each as likely as not.
AMC_CLONES static void forward_pairs(const float *x, int at, int w, int n, int base, float *y,
                                     int *indexes) {
    const float *above = x + at, *below = above + w;
    int full = n / LANES * LANES, rest = n - full, best[LANES];
    float rows[2][2 * LANES] = {{0}}, most[LANES];
    pool_pairs(above, below, base + at, w, full, y, indexes);
    if (rest == 0) return;
    memcpy(rows[0], above + 2 * full, 2 * rest * sizeof(float));
    memcpy(rows[1], below + 2 * full, 2 * rest * sizeof(float));
    pool_pairs(rows[0], rows[1], base + at + 2 * full, w, LANES, most, best);
    memcpy(y + full, most, rest * sizeof(float));
    memcpy(indexes + full, best, rest * sizeof(int));
}

static bool is_pairs(const amc_maxpool_shape *s) {
    return s->size == 2 && s->stride == 2 && s->offset == 0 && 2 * s->out_h <= s->h &&
           2 * s->out_w <= s->w;
}

// The maximum of the window [left, right) x [top, bottom), and where it is.
static float window(const float *x, int w, int left, int right, int top, int bottom, int *best) {
    float most = -FLT_MAX;
    *best = -1;
    for (int r = top; r < bottom; r++) {
        for (int i = r * w + left; i < r * w + right; i++) {
            *best = x[i] > most ? i : *best;
            most = x[i] > most ? x[i] : most;
        }
    }
    return most;
}

static void forward_plane(const amc_maxpool_shape *s, const float *x, int base, float *y,
                          int *indexes) {
    for (int r = 0; r < s->out_h; r++, y += s->out_w, indexes += s->out_w) {
        int left, right, top, bottom, best;
        if (is_pairs(s)) {
            forward_pairs(x, 2 * r * s->w, s->w, s->out_w, base, y, indexes);
            continue;
        }
        clip(r * s->stride + s->offset, s->size, s->h, &top, &bottom);
        for (int i = 0; i < s->out_w; i++) {
            clip(i * s->stride + s->offset, s->size, s->w, &left, &right);
            y[i] = window(x, s->w, left, right, top, bottom, &best);
            indexes[i] = best < 0 ? -1 : base + best;
        }
    }
}

void amc_maxpool_forward(const amc_maxpool_shape *s, int planes, const float *x, float *y,
                         int *indexes) {
    int in = s->h * s->w, out = s->out_h * s->out_w;
#pragma omp parallel for schedule(dynamic, 16) if (amc_parallel_is_free())
    for (int p = 0; p < planes; p++)
        forward_plane(s, x + (size_t)p * in, p * in, y + (size_t)p * out,
                      indexes + (size_t)p * out);
}

void amc_maxpool_backward(const amc_maxpool_shape *s, int planes, const int *indexes,
                          const float *dy, float *dx) {
    int out = s->out_h * s->out_w;
#pragma omp parallel for schedule(dynamic, 16) if (amc_parallel_is_free())
    for (int p = 0; p < planes; p++) {
        for (size_t i = (size_t)p * out; i < (size_t)(p + 1) * out; i++) {
            if (indexes[i] >= 0) dx[indexes[i]] += dy[i];
        }
    }
}
