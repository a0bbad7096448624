// What the machine can do at best, for scripts/bench.sh:
//
//   sgemm THREADS SECONDS     prints GFLOP/s of OpenBLAS's product of two 2048 x 2048 matrices, and
//                             GB/s of a[i] = b[i] + 3 c[i] over arrays of 64 MiB each

#include "peer.h"

#include <cblas.h>
#include <omp.h>

#define SIDE 2048
#define LENGTH ((int64_t)1 << 24)

typedef struct arrays {
    float *a, *b, *c;
} arrays;

static void multiply(void *context) {
    const arrays *x = context;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1, x->b, SIDE, x->c,
                SIDE, 0, x->a, SIDE);
}

static void triad(void *context) {
    const arrays *x = context;
    float *restrict a = x->a;
    const float *restrict b = x->b, *restrict c = x->c;
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < LENGTH; i++) a[i] = b[i] + 3 * c[i];
}

int main(int argc, char **argv) {
    if (argc != 3 || atoi(argv[1]) < 1) peer_fail(argv[0], "expected THREADS SECONDS");
    double seconds = atof(argv[2]), product, sweep;
    omp_set_num_threads(atoi(argv[1]));
    openblas_set_num_threads(atoi(argv[1]));
    arrays x = {peer_images(LENGTH), peer_images(LENGTH), peer_images(LENGTH)};
    product = peer_measure(multiply, &x, seconds);
    sweep = peer_measure(triad, &x, seconds);
    printf("%.6g %.6g\n", 2. * SIDE * SIDE * SIDE / product * 1e-9,
           3. * LENGTH * sizeof(float) / sweep * 1e-9);
    free(x.a);
    free(x.b);
    free(x.c);
    return 0;
}
