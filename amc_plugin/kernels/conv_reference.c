// What conv.h's functions are tested against: every sum as its definition says, in double. Slow.

#include "kernels/conv.h"

// Where tap (ky, kx) of output pixel (oy, ox) falls in a channel, or -1 in the padding.
static long pixel_at(const amc_conv_shape *s, int oy, int ox, int ky, int kx) {
    int y = oy * s->stride - s->pad + ky, x = ox * s->stride - s->pad + kx;
    return y < 0 || x < 0 || y >= s->h || x >= s->w ? -1 : (long)y * s->w + x;
}

static float finished(const amc_finish *finish, int f, double sum) {
    if (!finish) return (float)sum;
    if (finish->centre) sum -= finish->centre[f];
    if (finish->scale) sum *= finish->scale[f];
    if (finish->shift) sum += finish->shift[f];
    double slope = finish->act == AMC_RELU ? 0 : finish->act == AMC_LEAKY ? 0.1 : 1;
    return (float)(sum > 0 ? sum : slope * sum);
}

void amc_conv_forward_reference(const amc_conv_shape *s, int batch, const float *x, const float *w,
                                const amc_finish *finish, float *y) {
    int channels = s->c / s->groups;
    for (long o = 0; o < (long)(batch * amc_conv_shape_outputs(s)); o++) {
        int ox = o % s->out_w, oy = o / s->out_w % s->out_h, f = o / s->out_w / s->out_h % s->n;
        long b = o / amc_conv_shape_outputs(s), first = f / (s->n / s->groups) * channels;
        double sum = 0;
        for (int c = 0; c < channels; c++) {
            for (int t = 0; t < s->size * s->size; t++) {
                long at = pixel_at(s, oy, ox, t / s->size, t % s->size);
                if (at < 0) continue;
                double weight = w[((long)f * channels + c) * s->size * s->size + t];
                sum += weight * x[((b * s->c + first + c) * s->h) * s->w + at];
            }
        }
        y[o] = finished(finish, f, sum);
    }
}

void amc_conv_backward_weights_reference(const amc_conv_shape *s, int batch, const float *x,
                                         const float *dy, float *dw) {
    int channels = s->c / s->groups;
    for (long i = 0; i < (long)amc_conv_shape_weights(s); i++) {
        int t = i % (s->size * s->size), c = i / (s->size * s->size) % channels,
            f = i / (s->size * s->size) / channels;
        long first = f / (s->n / s->groups) * channels;
        double sum = 0;
        for (long b = 0; b < batch; b++) {
            for (int o = 0; o < s->out_h * s->out_w; o++) {
                long at = pixel_at(s, o / s->out_w, o % s->out_w, t / s->size, t % s->size);
                if (at < 0) continue;
                double back = dy[(b * s->n + f) * s->out_h * s->out_w + o];
                sum += back * x[((b * s->c + first + c) * s->h) * s->w + at];
            }
        }
        dw[i] += (float)sum;
    }
}

void amc_conv_backward_input_reference(const amc_conv_shape *s, int batch, const float *w,
                                       const float *dy, float *dx) {
    int channels = s->c / s->groups, filters = s->n / s->groups;
    for (long i = 0; i < (long)(batch * amc_conv_shape_inputs(s)); i++) {
        int at = i % (s->h * s->w), c = i / (s->h * s->w) % s->c;
        long b = i / amc_conv_shape_inputs(s);
        double sum = 0;
        for (int f = c / channels * filters; f < (c / channels + 1) * filters; f++) {
            for (int o = 0; o < s->out_h * s->out_w; o++) {
                for (int t = 0; t < s->size * s->size; t++) {
                    if (pixel_at(s, o / s->out_w, o % s->out_w, t / s->size, t % s->size) != at)
                        continue;
                    double weight = w[((long)f * channels + c % channels) * s->size * s->size + t];
                    sum += weight * dy[(b * s->n + f) * s->out_h * s->out_w + o];
                }
            }
        }
        dx[i] += (float)sum;
    }
}
