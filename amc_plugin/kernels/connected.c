#include "kernels/connected.h"
#include "kernels/integers.h"

#include "kernels/parallel.h"
#include "kernels/simd.h"

#include <stddef.h>

enum { TILE = 4, OUTPUT_BLOCK = 32 }; // TILE x TILE dot products at a time share their loads

// out[i * step + j] = x_i . w_j for i < nx, j < nw, both at most TILE; missing ones repeat the
// first.
AMC_CLONES static void dots(int n, const float *x, int nx, const float *w, int nw, float *out,
                            size_t step) {
    const float *xs[TILE], *ws[TILE];
    for (int i = 0; i < TILE; i++) xs[i] = x + (size_t)(i < nx ? i : 0) * n;
    for (int j = 0; j < TILE; j++) ws[j] = w + (size_t)(j < nw ? j : 0) * n;
    amc_v8 sums[TILE][TILE] = {0};
    int p = 0;
    for (; p + 8 <= n; p += 8) {
        for (int i = 0; i < TILE; i++) {
            amc_v8 xi = *(const amc_v8 *)(xs[i] + p);
            for (int j = 0; j < TILE; j++) sums[i][j] += xi * *(const amc_v8 *)(ws[j] + p);
        }
    }
    for (int i = 0; i < nx; i++) {
        for (int j = 0; j < nw; j++) {
            float rest = 0;
            for (int q = p; q < n; q++) rest += xs[i][q] * ws[j][q];
            out[i * step + j] = amc_v8_sum(sums[i][j]) + rest;
        }
    }
}

void amc_connected_forward(int batch, int inputs, int outputs, const float *x, const float *w,
                           const amc_finish *finish, float *y) {
#pragma omp parallel for schedule(dynamic) if ((double)batch * inputs * outputs > 1 << 18 &&       \
                                               amc_parallel_is_free())
    for (int block = 0; block < outputs; block += OUTPUT_BLOCK) {
        int end = amc_min(block + OUTPUT_BLOCK, outputs);
        for (int b = 0; b < batch; b += TILE) {
            for (int o = block; o < end; o += TILE)
                dots(inputs, x + (size_t)b * inputs, amc_min(TILE, batch - b),
                     w + (size_t)o * inputs, amc_min(TILE, end - o), y + (size_t)b * outputs + o,
                     outputs);
        }
        if (!finish) continue;
        for (int b = 0; b < batch; b++) {
            float *row = y + (size_t)b * outputs;
            for (int o = block; o < end; o++) amc_finish_row(finish, o, row + o, 1, row + o);
        }
    }
}
