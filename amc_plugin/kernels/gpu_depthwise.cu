#include "kernels/gpu_depthwise.h"

#include "kernels/gpu_room.h"

enum { THREADS = 256, BLOCKS = 1024 };

// SIZE and STRIDE are the shape's, or 0 for any: known ones cost no divisions.
#define SIZE_OF(s) (SIZE ? SIZE : (s).size)
#define STRIDE_OF(s) (STRIDE ? STRIDE : (s).stride)

// A thread for each number of y.
template <int SIZE, int STRIDE>
static __global__ void forward(amc_depthwise_shape s, const float *x, const float *weights,
                               float *y, unsigned n) {
    unsigned i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= n) return;
    unsigned at = i / (unsigned)s.out_w, map = at / (unsigned)s.out_h;
    int column = (int)(i - at * s.out_w) * STRIDE_OF(s) - s.pad;
    int row = (int)(at - map * s.out_h) * STRIDE_OF(s) - s.pad, size = SIZE_OF(s);
    const float *from = x + (size_t)map * s.h * s.w;
    const float *filter = weights + map % (unsigned)s.c * size * size;
    float sum = 0;
#pragma unroll
    for (int ky = 0; ky < size; ky++)
#pragma unroll
        for (int kx = 0; kx < size; kx++)
            if ((unsigned)(row + ky) < (unsigned)s.h && (unsigned)(column + kx) < (unsigned)s.w)
                sum += filter[ky * size + kx] * from[(row + ky) * s.w + column + kx];
    y[i] = sum;
}

// A thread for each number of dx: those of dy that it went to.
template <int SIZE, int STRIDE>
static __global__ void by_input(amc_depthwise_shape s, const float *weights, const float *dy,
                                float *dx, unsigned n) {
    unsigned i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= n) return;
    unsigned at = i / (unsigned)s.w, map = at / (unsigned)s.h;
    int column = (int)(i - at * s.w) + s.pad, row = (int)(at - map * s.h) + s.pad;
    int size = SIZE_OF(s), stride = STRIDE_OF(s);
    const float *from = dy + (size_t)map * s.out_h * s.out_w;
    const float *filter = weights + map % (unsigned)s.c * size * size;
    float sum = 0;
#pragma unroll
    for (int ky = 0; ky < size; ky++)
#pragma unroll
        for (int kx = 0; kx < size; kx++) {
            int r = row - ky, c = column - kx;
            if (r < 0 || c < 0 || r % stride || c % stride) continue;
            r /= stride, c /= stride;
            if (r < s.out_h && c < s.out_w) sum += filter[ky * size + kx] * from[r * s.out_w + c];
        }
    dx[i] += sum;
}

// The sums over a block's images: a block for each channel and split, which takes every splits-th
// image. partial (splits, c, size, size).
template <int SIZE, int STRIDE>
static __global__ void by_weights(amc_depthwise_shape s, const float *x, const float *dy,
                                  float *partial) {
    int channel = blockIdx.x, split = blockIdx.y, splits = gridDim.y;
    int pixels = s.out_h * s.out_w, images = (s.batch - split + splits - 1) / splits;
    float sums[SIZE * SIZE] = {0};
    for (int i = threadIdx.x; i < images * pixels; i += THREADS) {
        int image = i / pixels, pixel = i - image * pixels, line = pixel / s.out_w;
        size_t map = (size_t)(split + image * splits) * s.c + channel;
        int row = line * STRIDE - s.pad, column = (pixel - line * s.out_w) * STRIDE - s.pad;
        const float *from = x + map * s.h * s.w;
        float g = dy[map * pixels + pixel];
#pragma unroll
        for (int ky = 0; ky < SIZE; ky++)
#pragma unroll
            for (int kx = 0; kx < SIZE; kx++)
                if ((unsigned)(row + ky) < (unsigned)s.h && (unsigned)(column + kx) < (unsigned)s.w)
                    sums[ky * SIZE + kx] += g * from[(row + ky) * s.w + column + kx];
    }
    __shared__ float warps[THREADS / 32][SIZE * SIZE];
    for (int k = 0; k < SIZE * SIZE; k++) {
        for (int half = 16; half > 0; half /= 2)
            sums[k] += __shfl_down_sync(0xffffffffu, sums[k], half);
        if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32][k] = sums[k];
    }
    __syncthreads();
    if (threadIdx.x >= SIZE * SIZE) return;
    float sum = 0;
    for (int w = 0; w < THREADS / 32; w++) sum += warps[w][threadIdx.x];
    partial[((size_t)split * s.c + channel) * SIZE * SIZE + threadIdx.x] = sum;
}

