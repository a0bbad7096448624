// C = alpha * op(A) * op(B) + beta * C, row-major, on OpenBLAS. Matrices are plain float arrays; op
// transposes where the flag says so; ld* is the distance between two stored rows.

#ifndef AMC_KERNELS_GEMM_H
#define AMC_KERNELS_GEMM_H

#include <stdbool.h>

// Keeps OpenBLAS to one thread a call: threads belong to the caller, who has images to share out.
// Call it once, first.
void amc_gemm_init(void);

// op(A) is (m, k), op(B) is (k, n), C is (m, n). Runs on the calling thread alone.
void amc_gemm(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda,
              const float *b, int ldb, float beta, float *c, int ldc);

// The same, with blocks of rows of C shared out to the threads when there is enough to do. The
// blocks depend on m alone, so the result doesn't depend on the number of threads.
void amc_gemm_parallel(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda,
                       const float *b, int ldb, float beta, float *c, int ldc);

// What amc_gemm is tested against: three loops, sums in double.
void amc_gemm_reference(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda,
                        const float *b, int ldb, float beta, float *c, int ldc);

#endif
