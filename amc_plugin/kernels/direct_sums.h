// What direct.c sums up, with vectors of LANES pixels, 8 or 16. Included there once for each, with
// SUMS to mark the function that is called; every result is the same to the last bit.

#define NAME(function) AMC_JOIN(function##_, LANES)
#define VECTOR AMC_JOIN(amc_v, LANES)

static inline __attribute__((always_inline)) void NAME(put)(VECTOR sum, int skip, float *y) {
    if (skip == 0)
        *(VECTOR *)y = sum;
    else
        for (int i = skip; i < LANES; i++) y[i] = sum[i];
}

// The sums' whole way: nothing is in y yet. Lanes that two vectors share are put down twice, alike.
static inline __attribute__((always_inline)) void
NAME(put_whole)(int rows, const amc_affine *finish, bool relu, VECTOR sums[ROWS][2],
                const direct_vector *v, size_t pixels, float *planes) {
    for (int i = 0; i < rows; i++)
        for (int half = 0; half < 2; half++)
            *(VECTOR *)(planes + i * pixels + v[half].y) =
                NAME(amc_affine_started)(finish[i], relu, sums[i][half]);
}

// `rows` filters from `filter` on, at all vectors, two at a time. With `rows` known to the compiler
// all sums stay in registers. add: on top of what y holds; last: then they are finished.
static inline __attribute__((always_inline)) void
NAME(multiply_rows)(int rows, const direct_sums *t, int filter, bool add, bool last) {
    size_t taps = (size_t)t->job->taps, pixels = (size_t)t->job->s->out_h * t->job->s->out_w;
    const int *offsets = t->offsets + t->from;
    const float *weights = t->job->w + filter * taps + t->from;
    float *planes = t->y + filter * pixels;
    int depth = t->depth;
    amc_affine finish[ROWS];
    for (int i = 0; i < rows; i++) finish[i] = amc_finish_of(t->job->finish, filter + i);
    bool relu = t->job->finish && t->job->finish->act == AMC_RELU;
    for (const direct_vector *v = t->vectors; v < t->vectors + t->n; v += 2) {
        VECTOR sums[ROWS][2];
        for (int i = 0; i < rows; i++)
            sums[i][0] = sums[i][1] = (VECTOR){0} - (add ? 0.0f : finish[i].centre);
        const float *w = weights;
        const float *x0 = t->frame + v[0].x, *x1 = t->frame + v[1].x;
        for (int p = 0; p < depth; p++, w++) {
            VECTOR first = *(const VECTOR *)(x0 + offsets[p]),
                   second = *(const VECTOR *)(x1 + offsets[p]);
            for (int i = 0; i < rows; i++) {
                sums[i][0] += w[i * taps] * first;
                sums[i][1] += w[i * taps] * second;
            }
        }
        for (int i = 0; i < rows; i++) __builtin_prefetch(planes + i * pixels + v->y + AHEAD, 1);
        if (!add && last && relu) {
            NAME(put_whole)(rows, finish, true, sums, v, pixels, planes);
        } else if (!add && last) {
            NAME(put_whole)(rows, finish, false, sums, v, pixels, planes);
        } else {
#pragma GCC unroll 6
            for (int i = 0; i < rows; i++) {
                float *plane = planes + i * pixels;
#pragma GCC unroll 2
                for (int half = 0; half < 2; half++) {
                    float *y = plane + v[half].y;
                    if (add) sums[i][half] += *(const VECTOR *)y;
                    if (last)
                        sums[i][half] = NAME(amc_affine_started)(finish[i], relu, sums[i][half]);
                    NAME(put)(sums[i][half], v[half].skip, y);
                }
            }
        }
    }
}

SUMS static void NAME(multiply)(int rows, const direct_sums *t, int filter, bool add, bool last) {
    AMC_KNOWN_ROWS(NAME(multiply_rows), rows, t, filter, add, last)
}

#undef NAME
#undef VECTOR
#undef LANES
#undef SUMS
