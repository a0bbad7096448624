#include "search/score_cache.h"

#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SLOTS = 1 << 13 };

struct amc_score_cache {
    int n;             // groups
    int n_slots;       // a power of two
    int *counts;       // (n_slots, n) a plan; a place is free where its first count is 0
    amc_score *scores; // (n_slots)
};

amc_score_cache *amc_score_cache_new(int n, int evaluations) {
    amc_score_cache *cache = amc_memory_alloc(1, sizeof *cache);
    cache->n = n;
    cache->n_slots = 1;
    while (cache->n_slots < MOST_SLOTS && cache->n_slots < 4 * (int64_t)evaluations)
        cache->n_slots *= 2;
    cache->counts = amc_memory_alloc((size_t)cache->n_slots * (size_t)n, sizeof *cache->counts);
    cache->scores = amc_memory_alloc((size_t)cache->n_slots, sizeof *cache->scores);
    amc_memory_touch(cache->counts, (size_t)cache->n_slots * (size_t)n * sizeof *cache->counts);
    amc_memory_touch(cache->scores, (size_t)cache->n_slots * sizeof *cache->scores);
    return cache;
}

void amc_score_cache_free(amc_score_cache *cache) {
    if (!cache) return;
    free(cache->counts);
    free(cache->scores);
    free(cache);
}

// FNV-1a over the counts, its upper bits folded in.
static size_t slot_of(const amc_score_cache *cache, const int *counts) {
    uint64_t hash = 0xcbf29ce484222325;
    for (int g = 0; g < cache->n; g++) hash = (hash ^ (uint64_t)counts[g]) * 0x100000001b3;
    return (size_t)(hash ^ hash >> 32) % (size_t)cache->n_slots;
}

bool amc_score_cache_find(const amc_score_cache *cache, const int *counts, amc_score *score) {
    size_t slot = slot_of(cache, counts);
    size_t size = (size_t)cache->n * sizeof *counts;
    if (memcmp(cache->counts + slot * (size_t)cache->n, counts, size) != 0) return false;
    *score = cache->scores[slot];
    return true;
}

void amc_score_cache_add(amc_score_cache *cache, const int *counts, amc_score score) {
    size_t slot = slot_of(cache, counts);
    memcpy(cache->counts + slot * (size_t)cache->n, counts, (size_t)cache->n * sizeof *counts);
    cache->scores[slot] = score;
}
