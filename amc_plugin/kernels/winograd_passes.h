// What a task of winograd.c does before and after its products, for TILES tiles at a time, a lane
// of a vector each: 8 or 16. Included there once for each, with PASS to mark the functions that do
// it for all tiles; every result is the same to the last bit.

#define NAME(function) AMC_JOIN(function##_, TILES)
#define VECTOR AMC_JOIN(amc_v, TILES)
#define VECTOR_NAME(function) AMC_JOIN(VECTOR, _##function)

// ---- to the frequencies -------------------------------------------------------------------------

// d[j] = pixel j of each tile's row of six.
static inline __attribute__((always_inline)) void NAME(load_row)(const float *const at[TILES],
                                                                 size_t offset, VECTOR d[IN]) {
    VECTOR low[4], high[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        low[i] = VECTOR_NAME(get)(at + i, offset);
        high[i] = VECTOR_NAME(get)(at + i, offset + 4);
    }
    VECTOR_NAME(transpose)(low, d);
    VECTOR_NAME(transpose)(high, high);
    d[4] = high[0];
    d[5] = high[1];
}

// Tiles of the frame's channel, from at[i] on, to `to` + frequency * step.
static inline __attribute__((always_inline)) void
NAME(transform_tiles)(const float *const at[TILES], int width, size_t step, float *to) {
    VECTOR d[IN][IN];
#pragma GCC unroll 6
    for (int r = 0; r < IN; r++) {
        NAME(load_row)(at, (size_t)r * width, d[r]);
        NAME(amc_winograd_transform_input)(d[r]);
    }
    NAME(amc_winograd_put_frequencies)(d, step, to);
}

PASS static void NAME(transform_inputs)(const winograd_task *t) {
    int channels = t->job->grid.s->c, width = t->part.width;
    for (int c = 0; c < channels; c++) {
        fill_frame(t, c);
        for (int i = 0; i < t->part.tiles; i += TILES) {
            size_t panel = i / AMC_PANELS_COLUMNS * channels + c;
            float *to = t->inputs + panel * AMC_PANELS_COLUMNS + i % AMC_PANELS_COLUMNS;
            const amc_winograd_tile *tiles = t->part.list + i;
            const float *at[TILES];
            bool runs = true;
            for (int j = 0; j < TILES; j += 4) runs &= is_run(tiles + j);
            if (runs) { // places that the compiler can reckon with
#pragma GCC unroll 16
                for (int j = 0; j < TILES; j++)
                    at[j] = t->frame + tiles[j / 4 * 4].in + j % 4 * OUT;
                NAME(transform_tiles)(at, width, t->in, to);
            } else {
                for (int j = 0; j < TILES; j++) at[j] = t->frame + tiles[j].in;
                NAME(transform_tiles)(at, width, t->in, to);
            }
        }
    }
}

// ---- and back -----------------------------------------------------------------------------------

// A^T m: four from six, in place.
static inline __attribute__((always_inline)) void NAME(transform_output)(VECTOR m[IN]) {
    VECTOR near = m[1] + m[2], far = m[3] + m[4];
    VECTOR near_odd = NEAR * (m[1] - m[2]), far_odd = FAR * (m[3] - m[4]);
    m[0] = m[0] + near + far;
    m[1] = near_odd + far_odd;
    m[2] = 0.5f * near + 2 * far;
    m[3] = 0.5f * near_odd + 2 * far_odd + m[5];
}

// One row of the tiles' output, whose pixels j are y[j].
static inline __attribute__((always_inline)) void
NAME(store_row)(const VECTOR y[OUT], size_t offset, bool add, float *const to[TILES]) {
    VECTOR out[4];
    VECTOR_NAME(transpose)(y, out);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        if (add) out[i] += VECTOR_NAME(get)((const float *const *)to + i, offset);
        VECTOR_NAME(put)(out[i], to + i, offset);
    }
}

// Tiles of a filter's sums; rows of a tile's output are `width` apart.
static inline __attribute__((always_inline)) void NAME(finish_tiles)(const float *sums, size_t step,
                                                                     amc_affine affine, int width,
                                                                     bool add,
                                                                     float *const to[TILES]) {
    VECTOR m[OUT][IN];
#pragma GCC unroll 6
    for (int c = 0; c < IN; c++) {
        VECTOR column[IN];
#pragma GCC unroll 6
        for (int r = 0; r < IN; r++, sums += step) column[r] = *(const VECTOR *)sums;
        NAME(transform_output)(column);
#pragma GCC unroll 4
        for (int r = 0; r < OUT; r++) m[r][c] = column[r];
    }
#pragma GCC unroll 4
    for (int r = 0; r < OUT; r++) {
        NAME(transform_output)(m[r]);
#pragma GCC unroll 4
        for (int c = 0; c < OUT; c++) m[r][c] = NAME(amc_affine_vector)(affine, m[r][c]);
        NAME(store_row)(m[r], (size_t)r * width, add, to);
    }
}

PASS static void NAME(finish_sums)(const winograd_task *t) {
    const winograd_job *job = t->job;
    const amc_conv_shape *s = job->grid.s;
    float pieces[TILES * OUT * OUT], *to[TILES];
    for (int f = 0; f < t->filters; f++) {
        amc_affine affine = amc_finish_of(job->finish, t->filter + f);
        size_t plane = (size_t)(t->filter + f) * s->out_h * s->out_w;
        const float *sums = t->sums + (size_t)f * t->part.tiles;
        for (int i = 0; i < t->part.tiles; i += TILES) {
            const amc_winograd_tile *tiles = t->part.list + i;
            bool whole = true;
            for (int j = 0; j < TILES; j += AMC_WINOGRAD_LANES) whole &= tiles[j].eight_whole;
            for (int j = 0; j < TILES; j++)
                to[j] = whole ? tiles[j].out + plane : pieces + j * OUT * OUT;
            NAME(finish_tiles)
            (sums + i, t->out, affine, whole ? s->out_w : OUT, job->add && whole, to);
            if (!whole) put_pieces(pieces, tiles, TILES, plane, s->out_w, job->add);
        }
    }
}

#undef NAME
#undef VECTOR
#undef VECTOR_NAME
#undef TILES
#undef PASS
