#include "kernels/lasso.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

enum { STEPS = 200, SWEEPS = 100 };

static const double LEAST = 1e-5; // of the lambda at which all factors are 0
static const double STILL = 1e-6; // a factor that changes by less doesn't

static double dot(const double *a, const double *b, int n) {
    double sum = 0;
    for (int i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

// The factor that is best while the others stay. target: A 1.
static double best_factor(const double *products, const double *target, const double *factors,
                          int n, int i, double lambda) {
    double own = products[(size_t)i * n + i];
    double pull = target[i] - dot(products + (size_t)i * n, factors, n) + own * factors[i];
    return own > 0 && fabs(pull) > lambda ? copysign(fabs(pull) - lambda, pull) / own : 0;
}

// Factors that are 0 already are tried again: another's going may bring one back.
static void descend(const double *products, const double *target, int n, double lambda,
                    double *factors) {
    double change = 1;
    for (int sweep = 0; sweep < SWEEPS && change > STILL; sweep++) {
        change = 0;
        for (int i = 0; i < n; i++) {
            double factor = best_factor(products, target, factors, n, i, lambda);
            change = fmax(change, fabs(factor - factors[i]));
            factors[i] = factor;
        }
    }
}

void amc_lasso_path(const double *products, int n, double *last) {
    double *target = amc_memory_alloc((size_t)n, sizeof *target), most = 0;
    double *factors = amc_memory_alloc((size_t)n, sizeof *factors);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) target[i] += products[(size_t)i * n + j];
        most = fmax(most, fabs(target[i]));
        factors[i] = 1;
        last[i] = 0;
    }
    for (int step = 0; step < STEPS; step++) {
        double lambda = most * pow(LEAST, 1 - (step + 1.0) / STEPS);
        descend(products, target, n, lambda, factors);
        for (int i = 0; i < n; i++)
            if (factors[i] != 0) last[i] = lambda;
    }
    free(factors);
    free(target);
}
