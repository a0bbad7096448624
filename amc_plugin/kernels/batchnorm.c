#include "kernels/batchnorm.h"

#include "kernels/integers.h"
#include "kernels/neighbours.h"
#include "kernels/parallel.h"
#include "kernels/simd.h"

#include <math.h>
#include <stddef.h>

static const float FORWARD_EPS = 1e-6f, BACKWARD_EPS = 1e-5f, ROLL = 0.01f;

enum {
    BLOCK = 2048, // floats that the first cache keeps from one pass to the next
    MOST = AMC_NEIGHBOURS_MOST,
};

// Neighbouring channels of a batch, a row of pixels each, and the images `step` floats apart.
typedef struct channels {
    int batch, n, pixels;
    size_t step;
} channels;

// ---- sums over rows -----------------------------------------------------------------------------

// Four vectors at a time: adding to one has to wait for the addition before.
static inline __attribute__((always_inline)) float sum_row(const float *x, int pixels) {
    amc_v8 sums[4] = {{0}};
    float rest = 0;
    int i = 0;
    for (; i + 32 <= pixels; i += 32)
        for (int j = 0; j < 4; j++) sums[j] += *(const amc_v8 *)(x + i + 8 * j);
    for (; i + 8 <= pixels; i += 8) sums[0] += *(const amc_v8 *)(x + i);
    for (; i < pixels; i++) rest += x[i];
    return amc_v8_sum((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest;
}

static inline __attribute__((always_inline)) float sum_row_squares(const float *x, int pixels,
                                                                   float mean) {
    amc_v8 sums[4] = {{0}};
    float rest = 0;
    int i = 0;
    for (; i + 32 <= pixels; i += 32) {
        for (int j = 0; j < 4; j++) {
            amc_v8 d = *(const amc_v8 *)(x + i + 8 * j) - mean;
            sums[j] += d * d;
        }
    }
    for (; i + 8 <= pixels; i += 8) {
        amc_v8 d = *(const amc_v8 *)(x + i) - mean;
        sums[0] += d * d;
    }
    for (; i < pixels; i++) rest += (x[i] - mean) * (x[i] - mean);
    return amc_v8_sum((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest;
}

// sums (n): each channel's.
AMC_CLONES static void sum_channels(const channels *s, const float *x, double *sums) {
    for (int k = 0; k < s->n; k++) sums[k] = 0;
    for (int b = 0; b < s->batch; b++, x += s->step)
        for (int k = 0; k < s->n; k++) sums[k] += sum_row(x + (size_t)k * s->pixels, s->pixels);
}

// The same of the squared distances from means (n).
AMC_CLONES static void sum_squares(const channels *s, const float *x, const double *means,
                                   double *sums) {
    for (int k = 0; k < s->n; k++) sums[k] = 0;
    for (int b = 0; b < s->batch; b++, x += s->step)
        for (int k = 0; k < s->n; k++)
            sums[k] += sum_row_squares(x + (size_t)k * s->pixels, s->pixels, (float)means[k]);
}

// ---- mean and variance --------------------------------------------------------------------------

// The mean of count numbers and the sum of their squared distances from it.
typedef struct moments {
    double count, mean, squares;
} moments;

static moments join(moments a, moments b) {
    double count = a.count + b.count, apart = b.mean - a.mean;
    return (moments){count, a.mean + apart * b.count / count,
                     a.squares + b.squares + apart * apart * a.count * b.count / count};
}

// Joins those of a block of each channel to all (n).
static void join_block(const channels *s, const float *x, moments *all) {
    double means[MOST], squares[MOST], count = (double)s->batch * s->pixels;
    sum_channels(s, x, means);
    for (int k = 0; k < s->n; k++) means[k] /= count;
    sum_squares(s, x, means, squares);
    for (int k = 0; k < s->n; k++) all[k] = join(all[k], (moments){count, means[k], squares[k]});
}

// Memory is read once, yet distances are taken from a mean: that of the block at hand.
static void moments_of(const channels *s, const float *x, moments *all) {
    int width = amc_min(s->pixels, BLOCK), rows = BLOCK / width;
    for (int k = 0; k < s->n; k++) all[k] = (moments){0};
    for (int b = 0; b < s->batch; b += rows) {
        channels block = *s;
        block.batch = amc_min(rows, s->batch - b);
        for (int i = 0; i < s->pixels; i += width) { // several of one channel alone
            block.pixels = amc_min(width, s->pixels - i);
            join_block(&block, x + b * s->step + i, all);
        }
    }
}

// ---- gradients ----------------------------------------------------------------------------------

// delta * act'(y), where y = act(v) for the affine v of x that forward computed: its sign is found
// again, so that y need not be read.
static inline __attribute__((always_inline)) amc_v8 gradient_vector(amc_v8 x, amc_v8 delta,
                                                                    amc_affine a) {
    amc_v8 v = (x - a.centre) * a.scale + a.shift, low = delta * a.slope;
    amc_v8i above = v > 0;
    return (amc_v8)(((amc_v8i)delta & above) | ((amc_v8i)low & ~above));
}

static inline float gradient(float x, float delta, amc_affine a) {
    return (x - a.centre) * a.scale + a.shift > 0 ? delta : delta * a.slope;
}

// The sum of d = delta * act'(y), and that of d * (x - mean).
typedef struct gradient_sums {
    double sum, dot;
} gradient_sums;

static inline __attribute__((always_inline)) void
add_row(const float *x, const float *delta, int pixels, amc_affine a, gradient_sums *to) {
    amc_v8 sums[2] = {{0}}, dots[2] = {{0}};
    float sum_rest = 0, dot_rest = 0;
    int i = 0;
    for (; i + 16 <= pixels; i += 16) {
        for (int j = 0; j < 2; j++) {
            amc_v8 xi = *(const amc_v8 *)(x + i + 8 * j);
            amc_v8 d = gradient_vector(xi, *(const amc_v8 *)(delta + i + 8 * j), a);
            sums[j] += d;
            dots[j] += d * (xi - a.centre);
        }
    }
    for (; i < pixels; i++) {
        float d = gradient(x[i], delta[i], a);
        sum_rest += d;
        dot_rest += d * (x[i] - a.centre);
    }
    to->sum += amc_v8_sum(sums[0] + sums[1]) + sum_rest;
    to->dot += amc_v8_sum(dots[0] + dots[1]) + dot_rest;
}

// Those of each channel; a, sums (n).
AMC_CLONES static void sum_gradients(const channels *s, const float *x, const float *delta,
                                     const amc_affine *a, gradient_sums *sums) {
    for (int k = 0; k < s->n; k++) sums[k] = (gradient_sums){0};
    for (int b = 0; b < s->batch; b++, x += s->step, delta += s->step)
        for (int k = 0; k < s->n; k++) {
            size_t row = (size_t)k * s->pixels;
            add_row(x + row, delta + row, s->pixels, a[k], &sums[k]);
        }
}

// delta = by_delta * delta * act'(y) + by_x * (x - mean) + shift
AMC_CLONES static void apply_gradients(const float *x, size_t n, amc_affine a, float by_delta,
                                       float by_x, float shift, float *delta) {
    for (size_t i = 0; i < n; i++) {
        float centred = x[i] - a.centre, low = delta[i] * a.slope;
        float d = centred * a.scale + a.shift > 0 ? delta[i] : low;
        delta[i] = by_delta * d + by_x * centred + shift;
    }
}

// ---- layers -------------------------------------------------------------------------------------

// Those from channel `first` on.
static channels channels_from(int first, int batch, int c, int pixels) {
    int n = amc_min(amc_neighbours(c, pixels), c - first);
    return (channels){batch, n, pixels, (size_t)c * pixels};
}

// Darknet divides 0 by 0 for a batch of one pixel; one is the only sensible denominator there.
static double variance_count(int batch, int pixels) {
    double count = (double)batch * pixels - 1;
    return count > 0 ? count : 1;
}

// What forward does to channel i, from the batch's statistics.
static amc_affine affine_of(const amc_batchnorm *bn, int i, amc_activation act) {
    return (amc_affine){bn->mean[i], bn->scales[i] / (sqrtf(bn->variance[i]) + FORWARD_EPS),
                        bn->biases[i], amc_activation_slope(act)};
}

static void set_statistics(const amc_batchnorm *bn, int i, const channels *s, moments m) {
    bn->mean[i] = (float)m.mean;
    bn->variance[i] = (float)(m.squares / variance_count(s->batch, s->pixels));
    bn->rolling_mean[i] += ROLL * (bn->mean[i] - bn->rolling_mean[i]);
    bn->rolling_variance[i] += ROLL * (bn->variance[i] - bn->rolling_variance[i]);
}

// The last pass over channels goes backwards through the batch, which meets in the cache what the
// pass before left there.
static void normalize(const amc_batchnorm *bn, int first, const channels *s, const float *x,
                      amc_activation act, float *y) {
    moments m[MOST];
    amc_affine a[MOST];
    moments_of(s, x, m);
    for (int k = 0; k < s->n; k++) {
        set_statistics(bn, first + k, s, m[k]);
        a[k] = affine_of(bn, first + k, act);
    }
    for (int b = s->batch; b-- > 0;)
        for (int k = 0; k < s->n; k++) {
            size_t row = b * s->step + (size_t)k * s->pixels;
            amc_activation_scaled(x + row, s->pixels, a[k].centre, a[k].scale, a[k].shift, act,
                                  y + row);
        }
}

void amc_batchnorm_forward(const amc_batchnorm *bn, int batch, int c, int pixels, const float *x,
                           amc_activation act, float *y) {
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int i = 0; i < c; i += amc_neighbours(c, pixels)) {
        channels s = channels_from(i, batch, c, pixels);
        size_t at = (size_t)i * pixels;
        normalize(bn, i, &s, x + at, act, y + at);
    }
}

// What backward does to delta of one channel.
typedef struct gradient_affine {
    float by_delta, by_x, shift;
} gradient_affine;

static gradient_affine gradient_of(const amc_batchnorm *bn, int i, const channels *s,
                                   gradient_sums of) {
    double count = (double)s->batch * s->pixels;
    double v = bn->variance[i] + BACKWARD_EPS, scale = bn->scales[i];
    double by_variance = scale * of.dot * -0.5 / (v * sqrt(v)), by_mean = -scale * of.sum / sqrt(v);
    return (gradient_affine){(float)(scale / sqrt(v)), (float)(2 * by_variance / count),
                             (float)(by_mean / count)};
}

static void propagate(const amc_batchnorm *bn, int first, const channels *s, const float *x,
                      amc_activation act, float *delta) {
    amc_affine a[MOST] = {{0}};
    gradient_sums sums[MOST];
    gradient_affine g[MOST];
    for (int k = 0; k < s->n; k++) a[k] = affine_of(bn, first + k, act);
    sum_gradients(s, x, delta, a, sums);
    for (int k = 0; k < s->n; k++) {
        int i = first + k;
        bn->bias_updates[i] += (float)sums[k].sum;
        bn->scale_updates[i] += (float)(sums[k].dot / (sqrt(bn->variance[i]) + FORWARD_EPS));
        g[k] = gradient_of(bn, i, s, sums[k]);
    }
    for (int b = s->batch; b-- > 0;)
        for (int k = 0; k < s->n; k++) {
            size_t row = b * s->step + (size_t)k * s->pixels;
            apply_gradients(x + row, s->pixels, a[k], g[k].by_delta, g[k].by_x, g[k].shift,
                            delta + row);
        }
}

void amc_batchnorm_backward(const amc_batchnorm *bn, int batch, int c, int pixels, const float *x,
                            amc_activation act, float *delta) {
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int i = 0; i < c; i += amc_neighbours(c, pixels)) {
        channels s = channels_from(i, batch, c, pixels);
        size_t at = (size_t)i * pixels;
        propagate(bn, i, &s, x + at, act, delta + at);
    }
}

void amc_bias_backward(int batch, int c, int pixels, const float *y, const float *scale,
                       amc_activation act, float *delta, float *bias_updates) {
    size_t step = (size_t)c * pixels;
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int i = 0; i < c; i++) {
        float *di = delta + (size_t)i * pixels;
        for (int b = 0; b < batch && act != AMC_LINEAR; b++)
            amc_activation_backward(y + b * step + (size_t)i * pixels, pixels, act, di + b * step);
        double sum;
        sum_channels(&(channels){batch, 1, pixels, step}, di, &sum);
        bias_updates[i] += (float)sum;
        for (int b = 0; b < batch && scale; b++)
            amc_activation_scaled(di + b * step, pixels, 0, scale[i], 0, AMC_LINEAR, di + b * step);
    }
}

void amc_batchnorm_scale(const amc_batchnorm *bn, int c, float *scale) {
    for (int i = 0; i < c; i++)
        scale[i] = bn->scales[i] / (sqrtf(bn->rolling_variance[i]) + FORWARD_EPS);
}

// ---- references ---------------------------------------------------------------------------------

#define EACH(b, j)                                                                                 \
    for (int b = 0; b < batch; b++)                                                                \
        for (int j = 0; j < pixels; j++)
#define AT(b, i, j) (((size_t)(b)*c + (i)) * pixels + (j))

void amc_batchnorm_forward_reference(const amc_batchnorm *bn, int batch, int c, int pixels,
                                     const float *x, float *y) {
    for (int i = 0; i < c; i++) {
        double mean = 0, variance = 0;
        EACH(b, j) mean += x[AT(b, i, j)] / ((double)batch * pixels);
        EACH(b, j)
        variance +=
            (x[AT(b, i, j)] - mean) * (x[AT(b, i, j)] - mean) / variance_count(batch, pixels);
        bn->mean[i] = (float)mean;
        bn->variance[i] = (float)variance;
        EACH(b, j)
        y[AT(b, i, j)] =
            (float)((x[AT(b, i, j)] - mean) / (sqrt(variance) + FORWARD_EPS) * bn->scales[i] +
                    bn->biases[i]);
    }
}

void amc_batchnorm_backward_reference(const amc_batchnorm *bn, int batch, int c, int pixels,
                                      const float *x, float *delta) {
    double count = (double)batch * pixels;
    for (int i = 0; i < c; i++) {
        double mean = bn->mean[i], variance = bn->variance[i], s = sqrt(variance + BACKWARD_EPS);
        double by_bias = 0, by_scale = 0, by_mean = 0, by_variance = 0;
        EACH(b, j) {
            double d = delta[AT(b, i, j)], centred = x[AT(b, i, j)] - mean;
            by_bias += d;
            by_scale += d * centred / (sqrt(variance) + FORWARD_EPS);
            by_mean += -d * bn->scales[i] / s;
            by_variance += d * bn->scales[i] * centred * -0.5 / (s * s * s);
        }
        bn->bias_updates[i] += (float)by_bias;
        bn->scale_updates[i] += (float)by_scale;
        EACH(b, j)
        delta[AT(b, i, j)] =
            (float)(delta[AT(b, i, j)] * bn->scales[i] / s +
                    by_variance * 2 * (x[AT(b, i, j)] - mean) / count + by_mean / count);
    }
}
