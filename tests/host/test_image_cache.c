// Images that were kept have the pixels that Darknet loads, to the last bit; files that change are
// read again; the budget holds; threads agree.

#include "host/image_cache.h"

#include "fixture.h"

#include <image.h>
#include <pthread.h>
#include <stdbool.h>

#define ROOMY ((size_t)1 << 24)

// Whether the cache gives what Darknet's own loader gives.
static bool is_stock(amc_image_cache *cache, const char *path) {
    int h, w;
    float *x = amc_image_cache_load(cache, path, &h, &w);
    image stock = load_image((char *)path, 0, 0, 3);
    assert_non_null(x);
    bool same =
        h == stock.h && w == stock.w && memcmp(x, stock.data, sizeof(float) * 3 * h * w) == 0;
    free(x);
    free_image(stock);
    return same;
}

static void pixels_equal_darknet(void **state) {
    (void)state;
    static const char *const names[] = {"a.png", "b.jpg", "c.bmp", "grey.png", "alpha.png"};
    static const int channels[] = {3, 3, 3, 1, 4};
    amc_image_cache *cache = amc_image_cache_new(ROOMY);
    for (int i = 0; i < 5; i++) {
        char *path = fixture_image(names[i], 33, 17, channels[i], i);
        for (int again = 0; again < 2; again++) assert_true(is_stock(cache, path));
        assert_true(is_stock(NULL, path));
        assert_int_equal(amc_image_cache_count(cache), i + 1);
        free(path);
    }
    amc_image_cache_free(cache);
}

// All 256 values of a byte.
static void bytes_become_equal_floats(void **state) {
    (void)state;
    unsigned char ramp[256 * 3];
    for (int i = 0; i < 256 * 3; i++) ramp[i] = (unsigned char)(i / 3);
    char *path = fixture_path("ramp.png");
    assert_true(stbi_write_png(path, 256, 1, 3, ramp, 0));
    assert_true(is_stock(NULL, path));
    free(path);
}

static void kept_images_need_no_file(void **state) {
    (void)state;
    char *path = fixture_image("kept.png", 8, 9, 3, 1);
    amc_image_cache *cache = amc_image_cache_new(ROOMY);
    assert_true(is_stock(cache, path));
    // The same size and time, but no image: what comes back must have been kept.
    struct stat file;
    assert_int_equal(stat(path, &file), 0);
    int to = open(path, O_WRONLY);
    char *nothing = amc_memory_alloc((size_t)file.st_size, 1);
    assert_int_equal(write(to, nothing, (size_t)file.st_size), file.st_size);
    free(nothing);
    struct timespec times[2] = {file.st_atim, file.st_mtim};
    assert_int_equal(futimens(to, times), 0);
    close(to);
    int h, w;
    float *x = amc_image_cache_load(cache, path, &h, &w);
    assert_non_null(x);
    assert_int_equal(w, 8);
    free(x);
    assert_null(amc_image_cache_load(NULL, path, &h, &w));
    amc_image_cache_free(cache);
    free(path);
}

static void changed_files_are_read_again(void **state) {
    (void)state;
    amc_image_cache *cache = amc_image_cache_new(ROOMY);
    for (int i = 0; i < 4; i++) {
        char *path = fixture_image("changing.png", 8 + i, 9, 3, i);
        assert_true(is_stock(cache, path));
        assert_int_equal(amc_image_cache_count(cache), 1);
        free(path);
    }
    amc_image_cache_free(cache);
}

static void budget_holds(void **state) {
    (void)state;
    amc_image_cache *cache = amc_image_cache_new(10000); // each takes 3,000 and a little
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 6; i++) {
            char name[16];
            snprintf(name, sizeof name, "budget%d.png", i);
            char *path = fixture_image(name, 40, 25, 3, i);
            assert_true(is_stock(cache, path));
            assert_in_range(amc_image_cache_count(cache), 1, 3);
            free(path);
        }
    }
    assert_int_equal(amc_image_cache_count(cache), 3);
    amc_image_cache_free(cache);
    assert_in_range(amc_image_cache_budget(), 1, (size_t)1 << 30);
}

static void unreadable_files_are_refused(void **state) {
    (void)state;
    amc_image_cache *cache = amc_image_cache_new(ROOMY);
    char *text = fixture_write("text.png", "no image"), *missing = fixture_path("missing.png");
    int h, w;
    assert_null(amc_image_cache_load(cache, text, &h, &w));
    assert_null(amc_image_cache_load(cache, missing, &h, &w));
    assert_int_equal(amc_image_cache_count(cache), 0);
    amc_image_cache_free(cache);
    free(text);
    free(missing);
}

enum { IMAGES = 20, THREADS = 8 };

typedef struct reader {
    amc_image_cache *cache;
    char **paths; // (IMAGES), image i being i + 1 pixels wide
    int wrong;    // images that came out otherwise
} reader;

static void *read_all(void *of_thread) {
    reader *r = of_thread;
    for (int i = 0; i < 50 * IMAGES; i++) {
        int h, w;
        float *x = amc_image_cache_load(r->cache, r->paths[i * 7 % IMAGES], &h, &w);
        r->wrong += !x || w != i * 7 % IMAGES + 1;
        free(x);
    }
    return NULL;
}

static void threads_share_it(void **state) {
    (void)state;
    amc_image_cache *cache = amc_image_cache_new(ROOMY);
    char *paths[IMAGES];
    for (int i = 0; i < IMAGES; i++) {
        char name[16];
        snprintf(name, sizeof name, "shared%d.png", i);
        paths[i] = fixture_image(name, i + 1, 5, 3, i);
    }
    pthread_t threads[THREADS];
    reader readers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        readers[i] = (reader){cache, paths, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(readers[i].wrong, 0);
    }
    assert_int_equal(amc_image_cache_count(cache), IMAGES);
    for (int i = 0; i < IMAGES; i++) assert_true(is_stock(cache, paths[i])), free(paths[i]);
    amc_image_cache_free(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_equal_darknet),
        cmocka_unit_test(bytes_become_equal_floats),
        cmocka_unit_test(kept_images_need_no_file),
        cmocka_unit_test(changed_files_are_read_again),
        cmocka_unit_test(budget_holds),
        cmocka_unit_test(unreadable_files_are_refused),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests_name("image_cache", tests, fixture_setup, fixture_teardown);
}
