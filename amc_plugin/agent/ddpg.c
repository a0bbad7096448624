#include "agent/ddpg.h"

#include "agent/mlp.h"
#include "agent/replay.h"
#include "base/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct amc_ddpg {
    amc_ddpg_options options;
    int state_size, episodes;
    amc_rng rng;
    double sigma, baseline;
    amc_mlp *actor, *critic, *target_actor, *target_critic;
    amc_replay *replay;
    double *mean, *m2; long seen;
    double rmean, rm2; long rseen;
    double rewards[4096]; // all
    int *indices; float *x, *xq, *xn, *g, *dy, *y;
};

amc_ddpg_options amc_ddpg_defaults(void) {
    return (amc_ddpg_options){.low = 0.1, .hidden = 300, .actor_rate = 1e-4, .critic_rate = 1e-3, .batch = 64, .replay = 2000, .tau = 0.01, .gamma = 1, .warmup_episodes = 100, .sigma = 0.5, .sigma_decay = 0.95, .sigma_floor = 0.05, .updates_per_step = 1, .baseline_rate = 0.95, .mode=1,.norm=1,.invgrad=0,.nstate=1};
}

amc_ddpg *amc_ddpg_new(int n, amc_ddpg_options o, uint64_t seed) {
    amc_ddpg *a = amc_memory_alloc(1, sizeof *a);
    a->options = o; a->state_size = n; a->sigma = o.sigma;
    amc_rng_init(&a->rng, seed);
    int as[] = {n, o.hidden, o.hidden, 1}, cs[] = {n + 1, o.hidden, o.hidden, 1};
    a->actor = amc_mlp_new(3, as, true, 3e-3, o.batch, &a->rng);
    a->critic = amc_mlp_new(3, cs, false, 3e-3, o.batch, &a->rng);
    a->target_actor = amc_mlp_new(3, as, true, 3e-3, o.batch, &a->rng);
    a->target_critic = amc_mlp_new(3, cs, false, 3e-3, o.batch, &a->rng);
    amc_mlp_soft_update(a->target_actor, a->actor, 1);
    amc_mlp_soft_update(a->target_critic, a->critic, 1);
    a->replay = amc_replay_new(o.replay, n);
    a->mean = amc_memory_alloc(n, 8); a->m2 = amc_memory_alloc(n, 8);
    a->indices = amc_memory_alloc(o.batch, 4);
    a->x = amc_memory_alloc(o.batch * (n + 1), 4); a->xq = amc_memory_alloc(o.batch * (n + 1), 4);a->xn = amc_memory_alloc(o.batch * (n + 1), 4);
    a->g = amc_memory_alloc(o.batch, 4); a->dy = amc_memory_alloc(o.batch, 4); a->y = amc_memory_alloc(o.batch, 4);
    return a;
}
void amc_ddpg_free(amc_ddpg *a) { // leaks; experiment
    amc_mlp_free(a->actor); amc_mlp_free(a->critic); amc_mlp_free(a->target_actor); amc_mlp_free(a->target_critic); amc_replay_free(a->replay); free(a);
}
double amc_ddpg_sigma(const amc_ddpg *a) { return a->sigma; }
static void normalise(amc_ddpg *a, const float *s, float *out) {
    for (int i = 0; i < a->state_size; i++) {
        double sd = a->seen > 1 ? sqrt(a->m2[i] / a->seen) : 0;
        double z = sd > 1e-6 ? (s[i] - a->mean[i]) / sd : 0;
        if (!a->options.nstate) z = s[i];
        out[i] = z > 5 ? 5 : z < -5 ? -5 : z;
    }
}
static double toact(amc_ddpg *a, double y) { return a->options.low + (1 - a->options.low) * y; }
static float tocrit(amc_ddpg *a, double act) { return 2 * (act - a->options.low) / (1 - a->options.low) - 1; }
double amc_ddpg_greedy(amc_ddpg *a, const float *s) {
    normalise(a, s, a->x);
    return toact(a, amc_mlp_forward(a->actor, a->x, 1)[0]);
}
double amc_ddpg_act(amc_ddpg *a, const float *s) {
    double mu = amc_ddpg_greedy(a, s);
    return amc_rng_truncated_normal(&a->rng, mu, a->sigma, a->options.low, 1);
}
static int cmp(const void *x, const void *y) { double a = *(double *)x, b = *(double *)y; return (a > b) - (a < b); }
static double sorted[4096]; static int nsorted;
static double scale_reward(amc_ddpg *a, double r) {
    switch (a->options.norm) {
    case 0: return r - a->baseline;
    case 1: return (r - a->rmean) / (sqrt(a->rm2 / a->rseen) + 1e-9);
    case 4: case 2: { int lo = 0; while (lo < nsorted && sorted[lo] < r - 1e-7) lo++; int hi = lo; while (hi < nsorted && sorted[hi] <= r + 1e-7) hi++;
        return ((lo + hi) * 0.5 / nsorted - 0.5) * 3.46; }
    case 3: return (r - a->baseline) / (sqrt(a->rm2 / a->rseen) + 1e-9);
    }
    return 0;
}
static void update(amc_ddpg *a) {
    int n = a->state_size, B = a->options.batch;
    amc_replay_sample(a->replay, B, a->indices, &a->rng);
    for (int i = 0; i < B; i++) {
        int k = a->indices[i];
        normalise(a, amc_replay_state(a->replay, k), a->xq + i * (n + 1));
        memcpy(a->x + i * n, a->xq + i * (n + 1), n * 4);
        a->xq[i * (n + 1) + n] = tocrit(a, amc_replay_action(a->replay, k));
        a->y[i] = scale_reward(a, amc_replay_reward(a->replay, k));
    }
    if (a->options.mode != 1) { // 0 paper; 2 last-only TD
        float *xs = a->g; (void)xs;
        float *tmp = amc_memory_alloc(B * n, 4);
        for (int i = 0; i < B; i++) { normalise(a, amc_replay_next_state(a->replay, a->indices[i]), a->xn + i * (n + 1)); memcpy(tmp + i * n, a->xn + i * (n + 1), n * 4); }
        const float *mu = amc_mlp_forward(a->target_actor, tmp, B);
        for (int i = 0; i < B; i++) a->xn[i * (n + 1) + n] = 2 * mu[i] - 1;
        const float *q = amc_mlp_forward(a->target_critic, a->xn, B);
        for (int i = 0; i < B; i++) {
            bool done = amc_replay_done(a->replay, a->indices[i]);
            if (a->options.mode == 0) a->y[i] += done ? 0 : a->options.gamma * q[i];
            else a->y[i] = done ? a->y[i] : q[i];
        }
        free(tmp);
    }
    const float *q = amc_mlp_forward(a->critic, a->xq, B);
    for (int i = 0; i < B; i++) a->dy[i] = 2 * (q[i] - a->y[i]) / B;
    amc_mlp_backward(a->critic, a->dy, B);
    amc_mlp_adam(a->critic, a->options.critic_rate);
    const float *mu = amc_mlp_forward(a->actor, a->x, B);
    for (int i = 0; i < B; i++) a->xq[i * (n + 1) + n] = 2 * mu[i] - 1;
    amc_mlp_forward(a->critic, a->xq, B);
    for (int i = 0; i < B; i++) a->dy[i] = -1.0 / B;
    const float *dx = amc_mlp_input_grads(a->critic, a->dy, B);
    for (int i = 0; i < B; i++) {
        double g = 2 * dx[i * (n + 1) + n];
        if (a->options.invgrad) { double m = mu[i]; double s = g < 0 ? (1 - m) : m; // descending g<0 raises action
            g *= s / (m * (1 - m) + 1e-3) * 0.5; }
        a->g[i] = g;
    }
    amc_mlp_backward(a->actor, a->g, B);
    amc_mlp_adam(a->actor, a->options.actor_rate);
    if (a->options.mode != 1) {
        amc_mlp_soft_update(a->target_actor, a->actor, a->options.tau);
        amc_mlp_soft_update(a->target_critic, a->critic, a->options.tau);
    }
}
void amc_ddpg_end_episode(amc_ddpg *a, const float *s, const double *act, int steps, double r) {
    int n = a->state_size;
    for (int t = 0; t < steps; t++) {
        const float *x = s + t * n;
        a->seen++;
        for (int i = 0; i < n; i++) { double d = x[i] - a->mean[i]; a->mean[i] += d / a->seen; a->m2[i] += d * (x[i] - a->mean[i]); }
        amc_replay_add(a->replay, x, act[t], r, t + 1 < steps ? x + n : NULL, t + 1 == steps);
    }
    a->rewards[a->rseen] = r;
    a->rseen++; double d = r - a->rmean; a->rmean += d / a->rseen; a->rm2 += d * (r - a->rmean);
    a->baseline = a->episodes ? a->options.baseline_rate * a->baseline + (1 - a->options.baseline_rate) * r : r;
    a->episodes++;
    if (a->episodes <= a->options.warmup_episodes) return;
    int from = 0; if (a->options.norm == 4) from = fmax(0, a->rseen - a->options.replay / steps);
    nsorted = a->rseen - from; memcpy(sorted, a->rewards + from, nsorted * 8); qsort(sorted, nsorted, 8, cmp);
    a->sigma = fmax(a->sigma * a->options.sigma_decay, a->options.sigma_floor);
    if (a->replay->count >= a->options.batch)
        for (int i = 0; i < steps * a->options.updates_per_step; i++) update(a);
}
