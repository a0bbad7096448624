#include "kernels/gpu_batchnorm.h"

#include "kernels/gpu_room.h"

enum { THREADS = 256, BLOCKS = 1024 };
#define EPSILON 1e-5f
#define STEP 0.01f // of the rolling averages

// What a pass over a channel's numbers leaves: a pair of sums for each of its blocks.
static float2 *partial_sums(size_t n) {
    return (float2 *)amc_gpu_room(n * sizeof(float2));
}

// Blocks that share a channel: each takes every splits-th image.
static int splits_of(amc_gpu_batch s) {
    int wanted = (BLOCKS + s.c - 1) / s.c;
    return wanted < s.batch ? wanted : s.batch;
}

// The block's sum of a and b, in its first thread.
static __device__ float2 sum_of_block(float a, float b) {
    __shared__ float2 sums[THREADS];
    sums[threadIdx.x] = make_float2(a, b);
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) {
            sums[threadIdx.x].x += sums[threadIdx.x + half].x;
            sums[threadIdx.x].y += sums[threadIdx.x + half].y;
        }
    }
    return sums[0];
}

// V numbers of a channel's map next to each other: 4 where maps have a multiple of that.
template <int V> struct alignas(V * sizeof(float)) pack { float at[V]; };

// The n-th pack of a channel in this block's images.
template <int V>
static __device__ size_t place(const amc_gpu_batch &s, int channel, int split, int splits, int n) {
    int packs = s.pixels / V, image = split + n / packs * splits;
    return ((size_t)image * s.c + channel) * packs + n % packs;
}

// How many there are.
template <int V> static __device__ int count(const amc_gpu_batch &s, int split, int splits) {
    return (s.batch - split + splits - 1) / splits * (s.pixels / V);
}

// The channel of the i-th pack of all.
template <int V> static __device__ int channel_of(const amc_gpu_batch &s, unsigned i) {
    return i / (unsigned)(s.pixels / V) % (unsigned)s.c;
}

static __device__ float inverse(float variance) {
    return rsqrtf(variance + EPSILON);
}

// ---- forward ------------------------------------------------------------------------------------

// Of x less the rolling mean, which is near: squares of what is left don't cancel.
template <int V>
static __global__ void sum_x(amc_gpu_batch s, const pack<V> *x, const float *near, float2 *sums) {
    int channel = blockIdx.x, split = blockIdx.y, splits = gridDim.y;
    float by = near[channel], a = 0, b = 0;
    for (int i = threadIdx.x; i < count<V>(s, split, splits); i += THREADS) {
        pack<V> p = x[place<V>(s, channel, split, splits, i)];
        for (int k = 0; k < V; k++) {
            float v = p.at[k] - by;
            a += v, b += v * v;
        }
    }
    float2 sum = sum_of_block(a, b);
    if (threadIdx.x == 0) sums[channel * splits + split] = sum;
}

static __global__ void set_statistics(amc_gpu_batchnorm bn, amc_gpu_batch s, int splits,
                                      const float2 *sums) {
    int c = blockIdx.x * THREADS + threadIdx.x;
    if (c >= s.c) return;
    double a = 0, b = 0, n = (double)s.batch * s.pixels;
    for (int i = 0; i < splits; i++) a += sums[c * splits + i].x, b += sums[c * splits + i].y;
    double mean = a / n, squares = b - a * mean;
    bn.mean[c] = (float)(bn.rolling_mean[c] + mean);
    bn.variance[c] = (float)((squares > 0 ? squares : 0) / (n > 1 ? n - 1 : 1));
    bn.rolling_mean[c] += STEP * (bn.mean[c] - bn.rolling_mean[c]);
    bn.rolling_variance[c] += STEP * (bn.variance[c] - bn.rolling_variance[c]);
}

template <int V>
static __global__ void normalize(amc_gpu_batchnorm bn, amc_gpu_batch s, const pack<V> *x,
                                 pack<V> *y, unsigned n) {
    unsigned i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= n) return;
    int c = channel_of<V>(s, i);
    float mean = bn.mean[c], scale = inverse(bn.variance[c]) * bn.scales[c], bias = bn.biases[c];
    pack<V> p = x[i];
    for (int k = 0; k < V; k++) {
        float v = (p.at[k] - mean) * scale + bias;
        p.at[k] = v > 0 ? v : s.slope * v;
    }
    y[i] = p;
}

// ---- backward -----------------------------------------------------------------------------------

// The gradient by the activation's input.
static __device__ float through(const amc_gpu_batch &s, float y, float delta) {
    return y > 0 ? delta : s.slope * delta;
}

