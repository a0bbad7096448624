#include "kernels/depthwise3x3.h"
#include "kernels/integers.h"

#include "kernels/simd.h"

enum {
    LANES = 8,
    BAND = 2048,  // input pixels of a band of rows, which should stay in the first cache
    AHEAD = 2560, // pixels from what is read and written to what is fetched from memory
};

// One channel of one image. A band of its rows is done in strips of eight output columns, from left
// to right; the last ends where the rows do. Rows shorter than that make one strip, whose missing
// pixels are zeros.
typedef struct plane {
    const float *x; // (h, w)
    int h, w, out_w;
    int pixels;          // of the output
    int inside;          // the first rows, behind which a narrow strip may read on
    amc_v8 kernel[3][3]; // each weight eight times
    amc_v8i last;        // lanes of a narrow strip whose last tap isn't beyond the row's end
    amc_affine finish;
    amc_v8 start; // of sums: -centre
    bool relu;
    float *y;                     // (out_h, out_w)
    const float *next_x, *next_y; // what is fetched from memory next
} plane;

// What the compiler knows about a strip.
enum { FIRST = 1, LAST = 2, NARROW = 4 };

// Eight output columns from `column` on, of rows from .. end.
typedef struct strip {
    int column, from, end;
} strip;

// ---- what the three taps of a kernel's row see --------------------------------------------------

static inline __attribute__((always_inline)) amc_v8 load(const float *x) {
    return *(const amc_v8 *)x;
}

// A zero comes in from the left, or from the right.
static inline __attribute__((always_inline)) amc_v8 after_zero(amc_v8 v) {
    return __builtin_shufflevector((amc_v8){0}, v, 0, 8, 9, 10, 11, 12, 13, 14);
}

static inline __attribute__((always_inline)) amc_v8 before_zero(amc_v8 v) {
    return __builtin_shufflevector(v, (amc_v8){0}, 1, 2, 3, 4, 5, 6, 7, 8);
}

// Every other one of sixteen pixels, in an order that takes one instruction; in_order() mends it.
static inline __attribute__((always_inline)) amc_v8 evens(amc_v8 low, amc_v8 high) {
    return __builtin_shufflevector(low, high, 0, 2, 8, 10, 4, 6, 12, 14);
}

static inline __attribute__((always_inline)) amc_v8 odds(amc_v8 low, amc_v8 high) {
    return __builtin_shufflevector(low, high, 1, 3, 9, 11, 5, 7, 13, 15);
}

// odds() of what is two pixels further left, from odds(): a zero comes in.
static inline __attribute__((always_inline)) amc_v8 odds_after_zero(amc_v8 v) {
    return __builtin_shufflevector(v, (amc_v8){0}, 8, 0, 5, 2, 1, 4, 3, 6);
}

static inline __attribute__((always_inline)) amc_v8 in_order(amc_v8 v) {
    return __builtin_shufflevector(v, v, 0, 1, 4, 5, 2, 3, 6, 7);
}

// Pixels i .. i + 8 of a narrow row. What comes after them is the next row's, or zeros where the
// plane ends: nothing is read behind it.
static inline __attribute__((always_inline)) amc_v8 load_narrow(const plane *p, int row, int i) {
    if (row < p->inside) return load(p->x + row * p->w + i);
    const amc_v8i lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    int at = row * p->w + i, from = amc_min(at, p->h * p->w - LANES);
    amc_v8i v = __builtin_shuffle((amc_v8i)load(p->x + from), lanes + (at - from));
    return (amc_v8)(v & (lanes < p->h * p->w - at));
}

// Also fetches from memory what comes after the band, at the pace of what is read.
static inline __attribute__((always_inline)) void load_taps(plane *p, int stride, int at, int row,
                                                            int column, amc_v8 taps[3]) {
    const float *x = p->x + (size_t)row * p->w + column * stride;
    __builtin_prefetch(p->next_x);
    p->next_x += LANES * stride;
    amc_v8 low = at & NARROW ? load_narrow(p, row, 0) : load(x);
    if (stride == 1) {
        taps[0] = at & FIRST ? after_zero(low) : load(x - 1);
        taps[1] = low;
        taps[2] = at & LAST ? before_zero(low) : load(x + 1);
        if (at & NARROW) taps[2] = (amc_v8)((amc_v8i)taps[2] & p->last);
    } else {
        amc_v8 high;
        if (at & NARROW)
            high = load_narrow(p, row, LANES);
        else if (at & LAST && p->w % 2)
            high = before_zero(load(x + LANES - 1));
        else
            high = load(x + LANES);
        taps[1] = evens(low, high);
        taps[2] = odds(low, high);
        taps[0] = at & FIRST ? odds_after_zero(taps[2]) : evens(load(x - 1), load(x + LANES - 1));
        if (at & NARROW && p->w % 2) taps[2] = (amc_v8)((amc_v8i)taps[2] & p->last);
    }
}

