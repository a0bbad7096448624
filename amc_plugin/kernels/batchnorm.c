#include "kernels/batchnorm.h"

#include "kernels/parallel.h"

#include <math.h>
#include <stddef.h>

static const float FORWARD_EPS = 1e-6f, BACKWARD_EPS = 1e-5f, ROLL = 0.01f;

enum { BLOCK = 2048 }; // floats that the first cache keeps from one pass to the next

// ---- one channel, whose rows of `pixels` floats lie `step` floats apart -------------------------

// Four vectors at a time: adding to one has to wait for the addition before.
AMC_CLONES static double sum_channel(const float *x, int batch, size_t step, int pixels) {
    double total = 0;
    for (int b = 0; b < batch; b++, x += step) {
        amc_v8 sums[4] = {{0}};
        float rest = 0;
        int i = 0;
        for (; i + 32 <= pixels; i += 32)
            for (int j = 0; j < 4; j++) sums[j] += *(const amc_v8 *)(x + i + 8 * j);
        for (; i + 8 <= pixels; i += 8) sums[0] += *(const amc_v8 *)(x + i);
        for (; i < pixels; i++) rest += x[i];
        total += amc_v8_sum((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest;
    }
    return total;
}

AMC_CLONES static double sum_squares(const float *x, int batch, size_t step, int pixels,
                                     float mean) {
    double total = 0;
    for (int b = 0; b < batch; b++, x += step) {
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
        total += amc_v8_sum((sums[0] + sums[2]) + (sums[1] + sums[3])) + rest;
    }
    return total;
}

// The mean of count numbers and the sum of their squared distances from it.
typedef struct moments {
    double count, mean, squares;
} moments;

static moments join(moments a, moments b) {
    double count = a.count + b.count, apart = b.mean - a.mean;
    return (moments){count, a.mean + apart * b.count / count,
                     a.squares + b.squares + apart * apart * a.count * b.count / count};
}

// Memory is read once, yet distances are taken from a mean: that of the block at hand.
static moments moments_of(const float *x, int batch, size_t step, int pixels) {
    int width = pixels < BLOCK ? pixels : BLOCK, rows = BLOCK / width;
    moments all = {0};
    for (int b = 0; b < batch; b += rows) {
        int height = batch - b < rows ? batch - b : rows;
        for (int i = 0; i < pixels; i += width) {
            int length = pixels - i < width ? pixels - i : width;
            const float *block = x + b * step + i;
            moments m = {.count = (double)height * length};
            m.mean = sum_channel(block, height, step, length) / m.count;
            m.squares = sum_squares(block, height, step, length, (float)m.mean);
            all = join(all, m);
        }
    }
    return all;
}

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

// With d = delta * act'(y): *sum = sum of d, *dot = sum of d * (x - mean).
AMC_CLONES static void sum_gradients(const float *x, const float *delta, int batch, size_t step,
                                     int pixels, amc_affine a, double *sum, double *dot) {
    *sum = *dot = 0;
    for (int b = 0; b < batch; b++, x += step, delta += step) {
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
        *sum += amc_v8_sum(sums[0] + sums[1]) + sum_rest;
        *dot += amc_v8_sum(dots[0] + dots[1]) + dot_rest;
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

// The last pass over a channel goes backwards through the batch, which meets in the cache what the
// pass before left there.
void amc_batchnorm_forward(const amc_batchnorm *bn, int batch, int c, int pixels, const float *x,
                           amc_activation act, float *y) {
    size_t step = (size_t)c * pixels;
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int i = 0; i < c; i++) {
        const float *xi = x + (size_t)i * pixels;
        moments m = moments_of(xi, batch, step, pixels);
        bn->mean[i] = (float)m.mean;
        bn->variance[i] = (float)(m.squares / variance_count(batch, pixels));
        bn->rolling_mean[i] += ROLL * (bn->mean[i] - bn->rolling_mean[i]);
        bn->rolling_variance[i] += ROLL * (bn->variance[i] - bn->rolling_variance[i]);
        amc_affine a = affine_of(bn, i, act);
        for (int b = batch; b-- > 0;)
            amc_activation_scaled(xi + b * step, pixels, a.centre, a.scale, a.shift, act,
                                  y + b * step + (size_t)i * pixels);
    }
}

void amc_batchnorm_backward(const amc_batchnorm *bn, int batch, int c, int pixels, const float *x,
                            amc_activation act, float *delta) {
    size_t step = (size_t)c * pixels;
    double count = (double)batch * pixels;
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int i = 0; i < c; i++) {
        const float *xi = x + (size_t)i * pixels;
        float *di = delta + (size_t)i * pixels;
        amc_affine a = affine_of(bn, i, act);
        double sum, dot, v = bn->variance[i] + BACKWARD_EPS, scale = bn->scales[i];
        sum_gradients(xi, di, batch, step, pixels, a, &sum, &dot);
        bn->bias_updates[i] += (float)sum;
        bn->scale_updates[i] += (float)(dot / (sqrt(bn->variance[i]) + FORWARD_EPS));
        double by_variance = scale * dot * -0.5 / (v * sqrt(v)), by_mean = -scale * sum / sqrt(v);
        for (int b = batch; b-- > 0;)
            apply_gradients(xi + b * step, pixels, a, (float)(scale / sqrt(v)),
                            (float)(2 * by_variance / count), (float)(by_mean / count),
                            di + b * step);
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
        bias_updates[i] += (float)sum_channel(di, batch, step, pixels);
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