template <int V>
static __global__ void sum_delta(amc_gpu_batchnorm bn, amc_gpu_batch s, const pack<V> *x,
                                 const pack<V> *y, const pack<V> *delta, float2 *sums) {
    int channel = blockIdx.x, split = blockIdx.y, splits = gridDim.y;
    float mean = bn.mean[channel], a = 0, b = 0;
    for (int i = threadIdx.x; i < count<V>(s, split, splits); i += THREADS) {
        size_t at = place<V>(s, channel, split, splits, i);
        pack<V> px = x[at], py = y[at], pd = delta[at];
        for (int k = 0; k < V; k++) {
            float g = through(s, py.at[k], pd.at[k]);
            a += g, b += g * (px.at[k] - mean);
        }
    }
    float2 sum = sum_of_block(a, b);
    if (threadIdx.x == 0) sums[channel * splits + split] = sum;
}

static __global__ void add_gradients(amc_gpu_batchnorm bn, amc_gpu_batch s, int splits,
                                     const float2 *sums) {
    int c = blockIdx.x * THREADS + threadIdx.x;
    if (c >= s.c) return;
    double a = 0, b = 0, n = (double)s.batch * s.pixels;
    for (int i = 0; i < splits; i++) a += sums[c * splits + i].x, b += sums[c * splits + i].y;
    float by = inverse(bn.variance[c]);
    bn.bias_updates[c] += (float)a;
    bn.scale_updates[c] += (float)(b * by);
    bn.sums[c] = (float)(a / n);
    bn.sums[s.c + c] = (float)(b / n) * by * by;
}

/* G_x <- scale / sigma (G_y - mean(G_y) - (x - mean) mean(G_y (x - mean)) / sigma^2) */
template <int V>
static __global__ void differentiate(amc_gpu_batchnorm bn, amc_gpu_batch s, const pack<V> *x,
                                     const pack<V> *y, pack<V> *delta, unsigned n) {
    unsigned i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= n) return;
    int c = channel_of<V>(s, i);
    float mean = bn.mean[c], scale = bn.scales[c] * inverse(bn.variance[c]);
    float mean_g = bn.sums[c], slope_x = bn.sums[s.c + c];
    pack<V> px = x[i], py = y[i], pd = delta[i];
    for (int k = 0; k < V; k++) {
        float g = through(s, py.at[k], pd.at[k]);
        pd.at[k] = scale * (g - mean_g - (px.at[k] - mean) * slope_x);
    }
    delta[i] = pd;
}

// ---- calls --------------------------------------------------------------------------------------

static unsigned blocks_for(unsigned n) {
    return (n + THREADS - 1) / THREADS;
}

static unsigned packs_of(amc_gpu_batch s, int v) {
    return (unsigned)((size_t)s.batch * s.c * s.pixels / v);
}

template <int V>
static void forward(const amc_gpu_batchnorm *bn, amc_gpu_batch s, const float *x, float *y) {
    int splits = splits_of(s);
    float2 *sums = partial_sums((size_t)s.c * splits);
    unsigned n = packs_of(s, V);
    const pack<V> *from = (const pack<V> *)x;
    sum_x<V><<<dim3(s.c, splits), THREADS>>>(s, from, bn->rolling_mean, sums);
    set_statistics<<<blocks_for(s.c), THREADS>>>(*bn, s, splits, sums);
    normalize<V><<<blocks_for(n), THREADS>>>(*bn, s, from, (pack<V> *)y, n);
}

template <int V>
static void backward(const amc_gpu_batchnorm *bn, amc_gpu_batch s, const float *x, const float *y,
                     float *delta) {
    int splits = splits_of(s);
    float2 *sums = partial_sums((size_t)s.c * splits);
    unsigned n = packs_of(s, V);
    const pack<V> *px = (const pack<V> *)x, *py = (const pack<V> *)y;
    sum_delta<V><<<dim3(s.c, splits), THREADS>>>(*bn, s, px, py, (pack<V> *)delta, sums);
    add_gradients<<<blocks_for(s.c), THREADS>>>(*bn, s, splits, sums);
    differentiate<V><<<blocks_for(n), THREADS>>>(*bn, s, px, py, (pack<V> *)delta, n);
}

void amc_gpu_batchnorm_forward(const amc_gpu_batchnorm *bn, amc_gpu_batch s, const float *x,
                               float *y) {
    s.pixels % 4 ? forward<1>(bn, s, x, y) : forward<4>(bn, s, x, y);
}

void amc_gpu_batchnorm_backward(const amc_gpu_batchnorm *bn, amc_gpu_batch s, const float *x,
                                const float *y, float *delta) {
    s.pixels % 4 ? backward<1>(bn, s, x, y, delta) : backward<4>(bn, s, x, y, delta);
}
