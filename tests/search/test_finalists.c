// The best plans of a search: as many as there is room for, in order, each once.

#include "search/finalists.h"
#include "support/networks.h"

static void offer(amc_finalists *finalists, int plan, double reward, bool eligible) {
    int counts[2] = {plan, plan + 1};
    amc_search_episode episode = {
        .index = plan, .reward = reward, .counts = counts, .eligible = eligible};
    amc_finalists_offer(finalists, &episode);
}

static void assert_order(const amc_finalists *finalists, const int *plans, int n) {
    assert_int_equal(amc_finalists_count(finalists), n);
    for (int k = 0; k < n; k++) {
        const amc_search_episode *episode = amc_finalists_get(finalists, k);
        assert_int_equal(episode->index, plans[k]);
        assert_int_equal(episode->counts[0], plans[k]);
        assert_int_equal(episode->counts[1], plans[k] + 1);
    }
}

static void test_order(void **state) {
    (void)state;
    amc_finalists *finalists = amc_finalists_new(2, 3, false);
    assert_order(finalists, NULL, 0);
    offer(finalists, 1, 0.5, true);
    offer(finalists, 2, 0.7, true);
    assert_order(finalists, (int[]){2, 1}, 2);
    offer(finalists, 3, 0.5, true); // equal: the earlier one is better
    assert_order(finalists, (int[]){2, 1, 3}, 3);
    offer(finalists, 4, 0.5, true); // no room
    assert_order(finalists, (int[]){2, 1, 3}, 3);
    offer(finalists, 5, 0.6, true);
    assert_order(finalists, (int[]){2, 5, 1}, 3);
    offer(finalists, 2, 0.7, true); // there already
    assert_order(finalists, (int[]){2, 5, 1}, 3);
    offer(finalists, 6, 0.9, false);
    assert_order(finalists, (int[]){2, 5, 1}, 3);
    offer(finalists, 7, 0.9, true);
    assert_order(finalists, (int[]){7, 2, 5}, 3);
    amc_finalists_free(finalists);
    amc_finalists_free(NULL);
}

// Room for one: the best.
static void test_one(void **state) {
    (void)state;
    amc_finalists *finalists = amc_finalists_new(2, 1, false);
    for (int i = 0; i < 10; i++) offer(finalists, i, -abs(i - 4), true);
    assert_order(finalists, (int[]){4}, 1);
    amc_finalists_free(finalists);
}

// The first stays, in its place or as the last.
static void test_first(void **state) {
    (void)state;
    amc_finalists *finalists = amc_finalists_new(2, 2, true);
    offer(finalists, 1, 0.9, false);
    assert_order(finalists, NULL, 0);
    offer(finalists, 2, 0.5, true);
    offer(finalists, 3, 0.4, true);
    assert_order(finalists, (int[]){2, 3}, 2);
    offer(finalists, 4, 0.7, true);
    assert_order(finalists, (int[]){4, 2}, 2);
    offer(finalists, 5, 0.6, true);
    assert_order(finalists, (int[]){4, 5, 2}, 3);
    offer(finalists, 6, 0.8, true);
    assert_order(finalists, (int[]){6, 4, 2}, 3);
    amc_finalists_free(finalists);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