// ---- sums ---------------------------------------------------------------------------------------

// sum + what one row of the kernel makes of the taps.
static inline __attribute__((always_inline)) amc_v8 add_taps(amc_v8 sum, const amc_v8 kernel[3],
                                                             const amc_v8 taps[3]) {
    sum += kernel[0] * taps[0];
    sum += kernel[1] * taps[1];
    return sum + kernel[2] * taps[2];
}

// The first count < LANES lanes.
static inline __attribute__((always_inline)) void put_narrow(amc_v8 v, int count, float *y) {
    const amc_v8i lanes = {0, 1, 2, 3, 4, 5, 6, 7};
    if (count >= LANES / 2) {
        amc_v8 end = (amc_v8)__builtin_shuffle((amc_v8i)v, lanes + (count - LANES / 2));
        *(amc_v4 *)y = __builtin_shufflevector(v, v, 0, 1, 2, 3);
        *(amc_v4 *)(y + count - LANES / 2) = __builtin_shufflevector(end, end, 0, 1, 2, 3);
    } else {
        for (int i = 0; i < count; i++) y[i] = v[i];
    }
}

// A narrow row's surplus is overwritten by the next row, but nothing is written behind the plane.
static inline __attribute__((always_inline)) void put(plane *p, int stride, int at, int row,
                                                      int column, amc_v8 sum) {
    float *y = p->y + (size_t)row * p->out_w + column;
    amc_v8 v = amc_affine_started_8(p->finish, p->relu, stride == 1 ? sum : in_order(sum));
    if (!(at & NARROW) || row * p->out_w + LANES <= p->pixels)
        *(amc_v8 *)y = v;
    else
        put_narrow(v, p->out_w, y);
    __builtin_prefetch(p->next_y, 1);
    p->next_y += LANES;
}

// Stride 1. Each input row is the last one that the sums above it need, the middle one of its own
// and the first one of those below.
static inline __attribute__((always_inline)) void sum_strip(plane *p, int at, strip t) {
    amc_v8 own = p->start, below = p->start, taps[3];
#pragma GCC unroll 8
    for (int r = amc_max(t.from - 1, 0); r < amc_min(t.end + 1, p->h); r++) {
        load_taps(p, 1, at, r, t.column, taps);
        if (r > t.from) put(p, 1, at, r - 1, t.column, add_taps(own, p->kernel[2], taps));
        own = add_taps(below, p->kernel[1], taps);
        below = add_taps(p->start, p->kernel[0], taps);
    }
    if (t.end == p->h) put(p, 1, at, p->h - 1, t.column, own);
}

// Stride 2. Every other input row is the last one for the sums above and the first for those below.
static inline __attribute__((always_inline)) void sum_strided(plane *p, int at, strip t) {
    amc_v8 below = p->start, taps[3];
    if (t.from > 0) {
        load_taps(p, 2, at, 2 * t.from - 1, t.column, taps);
        below = add_taps(below, p->kernel[0], taps);
    }
#pragma GCC unroll 8
    for (int r = t.from; r < t.end; r++) {
        load_taps(p, 2, at, 2 * r, t.column, taps);
        amc_v8 sum = add_taps(below, p->kernel[1], taps);
        if (2 * r + 1 < p->h) {
            load_taps(p, 2, at, 2 * r + 1, t.column, taps);
            sum = add_taps(sum, p->kernel[2], taps);
            below = add_taps(p->start, p->kernel[0], taps);
        }
        put(p, 2, at, r, t.column, sum);
    }
}

