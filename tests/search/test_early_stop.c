// The sequential test: how often it stops a plan that is better, how soon one that is worse, and
// what it says of a stopped plan's accuracy.

#include "base/rng.h"
#include "search/early_stop.h"
#include "support/networks.h"

enum { IMAGES = 2000 };

// What a plan is right on, and what was asked about it.
typedef struct plan {
    int n;
    bool right[IMAGES]; // (n)
    int asked[IMAGES];  // (n) times
    int first;          // the first image asked about; -1 before that
} plan;

// A plan that is right on the first `right` of n images.
static plan *new_plan(int n, int right) {
    plan *p = amc_memory_alloc(1, sizeof *p);
    p->n = n;
    p->first = -1;
    for (int i = 0; i < right; i++) p->right[i] = true;
    return p;
}

static void say(void *context, const int *images, int n, bool *right) {
    plan *p = context;
    for (int i = 0; i < n; i++) {
        assert_in_range(images[i], 0, p->n - 1);
        right[i] = p->right[images[i]];
        p->asked[images[i]]++;
    }
    if (p->first < 0) p->first = images[0];
}

// Scores a plan that is right on the first `right` images but the `lost` ones of them, which the
// `won` ones after them make up for.
static amc_score score(amc_early_stop *stop, int n, int right, int won, int lost) {
    plan *p = new_plan(n, right);
    for (int i = 0; i < lost; i++) p->right[i] = false;
    for (int i = 0; i < won; i++) p->right[right + i] = true;
    amc_score scored = amc_early_stop_score(stop, say, p);
    int asked = 0;
    for (int i = 0; i < n; i++) {
        assert_in_range(p->asked[i], 0, 1);
        asked += p->asked[i];
    }
    assert_int_equal(scored.images, asked);
    assert_true(scored.stopped ? asked < n : asked == n);
    free(p);
    return scored;
}

// ---- the p-value ----

static double choose(int n, int k) {
    double product = 1;
    if (k < 0 || k > n) return 0;
    for (int i = 1; i <= k; i++) product *= (double)(n - k + i) / i;
    return product;
}

// At most `wins` wins in a sample of s from so many.
static double tail(int all_wins, int all_losses, int s, int wins) {
    double sum = 0;
    for (int k = 0; k <= wins; k++) sum += choose(all_wins, k) * choose(all_losses, s - k);
    return sum / choose(all_wins + all_losses, s);
}

// It bounds the tail of every plan that is better.
static void test_p_value_bounds_every_better_plan(void **state) {
    (void)state;
    for (int unseen = 0; unseen <= 24; unseen++) {
        for (int wins = 0; wins <= 9; wins++) {
            for (int losses = 0; losses <= 14; losses++) {
                double p = amc_early_stop_p_value(wins, losses, unseen), most = 0;
                assert_true(p >= 0 && p <= 1);
                for (int w = wins; w <= wins + unseen; w++)
                    for (int l = losses; l < w && w + l <= wins + losses + unseen; l++)
                        most = fmax(most, tail(w, l, wins + losses, wins));
                assert_true(most <= p + 1e-12);
                // It is the tail of half wins, half losses, to all digits.
                int m = (wins + losses + unseen) / 2;
                if (wins < losses && losses <= m)
                    assert_true(fabs(p - tail(m, m, wins + losses, wins)) < 1e-12);
            }
        }
    }
}

static void test_p_value_limits(void **state) {
    (void)state;
    assert_true(amc_early_stop_p_value(0, 0, 1000) == 1);
    assert_true(amc_early_stop_p_value(7, 7, 0) == 1);
    assert_true(amc_early_stop_p_value(0, 5, 5) > 0);
    assert_true(amc_early_stop_p_value(0, 6, 5) == 0); // can't be made up for
    assert_true(amc_early_stop_p_value(9, 10, 0) == 0);
    // With many left, McNemar's test: P(at most 2 of 12) of a fair coin.
    assert_true(fabs(amc_early_stop_p_value(2, 10, 100000000) - 79.0 / 4096) < 1e-6);
    assert_true(amc_early_stop_p_value(2, 10, 100) < 79.0 / 4096);
    // Large samples neither overflow nor end in 0: 28 deviations.
    double p = amc_early_stop_p_value(1500, 3500, 1000000);
    assert_true(p > 1e-200 && p < 1e-150);
}

// ---- the error ----

