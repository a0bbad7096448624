#include "kernels/panels.h"

#include "kernels/simd.h"

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
    size_t step;   // floats between panels
    size_t result; // floats between rows of the result
    bool add;      // to the result rather than overwriting it
} block;

// name: `rows` <= ROWS rows times two vectors, which are `apart` in the right matrix. With `rows`
// known to the compiler all sums stay in registers.
#define MULTIPLY(name, vector)                                                                     \
    static inline __attribute__((always_inline)) void name(int rows, const block *b,               \
                                                           const float *left, const float *right,  \
                                                           size_t apart, float *result) {          \
        enum { LANES = sizeof(vector) / sizeof(float) };                                           \
        vector sums[ROWS][2] = {0};                                                                \
        for (int p = 0; p < b->depth; p++, left++, right += COLUMNS) {                             \
            vector first = *(const vector *)right, second = *(const vector *)(right + apart);      \
            for (int i = 0; i < rows; i++) {                                                       \
                sums[i][0] += left[i * b->left] * first;                                           \
                sums[i][1] += left[i * b->left] * second;                                          \
            }                                                                                      \
        }                                                                                          \
        for (int i = 0; i < rows; i++, result += b->result) {                                      \
            for (int half = 0; half < 2; half++) {                                                 \
                vector *to = (vector *)(result + half * LANES);                                    \
                if (b->add) sums[i][half] += *to;                                                  \
                *to = sums[i][half];                                                               \
            }                                                                                      \
        }                                                                                          \
    }
MULTIPLY(multiply_panel, amc_v8)
MULTIPLY(multiply_two_panels, amc_v16)

// Some rows times one panel, or two. Rows are cut into slivers of nearly equal size, 13 into 5, 4
// and 4: a sliver of one row takes almost as long as one of four.
static inline __attribute__((always_inline)) void
multiply_slivers(bool two, int rows, const block *b, const float *left, const float *right,
                 float *result) {
    int slivers = (rows + ROWS - 1) / ROWS, least = rows / slivers, larger = rows % slivers;
    for (int i = 0, row = 0, some; i < slivers; i++, row += some) {
        const float *from = left + row * b->left;
        float *to = result + row * b->result;
        some = least + (i < larger);
        if (two) {
            AMC_KNOWN_ROWS(multiply_two_panels, some, b, from, right, b->step, to)
        } else {
            AMC_KNOWN_ROWS(multiply_panel, some, b, from, right, COLUMNS / 2, to)
        }
    }
}

AMC_CLONES static void multiply_panels(int rows, int panels, const block *b, const float *left,
                                       const float *right, float *result) {
    for (int i = 0; i < panels; i++)
        multiply_slivers(false, rows, b, left, right + i * b->step, result + i * COLUMNS);
}

// The same where vectors are as wide as panels; every sum is the same to the last bit.
AMC_WIDE static void multiply_panels_wide(int rows, int panels, const block *b, const float *left,
                                          const float *right, float *result) {
    int i = 0;
    for (; i + 1 < panels; i += 2)
        multiply_slivers(true, rows, b, left, right + i * b->step, result + i * COLUMNS);
    if (i < panels)
        multiply_slivers(false, rows, b, left, right + i * b->step, result + i * COLUMNS);
}

// Deep sums are taken in pieces, so that one of a panel stays in the first cache while it meets a
// chunk of rows, which stays in the second while it meets all panels.
static void product(int rows, int panels, int depth, const float *left, const float *right,
                    bool add, float *result) {
    int pieces = (depth + DEPTH - 1) / DEPTH, piece = (depth + pieces - 1) / pieces;
    block b = {.left = depth, .step = (size_t)depth * COLUMNS, .result = (size_t)panels * COLUMNS};
    bool wide = amc_simd_is_wide();
    for (int from = 0; from < depth; from += piece) {
        b.depth = depth - from < piece ? depth - from : piece;
        b.add = add || from > 0;
        for (int first = 0; first < rows; first += CHUNK)
            (wide ? multiply_panels_wide
                  : multiply_panels)(rows - first < CHUNK ? rows - first : CHUNK, panels, &b,
                                     left + first * b.left + from, right + (size_t)from * COLUMNS,
                                     result + first * b.result);
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
