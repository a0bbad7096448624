#include "kernels/panels.h"

#include "kernels/parallel.h"

enum { ROWS = AMC_PANELS_ROWS, COLUMNS = AMC_PANELS_COLUMNS, DEPTH = 768 };

void amc_panels_pack(int rows, int depth, const float *left, float *packed) {
#pragma omp parallel for schedule(static) if ((double)rows * depth > 1 << 17 &&                    \
                                              amc_parallel_is_free())
    for (int panel = 0; panel < amc_panels_over(rows); panel++) {
        float *to = packed + (size_t)panel * ROWS * depth;
        for (int i = 0; i < ROWS; i++) {
            int row = panel * ROWS + i;
            const float *from = left + (size_t)row * depth;
            for (int p = 0; p < depth; p++) to[p * ROWS + i] = row < rows ? from[p] : 0;
        }
    }
}

// A panel of `rows` <= ROWS rows times one of COLUMNS columns, result = or +=. With `rows` known to
// the compiler all sums stay in registers.
static inline __attribute__((always_inline)) void multiply(int rows, int depth, const float *left,
                                                           const float *right, bool add,
                                                           float *result, size_t stride) {
    amc_v8 sums[ROWS][2] = {0};
    for (int p = 0; p < depth; p++, left += ROWS, right += COLUMNS) {
        amc_v8 first = *(const amc_v8 *)right, second = *(const amc_v8 *)(right + 8);
        for (int i = 0; i < rows; i++) {
            sums[i][0] += left[i] * first;
            sums[i][1] += left[i] * second;
        }
    }
    for (int i = 0; i < rows; i++, result += stride) {
        for (int half = 0; half < 2; half++) {
            amc_v8 *to = (amc_v8 *)(result + 8 * half);
            if (add) sums[i][half] += *to;
            *to = sums[i][half];
        }
    }
}

AMC_CLONES static void multiply_some(int rows, int depth, const float *left, const float *right,
                                     bool add, float *result, size_t stride) {
    switch (rows) {
    case 1:
        multiply(1, depth, left, right, add, result, stride);
        break;
    case 2:
        multiply(2, depth, left, right, add, result, stride);
        break;
    case 3:
        multiply(3, depth, left, right, add, result, stride);
        break;
    case 4:
        multiply(4, depth, left, right, add, result, stride);
        break;
    case 5:
        multiply(5, depth, left, right, add, result, stride);
        break;
    default:
        multiply(ROWS, depth, left, right, add, result, stride);
    }
}

// Deep sums are taken in pieces, so that a piece of a right panel stays in the cache for all left
// ones.
void amc_panels_product(int rows, int columns, int depth, const float *left, const float *right,
                        float *result, size_t stride) {
    int pieces = (depth + DEPTH - 1) / DEPTH, piece = (depth + pieces - 1) / pieces;
    for (int from = 0; from < depth; from += piece) {
        int deep = depth - from < piece ? depth - from : piece;
        for (int across = 0; across < amc_panels_across(columns); across++) {
            const float *r = right + ((size_t)across * depth + from) * COLUMNS;
            for (int row = 0; row < rows; row += ROWS)
                multiply_some(rows - row < ROWS ? rows - row : ROWS, deep,
                              left + (size_t)row * depth + (size_t)from * ROWS, r, from > 0,
                              result + row * stride + across * COLUMNS, stride);
        }
    }
}
