#include "base/rng.h"

#include <assert.h>
#include <math.h>

static const double PI = 3.14159265358979323846;

static uint64_t rotate(uint64_t x, int by) {
    return (x << by) | (x >> (64 - by));
}

// splitmix64: advances *x and gives 64 well mixed bits.
static uint64_t split_mix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void amc_rng_init(amc_rng *rng, uint64_t seed) {
    for (int i = 0; i < 4; i++) rng->s[i] = split_mix(&seed);
}

uint64_t amc_rng_next(amc_rng *rng) {
    uint64_t *s = rng->s, result = rotate(s[1] * 5, 7) * 9, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate(s[3], 45);
    return result;
}

double amc_rng_uniform(amc_rng *rng) {
    return (double)(amc_rng_next(rng) >> 11) * 0x1p-53;
}

uint32_t amc_rng_below(amc_rng *rng, uint32_t n) {
    assert(n > 0);
    uint32_t rejected = (UINT32_MAX - n + 1) % n; // 2^32 mod n: these would favour some results
    for (;;) {
        uint64_t product = (amc_rng_next(rng) >> 32) * n; // Lemire, 2019
        if ((uint32_t)product >= rejected) return (uint32_t)(product >> 32);
    }
}

double amc_rng_normal(amc_rng *rng) {
    double radius = sqrt(-2 * log(1 - amc_rng_uniform(rng))); // 1 - u is in (0, 1]
    return radius * cos(2 * PI * amc_rng_uniform(rng));
}

// The standard normal distribution function; by erfc, so that the lower tail keeps all its digits.
static double normal_cdf(double x) {
    return 0.5 * erfc(-x * sqrt(0.5));
}

// Acklam's rational approximation of the inverse of normal_cdf for p in (0, 0.5], within 1.2e-9.
static double quantile_guess(double p) {
    if (p < 0.02425) {
        double q = sqrt(-2 * log(p));
        double above = -7.784894002430293e-03;
        above = above * q - 3.223964580411365e-01;
        above = above * q - 2.400758277161838e+00;
        above = above * q - 2.549732539343734e+00;
        above = above * q + 4.374664141464968e+00;
        above = above * q + 2.938163982698783e+00;
        double below = 7.784695709041462e-03;
        below = below * q + 3.224671290700398e-01;
        below = below * q + 2.445134137142996e+00;
        below = below * q + 3.754408661907416e+00;
        return above / (below * q + 1);
    }
    double q = p - 0.5, r = q * q;
    double above = -3.969683028665376e+01;
    above = above * r + 2.209460984245205e+02;
    above = above * r - 2.759285104469687e+02;
    above = above * r + 1.383577518672690e+02;
    above = above * r - 3.066479806614716e+01;
    above = above * r + 2.506628277459239e+00;
    double below = -5.447609879822406e+01;
    below = below * r + 1.615858368580409e+02;
    below = below * r - 1.556989798598866e+02;
    below = below * r + 6.680131188771972e+01;
    below = below * r - 1.328068155288572e+01;
    return above * q / (below * r + 1);
}

// The inverse of normal_cdf, for p in [1e-300, 1).
static double normal_quantile(double p) {
    if (p > 0.5) return -normal_quantile(1 - p);
    double x = quantile_guess(p);
    double step = (normal_cdf(x) - p) * sqrt(2 * PI) * exp(x * x / 2);
    return x - step / (1 + x * step / 2); // Halley's step brings all digits
}

// Standard normal on [a, b] at the uniform number u, for b <= 0 or a <= 0 <= b.
static double truncated_quantile(double a, double b, double u) {
    if (b < -30) { // where cdf(b) comes near underflow, |x| exp(-x^2/2) is the density within 1/b^2
        double nearest = exp((b - a) * (b + a) / 2);
        return -sqrt(b * b - 2 * log(1 - u * (1 - nearest)));
    }
    double below = normal_cdf(a), p = below + u * (normal_cdf(b) - below);
    return p < 1e-300 ? a : p >= 1 ? b : normal_quantile(p);
}

double amc_rng_truncated_normal(amc_rng *rng, double mean, double sigma, double low, double high) {
    assert(sigma > 0 && low < high);
    double a = (low - mean) / sigma, b = (high - mean) / sigma, u = amc_rng_uniform(rng);
    // The upper tail is the lower one mirrored: only there do small probabilities keep digits.
    double z = a > 0 ? -truncated_quantile(-b, -a, u) : truncated_quantile(a, b, u);
    double x = mean + sigma * z;
    return x > low ? x < high ? x : high : low;
}

void amc_rng_shuffle(amc_rng *rng, int *items, size_t n) {
    for (size_t i = n; i > 1; i--) {
        size_t j = amc_rng_below(rng, (uint32_t)i);
        int kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
