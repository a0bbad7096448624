#include "kernels/panels.h"

#include "kernels/parallel.h"

#include <stdbool.h>

enum {
    ROWS = AMC_PANELS_ROWS,
    COLUMNS = AMC_PANELS_COLUMNS,
    DEPTH = 256,
    CHUNK = 16 * ROWS,
};

// The size of one small product and of what surrounds it.
typedef struct block {
    int depth;     // of this product
    size_t left;   // floats between rows of the left matrix
    size_t result; // floats between rows of the result
    bool add;      // to the result rather than overwriting it
} block;

// `rows` <= ROWS rows times one panel. With `rows` known to the compiler all sums stay in
// registers.
static inline __attribute__((always_inline)) void
multiply(int rows, const block *b, const float *left, const float *right, float *result) {
    amc_v8 sums[ROWS][2] = {0};
    for (int p = 0; p < b->depth; p++, left++, right += COLUMNS) {
        amc_v8 first = *(const amc_v8 *)right, second = *(const amc_v8 *)(right + 8);
        for (int i = 0; i < rows; i++) {
            sums[i][0] += left[i * b->left] * first;
            sums[i][1] += left[i * b->left] * second;
        }
    }
    for (int i = 0; i < rows; i++, result += b->result) {
        for (int half = 0; half < 2; half++) {
            amc_v8 *to = (amc_v8 *)(result + 8 * half);
            if (b->add) sums[i][half] += *to;
            *to = sums[i][half];
        }
    }
}

static inline __attribute__((always_inline)) void
multiply_some(int rows, const block *b, const float *left, const float *right,
              float *result){AMC_KNOWN_ROWS(multiply, rows, b, left, right, result)}

// Some rows and all panels, which are `step` floats apart. Rows are cut into slivers of nearly
// equal size, 13 into 5, 4 and 4: a sliver of one row takes almost as long as one of four.
AMC_CLONES static void multiply_panels(int rows, int panels, const block *b, const float *left,
                                       const float *right, size_t step, float *result) {
    int slivers = (rows + ROWS - 1) / ROWS, least = rows / slivers, larger = rows % slivers;
    for (int panel = 0; panel < panels; panel++, right += step, result += COLUMNS)
        for (int i = 0, row = 0, some; i < slivers; i++, row += some) {
            some = least + (i < larger);
            multiply_some(some, b, left + row * b->left, right, result + row * b->result);
        }
}

// Deep sums are taken in pieces, so that one of a panel stays in the first cache while it meets a
// chunk of rows, which stays in the second while it meets all panels.
static void product(int rows, int panels, int depth, const float *left, const float *right,
                    bool add, float *result) {
    int pieces = (depth + DEPTH - 1) / DEPTH, piece = (depth + pieces - 1) / pieces;
    block b = {.left = depth, .result = (size_t)panels * COLUMNS};
    for (int from = 0; from < depth; from += piece) {
        b.depth = depth - from < piece ? depth - from : piece;
        b.add = add || from > 0;
        for (int first = 0; first < rows; first += CHUNK)
            multiply_panels(rows - first < CHUNK ? rows - first : CHUNK, panels, &b,
                            left + first * b.left + from, right + (size_t)from * COLUMNS,
                            (size_t)depth * COLUMNS, result + first * b.result);
    }
}

void amc_panels_product(int rows, int panels, int depth, const float *left, const float *right,
                        float *result) {
    product(rows, panels, depth, left, right, false, result);
}

void amc_panels_add_product(int rows, int panels, int depth, const float *left, const float *right,
                            float *result) {
    product(rows, panels, depth, left, right, true, result);
}