static __global__ void add(int n, int splits, const float *partial, float *dweights) {
    int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= n) return;
    float sum = 0;
    for (int k = 0; k < splits; k++) sum += partial[(size_t)k * n + i];
    dweights[i] += sum;
}

// The same for any size: a block for each weight, which takes all images.
static __global__ void by_any_weights(amc_depthwise_shape s, const float *x, const float *dy,
                                      float *dweights) {
    int tap = blockIdx.x % (s.size * s.size), channel = blockIdx.x / (s.size * s.size);
    int ky = tap / s.size - s.pad, kx = tap % s.size - s.pad, pixels = s.out_h * s.out_w;
    float sum = 0;
    for (int i = threadIdx.x; i < s.batch * pixels; i += THREADS) {
        size_t map = (size_t)(i / pixels) * s.c + channel;
        int pixel = i % pixels;
        int r = pixel / s.out_w * s.stride + ky, c = pixel % s.out_w * s.stride + kx;
        if ((unsigned)r < (unsigned)s.h && (unsigned)c < (unsigned)s.w)
            sum += dy[map * pixels + pixel] * x[(map * s.h + r) * s.w + c];
    }
    __shared__ float sums[THREADS];
    sums[threadIdx.x] = sum;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
    }
    if (threadIdx.x == 0) dweights[blockIdx.x] += sums[0];
}

// ---- calls --------------------------------------------------------------------------------------

static unsigned blocks_for(unsigned n) {
    return (n + THREADS - 1) / THREADS;
}

void amc_gpu_depthwise_forward(amc_depthwise_shape s, const float *x, const float *weights,
                               float *y) {
    unsigned n = (unsigned)((size_t)s.batch * s.c * s.out_h * s.out_w);
    if (s.size == 3 && s.stride == 1)
        forward<3, 1><<<blocks_for(n), THREADS>>>(s, x, weights, y, n);
    else if (s.size == 3 && s.stride == 2)
        forward<3, 2><<<blocks_for(n), THREADS>>>(s, x, weights, y, n);
    else
        forward<0, 0><<<blocks_for(n), THREADS>>>(s, x, weights, y, n);
}

void amc_gpu_depthwise_input(amc_depthwise_shape s, const float *weights, const float *dy,
                             float *dx) {
    unsigned n = (unsigned)((size_t)s.batch * s.c * s.h * s.w);
    if (s.size == 3 && s.stride == 1)
        by_input<3, 1><<<blocks_for(n), THREADS>>>(s, weights, dy, dx, n);
    else if (s.size == 3 && s.stride == 2)
        by_input<3, 2><<<blocks_for(n), THREADS>>>(s, weights, dy, dx, n);
    else
        by_input<0, 0><<<blocks_for(n), THREADS>>>(s, weights, dy, dx, n);
}

template <int SIZE, int STRIDE>
static void add_by_weights(amc_depthwise_shape s, const float *x, const float *dy,
                           float *dweights) {
    int wanted = (BLOCKS + s.c - 1) / s.c, splits = wanted < s.batch ? wanted : s.batch;
    int n = s.c * SIZE * SIZE;
    float *partial = (float *)amc_gpu_room((size_t)splits * n * sizeof(float));
    by_weights<SIZE, STRIDE><<<dim3(s.c, splits), THREADS>>>(s, x, dy, partial);
    add<<<blocks_for(n), THREADS>>>(n, splits, partial, dweights);
}

void amc_gpu_depthwise_weights(amc_depthwise_shape s, const float *x, const float *dy,
                               float *dweights) {
    if (s.size == 3 && s.stride == 1)
        add_by_weights<3, 1>(s, x, dy, dweights);
    else if (s.size == 3 && s.stride == 2)
        add_by_weights<3, 2>(s, x, dy, dweights);
    else
        by_any_weights<<<(unsigned)(s.c * s.size * s.size), THREADS>>>(s, x, dy, dweights);
}
