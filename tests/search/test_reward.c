// Rewards against their formulas, and what they prefer.

#include "search/reward.h"

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <math.h>

static void test_names(void **state) {
    (void)state;
    assert_int_equal(amc_reward_find("err"), AMC_REWARD_ERR);
    assert_int_equal(amc_reward_find("flops"), AMC_REWARD_FLOPS);
    assert_int_equal(amc_reward_find("params"), AMC_REWARD_PARAMS);
    assert_int_equal(amc_reward_find("Err"), -1);
    assert_int_equal(amc_reward_find(""), -1);
}

static void test_formulas(void **state) {
    (void)state;
    assert_true(fabs(amc_reward_of(AMC_REWARD_ERR, 0.75, 1000, 10) + 0.25) < 1e-12);
    assert_true(fabs(amc_reward_of(AMC_REWARD_FLOPS, 0.75, 1000, 10) + 0.25 * log(1000)) < 1e-12);
    assert_true(fabs(amc_reward_of(AMC_REWARD_PARAMS, 0.75, 1000, 10) + 0.25 * log(10)) < 1e-12);
    for (int r = 0; r < AMC_REWARDS; r++)
        assert_true(amc_reward_of((amc_reward)r, 1, 1000, 10) == 0);
}

// A smaller network is worth more, a little accuracy too, a lot of accuracy more than size.
static void test_preferences(void **state) {
    (void)state;
    double whole = amc_reward_of(AMC_REWARD_FLOPS, 0.90, 40000000, 1);
    assert_true(amc_reward_of(AMC_REWARD_FLOPS, 0.90, 20000000, 1) > whole);
    assert_true(amc_reward_of(AMC_REWARD_FLOPS, 0.91, 40000000, 1) > whole);
    assert_true(amc_reward_of(AMC_REWARD_FLOPS, 0.80, 20000000, 1) < whole);
    assert_true(amc_reward_of(AMC_REWARD_ERR, 0.90, 20000000, 1) ==
                amc_reward_of(AMC_REWARD_ERR, 0.90, 40000000, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_preferences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
