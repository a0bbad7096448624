// A seeded random generator whose whole state is one plain struct: copy it to save it. Equal seeds
// give equal numbers on every machine.

#ifndef AMC_BASE_RNG_H
#define AMC_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

typedef struct amc_rng {
    uint64_t s[4]; // xoshiro256** (Blackman and Vigna, 2018)
} amc_rng;

// Seeds by splitmix64, so that near seeds give unrelated streams.
void amc_rng_init(amc_rng *rng, uint64_t seed);

// 64 random bits.
uint64_t amc_rng_next(amc_rng *rng);

// Uniform in [0, 1), 53 bits.
double amc_rng_uniform(amc_rng *rng);

// Uniform integer in [0, n); n > 0. Without modulo bias.
uint32_t amc_rng_below(amc_rng *rng, uint32_t n);

// Standard normal (Box-Muller; no spare is kept, so the state is all there is).
double amc_rng_normal(amc_rng *rng);

// Normal(mean, sigma) conditioned on [low, high], by inversion of the distribution function, which
// costs one uniform number however far the mean lies outside. sigma > 0, low < high.
double amc_rng_truncated_normal(amc_rng *rng, double mean, double sigma, double low, double high);

// Shuffles n ints in place (Fisher-Yates).
void amc_rng_shuffle(amc_rng *rng, int *items, size_t n);

#endif
