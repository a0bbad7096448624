#include "kernels/vector.h"

#include "kernels/parallel.h"
#include "kernels/simd.h"

#include <stdint.h>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

enum {
    PIECE = 1 << 15, // floats that are worth a thread
    LONG = 1 << 18,  // floats that the second cache doesn't hold
};

// Runs `call`, which may use `at`, where a piece starts, and `length`, its size.
#define FOR_PIECES(n, call)                                                                        \
    _Pragma("omp parallel for schedule(static) if ((n) > PIECE && amc_parallel_is_free())") for (  \
        size_t at = 0; at < (n); at += PIECE) {                                                    \
        size_t length = (n)-at < PIECE ? (n)-at : PIECE;                                           \
        call;                                                                                      \
    }

AMC_CLONES static void fill(float *x, size_t n, float value) {
    for (size_t i = 0; i < n; i++) x[i] = value;
}

// The same past the caches, which spares reading what is overwritten: for arrays that are too long
// to be found there later.
static void fill_memory(float *x, size_t n, float value) {
#ifdef __SSE__
    for (; n > 0 && (uintptr_t)x % 16 != 0; n--) *x++ = value;
    for (; n >= 4; n -= 4, x += 4) _mm_stream_ps(x, _mm_set1_ps(value));
    _mm_sfence();
#endif
    fill(x, n, value);
}

AMC_CLONES static void blend(const float *a, float alpha, const float *b, float beta, size_t n,
                             float slope, float *y) {
    for (size_t i = 0; i < n; i++) {
        float v = alpha * a[i] + beta * b[i], low = slope * v;
        y[i] = v > 0 ? v : low;
    }
}

AMC_CLONES static void blend_backward(const float *y, const float *dy, size_t n, float slope,
                                      float alpha, float *da, float beta, float *db) {
    for (size_t i = 0; i < n; i++) {
        float low = slope * dy[i], d = y[i] > 0 ? dy[i] : low;
        da[i] += alpha * d;
        db[i] += beta * d;
    }
}

AMC_CLONES static void descend(size_t n, float rate, float decay, float momentum, float *w,
                               float *updates) {
    for (size_t i = 0; i < n; i++) {
        float step = updates[i] - decay * w[i];
        w[i] += rate * step;
        updates[i] = momentum * step;
    }
}

// Zero steps for zeros are as good as none, and need no branch.
AMC_CLONES static void descend_nonzero(size_t n, float rate, float decay, float momentum, float *w,
                                       float *updates) {
    for (size_t i = 0; i < n; i++) {
        float wished = updates[i] - decay * w[i], step = w[i] != 0 ? wished : 0;
        w[i] += rate * step;
        updates[i] = momentum * step;
    }
}

void amc_vector_fill(float *x, size_t n, float value) {
    if (n < LONG) {
        fill(x, n, value);
    } else {
        FOR_PIECES(n, fill_memory(x + at, length, value))
    }
}

void amc_vector_blend(const float *a, float alpha, const float *b, float beta, size_t n,
                      amc_activation act, float *y) {
    float slope = amc_activation_slope(act);
    FOR_PIECES(n, blend(a + at, alpha, b + at, beta, length, slope, y + at))
}

void amc_vector_blend_backward(const float *y, const float *dy, size_t n, amc_activation act,
                               float alpha, float *da, float beta, float *db) {
    float slope = amc_activation_slope(act);
    FOR_PIECES(n, blend_backward(y + at, dy + at, length, slope, alpha, da + at, beta, db + at))
}

void amc_vector_descend(size_t n, float rate, float decay, float momentum, float *w,
                        float *updates) {
    FOR_PIECES(n, descend(length, rate, decay, momentum, w + at, updates + at))
}

void amc_vector_descend_nonzero(size_t n, float rate, float decay, float momentum, float *w,
                                float *updates) {
    FOR_PIECES(n, descend_nonzero(length, rate, decay, momentum, w + at, updates + at))
}
