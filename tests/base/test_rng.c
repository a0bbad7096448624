// The generator: reference numbers, ranges, moments, and truncated normals far out in the tails.

#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

// xoshiro256** from the state {1, 2, 3, 4}: the numbers of the authors' C code.
static void test_reference_numbers(void **state) {
    (void)state;
    amc_rng rng = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (int i = 0; i < 4; i++) assert_true(amc_rng_next(&rng) == expected[i]);
}

// splitmix64 of seed 0 fills the state with its published first outputs.
static void test_seeding(void **state) {
    (void)state;
    amc_rng rng, again, other;
    amc_rng_init(&rng, 0);
    assert_true(rng.s[0] == 0xe220a8397b1dcdaf && rng.s[1] == 0x6e789e6aa1b965f4);
    amc_rng_init(&again, 0);
    amc_rng_init(&other, 1);
    assert_memory_equal(&rng, &again, sizeof rng);
    assert_true(amc_rng_next(&rng) != amc_rng_next(&other));
}

static void test_uniform_and_normal_moments(void **state) {
    (void)state;
    enum { N = 200000 };
    amc_rng rng;
    amc_rng_init(&rng, 7);
    double sum = 0, squares = 0, normal = 0, normal_squares = 0;
    for (int i = 0; i < N; i++) {
        double u = amc_rng_uniform(&rng), z = amc_rng_normal(&rng);
        assert_true(u >= 0 && u < 1 && isfinite(z));
        sum += u, squares += u * u, normal += z, normal_squares += z * z;
    }
    assert_true(fabs(sum / N - 0.5) < 0.003);
    assert_true(fabs(squares / N - 1.0 / 3) < 0.003);
    assert_true(fabs(normal / N) < 0.01);
    assert_true(fabs(normal_squares / N - 1) < 0.02);
}

static void test_below_is_even(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 3);
    int seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        uint32_t x = amc_rng_below(&rng, 7);
        assert_true(x < 7);
        seen[x]++;
    }
    for (int i = 0; i < 7; i++) assert_true(abs(seen[i] - 10000) < 400);
    assert_int_equal(amc_rng_below(&rng, 1), 0);
    uint32_t large = 3000000000u; // where a modulo would favour the small half
    int low = 0;
    for (int i = 0; i < 10000; i++) low += amc_rng_below(&rng, large) < large / 2;
    assert_true(abs(low - 5000) < 250);
}

static void test_shuffle_is_a_permutation(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 5);
    int items[100], seen[100] = {0}, fixed = 0;
    for (int i = 0; i < 100; i++) items[i] = i;
    amc_rng_shuffle(&rng, items, 100);
    for (int i = 0; i < 100; i++) seen[items[i]]++, fixed += items[i] == i;
    for (int i = 0; i < 100; i++) assert_int_equal(seen[i], 1);
    assert_true(fixed < 10);
    amc_rng_shuffle(&rng, items, 0);
}

// The mean of Normal(mean, sigma) on [low, high] by Simpson's rule, relative to the density's peak
// on the interval so that it works in the tails as well.
static double truncated_mean(double mean, double sigma, double low, double high) {
    enum { N = 20000 };
    double nearest = fmin(fmax(mean, low), high), weight_sum = 0, sum = 0;
    for (int i = 0; i <= N; i++) {
        double x = low + (high - low) * i / N, z = (x - mean) / sigma;
        double peak = (nearest - mean) / sigma, simpson = i == 0 || i == N ? 1 : i % 2 ? 4 : 2;
        double weight = simpson * exp((peak - z) * (peak + z) / 2);
        weight_sum += weight, sum += weight * x;
    }
    return sum / weight_sum;
}

static void test_truncated_normal(void **state) {
    (void)state;
    static const double cases[][4] = {
        {0.5, 0.5, 0, 1},    {0.5, 0.05, 0.2, 1},    {0, 0.1, 0.2, 1},      {1, 0.1, 0.2, 0.4},
        {0, 0.05, 0.9, 1},   {1, 0.01, 0.1, 0.2},    {1, 0.03, 0.001, 0.2}, {0, 0.001, 0.5, 1},
        {5, 1e-3, 0, 1},     {-40, 1, 0, 1},         {0.5, 100, 0, 1},      {0, 1, -10, 10},
        {0, 1, 8, INFINITY}, {0, 1, -INFINITY, -20},
    };
    amc_rng rng;
    amc_rng_init(&rng, 11);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        double mean = cases[c][0], sigma = cases[c][1], low = cases[c][2], high = cases[c][3];
        double sum = 0, least = INFINITY, most = -INFINITY;
        int n = 50000;
        for (int i = 0; i < n; i++) {
            double x = amc_rng_truncated_normal(&rng, mean, sigma, low, high);
            assert_true(isfinite(x) && x >= low && x <= high);
            sum += x, least = fmin(least, x), most = fmax(most, x);
        }
        double from = isfinite(low) ? low : high - 2, to = isfinite(high) ? high : low + 2;
        double nearest = fmin(fmax(mean, from), to);
        // Far outside, all the mass is within about sigma^2 / distance of the nearer bound.
        double spread = fmin(sigma, fmin(to - from, sigma * sigma / (fabs(mean - nearest) + 1e-9)));
        double expected = mean - nearest == 0 ? truncated_mean(mean, sigma, from, to)
                          : mean < nearest
                              ? truncated_mean(mean, sigma, from, fmin(to, from + 40 * spread))
                              : truncated_mean(mean, sigma, fmax(from, to - 40 * spread), to);
        assert_true(fabs(sum / n - expected) < 0.02 * spread);
        assert_true(most > least);
    }
}

// By inversion, one uniform number each: equal streams stay in step, and a larger number gives a
// larger result.
static void test_truncated_normal_costs_one_number(void **state) {
    (void)state;
    amc_rng rng, uniform;
    amc_rng_init(&rng, 13);
    uniform = rng;
    for (int i = 0; i < 1000; i++) {
        double x = amc_rng_truncated_normal(&rng, 0, 1, -9, 9), u = amc_rng_uniform(&uniform);
        double cdf = 0.5 * erfc(-x / sqrt(2));
        assert_true(fabs(cdf - u) < 1e-14);
    }
    assert_memory_equal(&rng, &uniform, sizeof rng);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_numbers),
        cmocka_unit_test(test_seeding),
        cmocka_unit_test(test_uniform_and_normal_moments),
        cmocka_unit_test(test_below_is_even),
        cmocka_unit_test(test_shuffle_is_a_permutation),
        cmocka_unit_test(test_truncated_normal),
        cmocka_unit_test(test_truncated_normal_costs_one_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