#define SUM(at)                                                                                    \
    if (stride == 1)                                                                               \
        sum_strip(p, at, t);                                                                       \
    else                                                                                           \
        sum_strided(p, at, t);

// All strips of some rows.
static inline __attribute__((always_inline)) void sum_band(plane *p, int stride, int from,
                                                           int end) {
    strip t = {.from = from, .end = end};
    int last = p->out_w - LANES;
    if (last < 0) {
        SUM(FIRST | LAST | NARROW)
        return;
    }
    if (last == 0) {
        SUM(FIRST | LAST)
        return;
    }
    SUM(FIRST)
    for (t.column = LANES; t.column < last; t.column += LANES) {
        SUM(0)
    }
    t.column = last;
    SUM(LAST)
}

// Planes of a batch, and what is made of them.
typedef struct planes {
    int from, end, channels;
    const float *x, *w;
    const amc_finish *finish;
    float *y;
} planes;

static inline __attribute__((always_inline)) void set_channel(plane *p, const planes *all, int i) {
    int channel = i % all->channels;
    const float *kernel = all->w + channel * 9;
    p->x = all->x + (size_t)p->h * p->w * i, p->next_x = p->x + AHEAD;
    p->y = all->y + (size_t)p->pixels * i, p->next_y = p->y + AHEAD;
    p->finish = amc_finish_of(all->finish, channel);
    p->start = (amc_v8){0} - p->finish.centre;
    p->relu = p->finish.slope == 0;
    for (int t = 0; t < 9; t++) p->kernel[t / 3][t % 3] = kernel[t] - (amc_v8){0};
}

// With the size known to the compiler, most of what a small image takes besides sums is gone.
static inline __attribute__((always_inline)) void sum_planes(const planes *all, int stride, int h,
                                                             int w) {
    const amc_v8i columns = {0, 1, 2, 3, 4, 5, 6, 7}, strided = {0, 1, 4, 5, 2, 3, 6, 7};
    int out_h = (h - 1) / stride + 1, out_w = (w - 1) / stride + 1;
    int rows = h * w > BAND ? BAND / (w * stride) + 1 : out_h;
    plane p = {.h = h, .w = w, .out_w = out_w, .pixels = out_h * out_w};
    p.inside = h * w < LANES * stride ? 0 : (h * w - LANES * stride) / w + 1;
    p.last = (stride == 1 ? columns : strided) * stride + 1 < w;
    for (int i = all->from; i < all->end; i++) {
        set_channel(&p, all, i);
        for (int row = 0; row < out_h; row += rows)
            sum_band(&p, stride, row, amc_min(row + rows, out_h));
    }
}

#define SUM_PLANES(name, stride, h, w)                                                             \
    AMC_CLONES static void name(const amc_conv_shape *s, const planes *all) {                      \
        (void)s;                                                                                   \
        sum_planes(all, stride, h, w);                                                             \
    }

SUM_PLANES(sum_any_1, 1, s->h, s->w)
SUM_PLANES(sum_any_2, 2, s->h, s->w)
SUM_PLANES(sum_4_1, 1, 4, 4)
SUM_PLANES(sum_7_1, 1, 7, 7)
SUM_PLANES(sum_8_1, 1, 8, 8)
SUM_PLANES(sum_14_1, 1, 14, 14)
SUM_PLANES(sum_8_2, 2, 8, 8)
SUM_PLANES(sum_14_2, 2, 14, 14)
SUM_PLANES(sum_16_2, 2, 16, 16)

// The small images that networks have.
static const struct {
    int stride, size;
    void (*sum)(const amc_conv_shape *s, const planes *all);
} known[] = {{1, 4, sum_4_1}, {1, 7, sum_7_1},   {1, 8, sum_8_1},  {1, 14, sum_14_1},
             {2, 8, sum_8_2}, {2, 14, sum_14_2}, {2, 16, sum_16_2}};

void amc_depthwise3x3_planes(const amc_conv_shape *s, int from, int end, const float *x,
                             const float *w, const amc_finish *finish, float *y) {
    planes all = {from, end, s->c, x, w, finish, y};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (s->stride == known[i].stride && s->h == known[i].size && s->w == known[i].size) {
            known[i].sum(s, &all);
            return;
        }
    (s->stride == 1 ? sum_any_1 : sum_any_2)(s, &all);
}
