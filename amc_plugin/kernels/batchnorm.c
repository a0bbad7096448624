#include "kernels/batchnorm.h"

#include "kernels/parallel.h"

#include <math.h>
#include <stddef.h>

static const float FORWARD_EPS = 1e-6f, BACKWARD_EPS = 1e-5f, ROLL = 0.01f;

// ---- one channel, whose rows of `pixels` floats lie `step` floats apart -------------------------

AMC_CLONES static double sum_channel(const float *x, int batch, size_t step, int pixels) {
    double total = 0;
    for (int b = 0; b < batch; b++, x += step) {
        amc_v8 sums = {0};
        float rest = 0;
        int i = 0;
        for (; i + 8 <= pixels; i += 8) sums += *(const amc_v8 *)(x + i);
        for (; i < pixels; i++) rest += x[i];
        total += amc_v8_sum(sums) + rest;
    }
    return total;
}

AMC_CLONES static double sum_squares(const float *x, int batch, size_t step, int pixels,
                                     float mean) {
    double total = 0;
    for (int b = 0; b < batch; b++, x += step) {
        amc_v8 sums = {0};
        float rest = 0;
        int i = 0;
        for (; i + 8 <= pixels; i += 8) {
            amc_v8 d = *(const amc_v8 *)(x + i) - mean;
            sums += d * d;
        }
        for (; i < pixels; i++) rest += (x[i] - mean) * (x[i] - mean);
        total += amc_v8_sum(sums) + rest;
    }
    return total;
}

// *sum = sum of delta, *dot = sum of delta * (x - mean).
AMC_CLONES static void sum_gradients(const float *x, const float *delta, int batch, size_t step,
                                     int pixels, float mean, double *sum, double *dot) {
    *sum = *dot = 0;
    for (int b = 0; b < batch; b++, x += step, delta += step) {
        amc_v8 sums = {0}, dots = {0};
        float sum_rest = 0, dot_rest = 0;
        int i = 0;
        for (; i + 8 <= pixels; i += 8) {
            amc_v8 d = *(const amc_v8 *)(delta + i);
            sums += d;
            dots += d * (*(const amc_v8 *)(x + i) - mean);
        }
        for (; i < pixels; i++) {
            sum_rest += delta[i];
            dot_rest += delta[i] * (x[i] - mean);
        }
        *sum += amc_v8_sum(sums) + sum_rest;
        *dot += amc_v8_sum(dots) + dot_rest;
    }
}

// delta = a * delta + b * (x - mean) + c
AMC_CLONES static void apply_gradients(const float *x, int batch, size_t step, int pixels,
                                       float mean, float a, float b, float c, float *delta) {
    for (int i = 0; i < batch; i++, x += step, delta += step) {
        for (int j = 0; j < pixels; j++) delta[j] = a * delta[j] + b * (x[j] - mean) + c;
    }
}

// ---- layers -------------------------------------------------------------------------------------

// Darknet divides 0 by 0 for a batch of one pixel; one is the only sensible denominator there.
static double variance_count(int batch, int pixels) {
    double count = (double)batch * pixels - 1;
    return count > 0 ? count : 1;
}

void amc_batchnorm_forward(const amc_batchnorm *bn, int batch, int c, int pixels, const float *x,
                           amc_activation act, float *y) {
    size_t step = (size_t)c * pixels;
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int i = 0; i < c; i++) {
        const float *xi = x + (size_t)i * pixels;
        float mean = (float)(sum_channel(xi, batch, step, pixels) / ((double)batch * pixels));
        float variance =
            (float)(sum_squares(xi, batch, step, pixels, mean) / variance_count(batch, pixels));
        bn->mean[i] = mean;
        bn->variance[i] = variance;
        bn->rolling_mean[i] += ROLL * (mean - bn->rolling_mean[i]);
        bn->rolling_variance[i] += ROLL * (variance - bn->rolling_variance[i]);
        float scale = bn->scales[i] / (sqrtf(variance) + FORWARD_EPS);
        for (int b = 0; b < batch; b++)
            amc_activation_scaled(xi + b * step, pixels, mean, scale, bn->biases[i], act,
                                  y + b * step + (size_t)i * pixels);
    }
}

void amc_batchnorm_backward(const amc_batchnorm *bn, int batch, int c, int pixels, const float *x,
                            const float *y, amc_activation act, float *delta) {
    size_t step = (size_t)c * pixels;
    double count = (double)batch * pixels;
#pragma omp parallel for schedule(dynamic) if (amc_parallel_is_free())
    for (int i = 0; i < c; i++) {
        const float *xi = x + (size_t)i * pixels, *yi = y + (size_t)i * pixels;
        float *di = delta + (size_t)i * pixels, mean = bn->mean[i];
        for (int b = 0; b < batch && act != AMC_LINEAR; b++)
            amc_activation_backward(yi + b * step, pixels, act, di + b * step);
        double sum, dot, v = bn->variance[i] + BACKWARD_EPS, scale = bn->scales[i];
        sum_gradients(xi, di, batch, step, pixels, mean, &sum, &dot);
        bn->bias_updates[i] += (float)sum;
        bn->scale_updates[i] += (float)(dot / (sqrt(bn->variance[i]) + FORWARD_EPS));
        double by_variance = scale * dot * -0.5 / (v * sqrt(v)), by_mean = -scale * sum / sqrt(v);
        apply_gradients(xi, batch, step, pixels, mean, (float)(scale / sqrt(v)),
                        (float)(2 * by_variance / count), (float)(by_mean / count), di);
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
