#include "search/score_cache.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// Many more than a search has plans; not a matter of how many episodes there are, or a longer
// search would not start as a shorter one does.
enum { SLOTS = 1 << 13 };

struct amc_score_cache {
    int n;             // groups
    int *counts;       // (SLOTS, n) a plan; a place is free where its first count is 0
    amc_score *scores; // (SLOTS)
};

amc_score_cache *amc_score_cache_new(int n) {
    amc_score_cache *cache = amc_memory_alloc(1, sizeof *cache);
    size_t counts = SLOTS * (size_t)n;
    cache->n = n;
    cache->counts = amc_memory_alloc(counts, sizeof *cache->counts);
    cache->scores = amc_memory_alloc(SLOTS, sizeof *cache->scores);
    amc_memory_touch(cache->counts, counts * sizeof *cache->counts);
    amc_memory_touch(cache->scores, SLOTS * sizeof *cache->scores);
    return cache;
}

void amc_score_cache_free(amc_score_cache *cache) {
    if (!cache) return;
    free(cache->counts);
    free(cache->scores);
    free(cache);
}

// The hash with its upper bits folded in.
static size_t slot_of(const amc_score_cache *cache, const int *counts) {
    uint64_t hash = amc_hash_bytes(AMC_HASH_START, counts, (size_t)cache->n * sizeof *counts);
    return (size_t)(hash ^ hash >> 32) % SLOTS;
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
