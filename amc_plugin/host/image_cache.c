#include "host/image_cache.h"

#include "base/hash.h"
#include "base/memory.h"
#include "host/image_decoder.h"
#include "kernels/simd.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUCKETS = 1 << 16 };

typedef struct picture {
    struct picture *next;    // in its bucket
    char *path;              // after the pixels
    off_t size;              // of the file
    struct timespec changed; // when the file was
    int h, w;
    unsigned char pixels[]; // (3, h, w)
} picture;

struct amc_image_cache {
    pthread_rwlock_t lock; // of all that follows; pictures themselves don't change
    size_t budget, used;   // bytes
    int n;                 // pictures
    picture *bucket[BUCKETS];
};

// ---- pictures -----------------------------------------------------------------------------------

static size_t bytes_of(const char *path, int h, int w) {
    return sizeof(picture) + (size_t)3 * h * w + strlen(path) + 1;
}

// What the file holds, in planes; NULL if it is no image. Darknet asks for three channels too.
static picture *picture_new(const char *path, const struct stat *file) {
    int w, h;
    unsigned char *decoded = amc_image_decode_file(path, &w, &h);
    if (!decoded) return NULL;
    if (w < 1 || h < 1) { // of some formats stb_image takes those for images
        free(decoded);
        return NULL;
    }
    picture *p = amc_memory_alloc(1, bytes_of(path, h, w));
    size_t plane = (size_t)h * w;
    for (int c = 0; c < 3; c++)
        for (size_t i = 0; i < plane; i++) p->pixels[c * plane + i] = decoded[3 * i + c];
    free(decoded);
    p->path = strcpy((char *)p->pixels + 3 * plane, path);
    p->size = file->st_size;
    p->changed = file->st_mtim;
    p->h = h;
    p->w = w;
    return p;
}

static bool is_current(const picture *p, const struct stat *file) {
    return p->size == file->st_size && p->changed.tv_sec == file->st_mtim.tv_sec &&
           p->changed.tv_nsec == file->st_mtim.tv_nsec;
}

AMC_CLONES static void to_floats(const unsigned char *bytes, size_t n, float *x) {
    for (size_t i = 0; i < n; i++) x[i] = (float)bytes[i] / 255.0f;
}

static float *floats_of(const picture *p, int *h, int *w) {
    size_t n = (size_t)3 * p->h * p->w;
    float *x = amc_memory_resize(NULL, n, sizeof *x);
    to_floats(p->pixels, n, x);
    *h = p->h;
    *w = p->w;
    return x;
}

// ---- the cache ----------------------------------------------------------------------------------

static size_t bucket_of(const char *path) {
    return amc_hash_bytes(AMC_HASH_START, path, strlen(path)) % BUCKETS;
}

// Where the pointer to the path's picture is, or would be.
static picture **find(amc_image_cache *cache, const char *path) {
    picture **at = &cache->bucket[bucket_of(path)];
    while (*at && strcmp((*at)->path, path) != 0) at = &(*at)->next;
    return at;
}

static void drop(amc_image_cache *cache, picture **at) {
    picture *old = *at;
    if (!old) return;
    *at = old->next;
    cache->used -= bytes_of(old->path, old->h, old->w);
    cache->n--;
    free(old);
}

static float *load_kept(amc_image_cache *cache, const char *path, const struct stat *file, int *h,
                        int *w) {
    pthread_rwlock_rdlock(&cache->lock);
    const picture *p = *find(cache, path);
    float *x = p && is_current(p, file) ? floats_of(p, h, w) : NULL;
    pthread_rwlock_unlock(&cache->lock);
    return x;
}

// Takes p, in place of an older one of that path, or frees it where there is no room.
static void keep(amc_image_cache *cache, picture *p) {
    size_t bytes = bytes_of(p->path, p->h, p->w);
    pthread_rwlock_wrlock(&cache->lock);
    picture **at = find(cache, p->path);
    drop(cache, at);
    if (cache->used + bytes <= cache->budget) {
        p->next = *at;
        *at = p;
        cache->used += bytes;
        cache->n++;
        p = NULL;
    }
    pthread_rwlock_unlock(&cache->lock);
    free(p);
}

amc_image_cache *amc_image_cache_new(size_t budget) {
    amc_image_cache *cache = amc_memory_alloc(1, sizeof *cache);
    pthread_rwlock_init(&cache->lock, NULL);
    cache->budget = budget;
    return cache;
}

void amc_image_cache_free(amc_image_cache *cache) {
    if (!cache) return;
    for (int i = 0; i < BUCKETS; i++)
        while (cache->bucket[i]) drop(cache, &cache->bucket[i]);
    pthread_rwlock_destroy(&cache->lock);
    free(cache);
}

float *amc_image_cache_load(amc_image_cache *cache, const char *path, int *h, int *w) {
    struct stat file;
    if (stat(path, &file) < 0) return NULL;
    float *x = cache ? load_kept(cache, path, &file, h, w) : NULL;
    if (x) return x;
    picture *p = picture_new(path, &file);
    if (!p) return NULL;
    x = floats_of(p, h, w);
    if (cache) {
        keep(cache, p);
    } else {
        free(p);
    }
    return x;
}

int amc_image_cache_count(const amc_image_cache *cache) {
    return cache->n;
}

size_t amc_image_cache_budget(void) {
    const size_t most = (size_t)1 << 30;
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0) return most;
    size_t quarter = (size_t)pages / 4 * (size_t)page;
    return quarter < most ? quarter : most;
}