// How often a plan with so many wins and losses against a best that is right on `right` images is
// stopped.
static double stopped_share(int right, int won, int lost, double error, int trials) {
    int stopped = 0;
    for (int i = 0; i < trials; i++) {
        amc_early_stop *stop = amc_early_stop_new(IMAGES, error, (uint64_t)i);
        assert_false(score(stop, IMAGES, right, 0, 0).stopped);
        stopped += score(stop, IMAGES, right, won, lost).stopped;
        amc_early_stop_free(stop);
    }
    return (double)stopped / trials;
}

static void test_a_better_plan_is_rarely_stopped(void **state) {
    (void)state;
    enum { TRIALS = 3000 };
    static const int won[] = {30, 120, 500};
    static const double errors[] = {0.3, 0.05};
    for (int e = 0; e < 2; e++) {
        double deviation = sqrt(errors[e] * (1 - errors[e]) / TRIALS);
        for (int i = 0; i < 3; i++) {
            double share = stopped_share(1400, won[i], won[i] - 1, errors[e], TRIALS);
            printf("# error %g, %d wins: stopped %.4f\n", errors[e], won[i], share);
            assert_true(share < errors[e] + 3 * deviation);
            if (i == 2) assert_true(share > errors[e] / 8); // nor is the bound far from the truth
        }
    }
    assert_true(stopped_share(1400, 30, 29, 0, 300) == 0);
    assert_true(stopped_share(1400, 200, 100, 0.05, 300) < 0.01);
}

static void test_a_worse_plan_is_stopped_soon(void **state) {
    (void)state;
    amc_early_stop *stop = amc_early_stop_new(IMAGES, 0.01, 1);
    assert_false(score(stop, IMAGES, 1500, 0, 0).stopped);
    int images = 0, at_once = 0;
    for (int i = 0; i < 200; i++) {
        amc_score far = score(stop, IMAGES, 1500, 100, 500),
                  near = score(stop, IMAGES, 1500, 50, 150);
        at_once += far.stopped && far.images == 250;
        images += near.images;
        assert_true(near.stopped && near.images <= 1000 && far.images <= near.images + 750);
    }
    assert_true(at_once > 190);
    printf("# 5 points behind: %d images of %d\n", images / 200, IMAGES);
    assert_true(images / 200 < IMAGES / 2);
    amc_early_stop_free(stop);
}

// ---- the score ----

static void test_estimate_of_a_stopped_plan(void **state) {
    (void)state;
    amc_early_stop *stop = amc_early_stop_new(IMAGES, 0.05, 2);
    assert_true(score(stop, IMAGES, 1500, 0, 0).accuracy == 0.75f);
    double sum = 0, squares = 0;
    for (int i = 0; i < 300; i++) {
        amc_score scored = score(stop, IMAGES, 1500, 100, 700);
        assert_true(scored.stopped && scored.accuracy < 0.75f);
        sum += scored.accuracy;
        squares += (scored.accuracy - 0.45) * (scored.accuracy - 0.45);
    }
    assert_true(fabs(sum / 300 - 0.45) < 0.01);
    assert_true(sqrt(squares / 300) < 0.045);
    // Right on none: an estimate may not be below that.
    for (int i = 0; i < 50; i++) {
        amc_score scored = score(stop, IMAGES, 1500, 0, 1500);
        assert_true(scored.accuracy >= 0 && scored.accuracy < 0.1f);
    }
    amc_early_stop_free(stop);
}

// What isn't stopped has its accuracy on all images, and is what later plans are compared with.
static void test_the_best_is_remembered(void **state) {
    (void)state;
    amc_early_stop *stop = amc_early_stop_new(IMAGES, 0.05, 3);
    assert_true(score(stop, IMAGES, 400, 0, 0).accuracy == 0.2f);
    assert_false(score(stop, IMAGES, 1200, 0, 0).stopped);
    amc_score better = score(stop, IMAGES, 1200, 600, 100);
    assert_true(!better.stopped && better.accuracy == 0.85f);
    assert_true(score(stop, IMAGES, 1200, 0, 0).stopped);
    // One of as many: no better, and no worse.
    assert_true(score(stop, IMAGES, 1200, 600, 100).accuracy == 0.85f);
    amc_early_stop_free(stop);
}

