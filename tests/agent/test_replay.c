// The ring, what a transition gives back, and batches without repetition.

#include "agent/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static void add(amc_replay *replay, int i) {
    float state[2] = {i, -i}, next[2] = {i + 1, -i - 1};
    bool done = i % 3 == 2;
    amc_replay_add(replay, state, i * 0.5f, i * 10, done ? NULL : next, done);
}

static void test_a_transition_comes_back(void **state) {
    (void)state;
    amc_replay *replay = amc_replay_new(5, 2);
    for (int i = 0; i < 3; i++) add(replay, i);
    assert_int_equal(replay->count, 3);
    assert_true(amc_replay_state(replay, 1)[0] == 1 && amc_replay_state(replay, 1)[1] == -1);
    assert_true(amc_replay_next_state(replay, 1)[0] == 2 &&
                amc_replay_next_state(replay, 1)[1] == -2);
    assert_true(amc_replay_action(replay, 1) == 0.5f && amc_replay_reward(replay, 1) == 10);
    assert_false(amc_replay_done(replay, 1));
    assert_true(amc_replay_done(replay, 2));
    assert_true(amc_replay_next_state(replay, 2)[0] == 0);
    amc_replay_free(replay);
    amc_replay_free(NULL);
}

static void test_the_oldest_give_way(void **state) {
    (void)state;
    amc_replay *replay = amc_replay_new(5, 2);
    for (int i = 0; i < 12; i++) add(replay, i);
    assert_int_equal(replay->count, 5);
    bool found[12] = {false};
    for (int i = 0; i < 5; i++) found[(int)amc_replay_state(replay, i)[0]] = true;
    for (int i = 0; i < 12; i++) assert_int_equal(found[i], i >= 7);
    amc_replay_free(replay);
}

static void test_a_batch_repeats_nothing(void **state) {
    (void)state;
    amc_replay *replay = amc_replay_new(50, 2);
    amc_rng rng;
    amc_rng_init(&rng, 1);
    int total[40] = {0}, indices[100];
    for (int i = 0; i < 40; i++) add(replay, i);
    for (int round = 0; round < 4000; round++) {
        int seen[40] = {0};
        amc_replay_sample(replay, 10, indices, &rng);
        for (int i = 0; i < 10; i++) {
            assert_int_equal(seen[indices[i]]++, 0);
            total[indices[i]]++;
        }
    }
    for (int i = 0; i < 40; i++) assert_in_range(total[i], 850, 1150); // 1000 expected
    int seen[40] = {0};
    amc_replay_sample(replay, 100, indices, &rng);
    for (int i = 0; i < 100; i++) seen[indices[i]]++;
    for (int i = 0; i < 40; i++) assert_in_range(seen[i], 2, 3);
    amc_replay_free(replay);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_transition_comes_back),
        cmocka_unit_test(test_the_oldest_give_way),
        cmocka_unit_test(test_a_batch_repeats_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
