// A cache of scores: what was added last is found, and nothing else is.

#include "search/score_cache.h"
#include "support/networks.h"

static void test_find_and_add(void **state) {
    (void)state;
    amc_score_cache *cache = amc_score_cache_new(3);
    amc_score score = {.accuracy = -1};
    static const int plans[][3] = {{1, 2, 3}, {3, 2, 1}, {1, 2, 4}, {100, 1, 1}};
    for (int i = 0; i < 4; i++) assert_false(amc_score_cache_find(cache, plans[i], &score));
    assert_true(score.accuracy == -1);
    for (int i = 0; i < 4; i++)
        amc_score_cache_add(cache, plans[i], (amc_score){(float)i, 10 * i, i % 2, false, 0});
    for (int i = 0; i < 4; i++) {
        assert_true(amc_score_cache_find(cache, plans[i], &score));
        assert_true(score.accuracy == (float)i);
        assert_int_equal(score.images, 10 * i);
        assert_int_equal(score.stopped, i % 2);
    }
    amc_score_cache_add(cache, plans[2], (amc_score){.accuracy = 9});
    assert_true(amc_score_cache_find(cache, plans[2], &score) && score.accuracy == 9);
    assert_false(amc_score_cache_find(cache, (int[]){2, 2, 2}, &score));
    amc_score_cache_free(cache);
    amc_score_cache_free(NULL);
}

// With more plans than places, what is found is right, and most of the latest are.
static void test_crowded(void **state) {
    (void)state;
    enum { PLANS = 100000, SIDE = 400 };
    amc_score_cache *cache = amc_score_cache_new(2);
    int found = 0;
    for (int i = 0; i < PLANS; i++)
        amc_score_cache_add(cache, (int[]){1 + i % SIDE, 1 + i / SIDE},
                            (amc_score){.accuracy = (float)i});
    for (int i = 0; i < PLANS; i++) {
        amc_score score;
        if (!amc_score_cache_find(cache, (int[]){1 + i % SIDE, 1 + i / SIDE}, &score)) continue;
        assert_true(score.accuracy == (float)i);
        found++;
    }
    assert_true(found > 8000 && found <= 8192);
    amc_score_cache_free(cache);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_and_add),
        cmocka_unit_test(test_crowded),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