// Few images leave nothing to save: each is scored once, whatever came before.
static void test_few_images(void **state) {
    (void)state;
    static const int sizes[] = {1, 249, 250};
    for (int i = 0; i < 3; i++) {
        amc_early_stop *stop = amc_early_stop_new(sizes[i], 0.5, 1);
        assert_true(score(stop, sizes[i], sizes[i], 0, 0).accuracy == 1);
        amc_score worst = score(stop, sizes[i], sizes[i], 0, sizes[i]);
        assert_true(!worst.stopped && worst.accuracy == 0);
        amc_early_stop_free(stop);
    }
    amc_early_stop_free(NULL);
}

static void test_orders(void **state) {
    (void)state;
    int firsts[4];
    for (int i = 0; i < 4; i++) {
        amc_early_stop *stop = amc_early_stop_new(IMAGES, 0.05, i < 2 ? 5 : 6);
        plan *p = new_plan(IMAGES, 1000), *again = new_plan(IMAGES, 1000);
        amc_early_stop_score(stop, say, p);
        amc_early_stop_score(stop, say, again);
        firsts[i] = p->first;
        assert_int_not_equal(p->first, again->first); // an order for each plan
        free(p), free(again);
        amc_early_stop_free(stop);
    }
    assert_int_equal(firsts[0], firsts[1]);
    assert_int_not_equal(firsts[0], firsts[2]);
}

// ---- replayed ----

// Plans of a search: the best becomes better now and then.
static plan *plan_of(int i) {
    plan *p = new_plan(IMAGES, 1400 + 10 * (i / 4));
    for (int k = 0; k < 60 * (i % 4); k++) p->right[k * 7 % IMAGES] = false;
    return p;
}

// Scores the plans from `first` on: what each said.
static void score_plans(amc_early_stop *stop, int first, int n, amc_score *scores) {
    for (int i = first; i < n; i++) {
        plan *p = plan_of(i);
        scores[i] = amc_early_stop_score(stop, say, p);
        free(p);
    }
}

static void test_replayed_plans(void **state) {
    (void)state;
    enum { PLANS = 24 };
    amc_score whole[PLANS] = {{0}}, resumed[PLANS] = {{0}};
    amc_early_stop *stop = amc_early_stop_new(IMAGES, 0.05, 4);
    score_plans(stop, 0, PLANS, whole);
    amc_early_stop_free(stop);
    for (int k = 1; k < PLANS; k++) {
        int best = -1, right = 0;
        stop = amc_early_stop_new(IMAGES, 0.05, 4);
        for (int i = 0; i < k; i++) {
            bool better = !whole[i].stopped && whole[i].accuracy * IMAGES > right + 0.5;
            if (better) best = i, right = (int)(whole[i].accuracy * IMAGES + 0.5f);
            assert_int_equal(amc_early_stop_replay(stop, whole[i]), better);
        }
        plan *p = plan_of(best);
        assert_true(amc_early_stop_recall(stop, say, p));
        for (int i = 0; i < IMAGES; i++) assert_int_equal(p->asked[i], 1);
        free(p);
        score_plans(stop, k, PLANS, resumed);
        amc_early_stop_free(stop);
        for (int i = k; i < PLANS; i++) {
            assert_true(resumed[i].accuracy == whole[i].accuracy);
            assert_int_equal(resumed[i].images, whole[i].images);
            assert_int_equal(resumed[i].stopped, whole[i].stopped);
        }
    }
}

// A best plan that is right on more or fewer images than were recorded isn't the same.
static void test_recalled_plan_is_another(void **state) {
    (void)state;
    for (int right = 1499; right <= 1501; right++) {
        amc_early_stop *stop = amc_early_stop_new(IMAGES, 0.05, 4);
        plan *p = new_plan(IMAGES, right);
        assert_true(amc_early_stop_replay(stop, (amc_score){0.75f, IMAGES, false, true, 0}));
        assert_int_equal(amc_early_stop_recall(stop, say, p), right == 1500);
        free(p);
        amc_early_stop_free(stop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_p_value_bounds_every_better_plan),
        cmocka_unit_test(test_p_value_limits),
        cmocka_unit_test(test_a_better_plan_is_rarely_stopped),
        cmocka_unit_test(test_a_worse_plan_is_stopped_soon),
        cmocka_unit_test(test_estimate_of_a_stopped_plan),
        cmocka_unit_test(test_the_best_is_remembered),
        cmocka_unit_test(test_few_images),
        cmocka_unit_test(test_orders),
        cmocka_unit_test(test_replayed_plans),
        cmocka_unit_test(test_recalled_plan_is_another),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
