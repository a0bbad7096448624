#include "search/early_stop.h"

#include "base/memory.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

// Images before the first look; each later look is after twice as many. Fewer would save little:
// re-estimating batch normalization costs a plan more than so many images.
enum { FIRST_LOOK = 250 };

struct amc_early_stop {
    int n;
    double look_error; // share of the error of one look
    amc_rng rng;
    int *order;     // (n) images in the order in which they are seen
    bool *right;    // (n) in that order: the plan is right
    bool *best;     // (n) by image: the best is right
    int best_right; // images; -1 before there is a best
};

// What the images of a plan seen so far say.
typedef struct tally {
    int seen, right, wins, losses;
} tally;

amc_early_stop *amc_early_stop_new(int images, double error, uint64_t seed) {
    assert(images > 0 && error >= 0 && error <= 1);
    amc_early_stop *stop = amc_memory_alloc(1, sizeof *stop);
    stop->n = images;
    int looks = 0;
    for (int64_t look = FIRST_LOOK; look < images; look *= 2) looks++;
    stop->look_error = looks ? error / looks : 0;
    amc_rng_init(&stop->rng, ~seed); // plans are drawn by the seed itself
    stop->order = amc_memory_alloc((size_t)images, sizeof *stop->order);
    for (int i = 0; i < images; i++) stop->order[i] = i;
    stop->right = amc_memory_alloc((size_t)images, sizeof *stop->right);
    stop->best = amc_memory_alloc((size_t)images, sizeof *stop->best);
    stop->best_right = -1;
    return stop;
}

void amc_early_stop_free(amc_early_stop *stop) {
    if (!stop) return;
    free(stop->order);
    free(stop->right);
    free(stop->best);
    free(stop);
}

static double log_choose(int n, int k) {
    return lgamma(n + 1.0) - lgamma(k + 1.0) - lgamma(n - k + 1.0);
}

// Given s wins and losses together in the sample, the wins are hypergeometric: s drawn from all
// wins and losses among the n images. For a plan that is better, few wins are likeliest where there
// are half wins, half losses, of as many as can be. Half and half bounds every better plan, as a
// win less or a loss more makes few wins likelier. And from m of each to m + 1, the probability of
// k wins is multiplied by a constant over (m + 1 - k) (m + 1 - s + k), which is the larger the
// farther k is from s / 2, so both tails grow.
double amc_early_stop_p_value(int wins, int losses, int unseen) {
    if (wins >= losses) return 1;
    int s = wins + losses, m = (s + unseen) / 2; // of each
    if (losses > m) return 0;                    // too few images are left to make up for them
    double p = exp(log_choose(m, wins) + log_choose(m, losses) - log_choose(2 * m, s));
    double sum = p;
    for (int k = wins; k > 0 && s - k < m; k--) {
        p *= (double)k * (m - s + k) / ((double)(m - k + 1) * (s - k + 1)); // of k - 1 wins
        sum += p;
    }
    return sum;
}

// Has the images up to the `end`th scored, in parallel where the caller does so.
static void see(amc_early_stop *stop, int end, amc_early_stop_images *score, void *context,
                tally *t) {
    score(context, stop->order + t->seen, end - t->seen, stop->right + t->seen);
    for (; t->seen < end; t->seen++) {
        bool right = stop->right[t->seen], best = stop->best[stop->order[t->seen]];
        t->right += right;
        t->wins += right && !best;
        t->losses += best && !right;
    }
}

static void remember(amc_early_stop *stop, int right) {
    stop->best_right = right;
    for (int i = 0; i < stop->n; i++) stop->best[stop->order[i]] = stop->right[i];
}

static void draw_order(amc_early_stop *stop) {
    amc_rng_shuffle(&stop->rng, stop->order, (size_t)stop->n);
}

bool amc_early_stop_replay(amc_early_stop *stop, amc_score recorded) {
    int right = (int)lround((double)recorded.accuracy * stop->n);
    draw_order(stop);
    if (recorded.stopped || right <= stop->best_right) return false;
    stop->best_right = right;
    return true;
}

bool amc_early_stop_recall(amc_early_stop *stop, amc_early_stop_images *score, void *context) {
    tally t = {0};
    int recorded = stop->best_right;
    see(stop, stop->n, score, context, &t);
    remember(stop, t.right);
    return t.right == recorded;
}

amc_score amc_early_stop_score(amc_early_stop *stop, amc_early_stop_images *score, void *context) {
    tally t = {0};
    draw_order(stop);
    for (int64_t look = FIRST_LOOK; stop->best_right >= 0 && look < stop->n; look *= 2) {
        see(stop, (int)look, score, context, &t);
        if (amc_early_stop_p_value(t.wins, t.losses, stop->n - t.seen) > stop->look_error) continue;
        double lead = (double)(t.losses - t.wins) / t.seen; // of the best, estimated
        double accuracy = (double)stop->best_right / stop->n - lead;
        return (amc_score){
            .accuracy = accuracy > 0 ? (float)accuracy : 0, .images = t.seen, .stopped = true};
    }
    see(stop, stop->n, score, context, &t);
    if (t.right > stop->best_right) remember(stop, t.right);
    return (amc_score){.accuracy = (float)t.right / (float)stop->n, .images = stop->n};
}
