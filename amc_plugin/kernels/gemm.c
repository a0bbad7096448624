#include "kernels/gemm.h"

#include "kernels/parallel.h"

#include <cblas.h>
#include <stddef.h>

enum {
    ROW_BLOCK = 64,          // rows of C that one thread computes at a time
    PARALLEL_MACS = 1 << 18, // below this, waking threads costs more than it saves
};

void amc_gemm_init(void) {
    openblas_set_num_threads(1);
}

void amc_gemm(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda,
              const float *b, int ldb, float beta, float *c, int ldc) {
    cblas_sgemm(CblasRowMajor, ta ? CblasTrans : CblasNoTrans, tb ? CblasTrans : CblasNoTrans, m, n,
                k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void amc_gemm_parallel(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda,
                       const float *b, int ldb, float beta, float *c, int ldc) {
    bool worth = (double)m * n * k > PARALLEL_MACS && m > ROW_BLOCK && amc_parallel_is_free();
    (void)worth; // unused without OpenMP
#pragma omp parallel for schedule(dynamic) if (worth)
    for (int row = 0; row < m; row += ROW_BLOCK) {
        int rows = m - row < ROW_BLOCK ? m - row : ROW_BLOCK;
        amc_gemm(ta, tb, rows, n, k, alpha, a + (size_t)row * (ta ? 1 : lda), lda, b, ldb, beta,
                 c + (size_t)row * ldc, ldc);
    }
}

void amc_gemm_reference(bool ta, bool tb, int m, int n, int k, float alpha, const float *a, int lda,
                        const float *b, int ldb, float beta, float *c, int ldc) {
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++) {
                double x = ta ? a[(size_t)p * lda + i] : a[(size_t)i * lda + p];
                double y = tb ? b[(size_t)j * ldb + p] : b[(size_t)p * ldb + j];
                sum += x * y;
            }
            float *out = c + (size_t)i * ldc + j;
            *out = (float)(alpha * sum + (beta == 0 ? 0 : (double)beta * *out));
        }
    }
}
