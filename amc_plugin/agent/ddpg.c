#include "agent/ddpg.h"

#include "agent/mlp.h"
#include "agent/replay.h"
#include "base/memory.h"
#include "base/rng.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float LAST_BOUND = 3e-3f; // initial weights of a last layer (Lillicrap et al.)

struct amc_ddpg {
    amc_ddpg_options options;
    int state_size;
    amc_rng rng;
    double sigma;          // exploration noise
    double baseline;       // b: the moving average of the rewards
    int64_t episodes;      // finished
    int64_t seen;          // states, for the means below
    double *state_mean;    // (state_size) of all states seen
    double *state_squares; // (state_size) sums of squared distances from the mean
    float *rewards;        // (replay_episodes) a ring, as the replay buffer is
    amc_mlp *actor, *critic;
    amc_mlp *target_actor, *target_critic; // follow the former; used by the paper's Q target only
    amc_replay *replay;

    // Room for one update; nothing here lasts longer.
    int *indices;   // (batch)
    float *states;  // (batch, state_size) scaled
    float *pairs;   // (batch, state_size + 1) scaled states with an action in [-1, 1] each
    float *targets; // (batch) what the critic should say
    float *grads;   // (batch) d loss / d output
};

amc_ddpg_options amc_ddpg_defaults(void) {
    return (amc_ddpg_options){.low = 0.1,
                              .hidden = 128,
                              .actor_rate = 1e-3,
                              .critic_rate = 1e-3,
                              .batch = 64,
                              .replay_episodes = 50,
                              .warmup_episodes = 100,
                              .sigma = 0.5,
                              .sigma_decay = 0.95,
                              .sigma_floor = 0.05,
                              .updates_per_step = 1,
                              .paper = false,
                              .gamma = 1,
                              .tau = 0.01,
                              .baseline_rate = 0.95};
}

amc_ddpg_options amc_ddpg_paper(int steps) {
    assert(steps > 0);
    amc_ddpg_options options = amc_ddpg_defaults();
    options.paper = true;
    options.hidden = 300;
    options.actor_rate = 1e-4;
    options.replay_episodes = steps < 2000 ? 2000 / steps : 1;
    options.sigma_floor = 1e-6; // dies out, but a distribution has some width
    return options;
}

amc_ddpg *amc_ddpg_new(int state_size, int steps, amc_ddpg_options options, uint64_t seed) {
    assert(state_size > 0 && steps > 0 && options.low >= 0 && options.low < 1);
    assert(options.batch > 0 && options.replay_episodes > 0 && options.sigma_floor > 0);
    amc_ddpg *agent = amc_memory_alloc(1, sizeof *agent);
    agent->options = options, agent->state_size = state_size, agent->sigma = options.sigma;
    amc_rng *rng = &agent->rng;
    amc_rng_init(rng, seed);
    int hidden = options.hidden, batch = options.batch;
    int actor[] = {state_size, hidden, hidden, 1}, critic[] = {state_size + 1, hidden, hidden, 1};
    agent->actor = amc_mlp_new(3, actor, true, LAST_BOUND, batch, rng);
    agent->critic = amc_mlp_new(3, critic, false, LAST_BOUND, batch, rng);
    agent->target_actor = amc_mlp_new(3, actor, true, LAST_BOUND, batch, rng);
    agent->target_critic = amc_mlp_new(3, critic, false, LAST_BOUND, batch, rng);
    amc_mlp_soft_update(agent->target_actor, agent->actor, 1);
    amc_mlp_soft_update(agent->target_critic, agent->critic, 1);
    agent->replay = amc_replay_new(options.replay_episodes * steps, state_size);
    agent->rewards = amc_memory_alloc(options.replay_episodes, sizeof(float));
    agent->state_mean = amc_memory_alloc(state_size, sizeof(double));
    agent->state_squares = amc_memory_alloc(state_size, sizeof(double));
    agent->indices = amc_memory_alloc(batch, sizeof(int));
    agent->states = amc_memory_alloc((size_t)batch * state_size, sizeof(float));
    agent->pairs = amc_memory_alloc((size_t)batch * (state_size + 1), sizeof(float));
    agent->targets = amc_memory_alloc(batch, sizeof(float));
    agent->grads = amc_memory_alloc(batch, sizeof(float));
    return agent;
}

void amc_ddpg_free(amc_ddpg *agent) {
    if (!agent) return;
    amc_mlp_free(agent->actor);
    amc_mlp_free(agent->critic);
    amc_mlp_free(agent->target_actor);
    amc_mlp_free(agent->target_critic);
    amc_replay_free(agent->replay);
    free(agent->rewards);
    free(agent->state_mean);
    free(agent->state_squares);
    free(agent->indices);
    free(agent->states);
    free(agent->pairs);
    free(agent->targets);
    free(agent->grads);
    free(agent);
}

// Welford's running mean and sum of squared distances, over all states ever seen.
static void watch_state(amc_ddpg *agent, const float *state) {
    int64_t seen = ++agent->seen;
    for (int i = 0; i < agent->state_size; i++) {
        double off = state[i] - agent->state_mean[i];
        agent->state_mean[i] += off / (double)seen;
        agent->state_squares[i] += off * (state[i] - agent->state_mean[i]);
    }
}

// A state in standard deviations from the mean, within 5 of them.
static void scale_state(const amc_ddpg *agent, const float *state, float *scaled) {
    for (int i = 0; i < agent->state_size; i++) {
        double deviation = sqrt(agent->state_squares[i] / fmax(1, (double)agent->seen));
        double z = deviation > 1e-6 ? (state[i] - agent->state_mean[i]) / deviation : 0;
        scaled[i] = (float)fmax(-5, fmin(5, z));
    }
}

double amc_ddpg_greedy(amc_ddpg *agent, const float *state) {
    double low = agent->options.low;
    scale_state(agent, state, agent->states);
    return low + (1 - low) * amc_mlp_forward(agent->actor, agent->states, 1)[0];
}

double amc_ddpg_act(amc_ddpg *agent, const float *state) {
    double mu = amc_ddpg_greedy(agent, state);
    return amc_rng_truncated_normal(&agent->rng, mu, agent->sigma, agent->options.low, 1);
}

double amc_ddpg_sigma(const amc_ddpg *agent) {
    return agent->sigma;
}

// Where a reward stands among the remembered ones, in (-sqrt(3), sqrt(3)); equals share a rank.
static double standing(const amc_ddpg *agent, float reward) {
    int64_t kept = agent->options.replay_episodes;
    if (kept > agent->episodes) kept = agent->episodes;
    int worse = 0, equal = 0;
    for (int64_t i = 0; i < kept; i++) {
        worse += agent->rewards[i] < reward;
        equal += agent->rewards[i] == reward;
    }
    return sqrt(12) * ((worse + 0.5 * equal) / (double)kept - 0.5);
}

// The actor's sigmoid outputs y, as the critic takes actions: (batch) numbers in [-1, 1] in the
// last column of `pairs`.
static void pair_outputs(amc_ddpg *agent, const float *y) {
    int width = agent->state_size + 1;
    for (int i = 0; i < agent->options.batch; i++)
        agent->pairs[i * width + width - 1] = 2 * y[i] - 1;
}

// Fills row i of `states` and of `pairs`, but for its action.
static void put_state(amc_ddpg *agent, int i, const float *state) {
    int size = agent->state_size;
    float *scaled = agent->states + (size_t)i * size;
    scale_state(agent, state, scaled);
    memcpy(agent->pairs + (size_t)i * (size + 1), scaled, size * sizeof *scaled);
}

// The target of He et al. 2018, section 3.2: y <- (R - b) + gamma * Q'(s', mu'(s'))
static void paper_targets(amc_ddpg *agent) {
    int batch = agent->options.batch;
    for (int i = 0; i < batch; i++)
        put_state(agent, i, amc_replay_next_state(agent->replay, agent->indices[i]));
    pair_outputs(agent, amc_mlp_forward(agent->target_actor, agent->states, batch));
    const float *q = amc_mlp_forward(agent->target_critic, agent->pairs, batch);
    for (int i = 0; i < batch; i++) {
        double r = amc_replay_reward(agent->replay, agent->indices[i]) - agent->baseline;
        bool done = amc_replay_done(agent->replay, agent->indices[i]);
        agent->targets[i] = (float)(r + (done ? 0 : agent->options.gamma * q[i]));
    }
}

static void rank_targets(amc_ddpg *agent) {
    for (int i = 0; i < agent->options.batch; i++) {
        float reward = amc_replay_reward(agent->replay, agent->indices[i]);
        agent->targets[i] = (float)standing(agent, reward);
    }
}

// The batch's own states and the actions that were taken there.
static void put_batch(amc_ddpg *agent) {
    int width = agent->state_size + 1;
    double low = agent->options.low;
    for (int i = 0; i < agent->options.batch; i++) {
        put_state(agent, i, amc_replay_state(agent->replay, agent->indices[i]));
        double action = amc_replay_action(agent->replay, agent->indices[i]);
        agent->pairs[i * width + width - 1] = (float)(2 * (action - low) / (1 - low) - 1);
    }
}

// Critic loss: 1/N sum (Q(s, a) - y)^2
static void train_critic(amc_ddpg *agent) {
    int batch = agent->options.batch;
    const float *q = amc_mlp_forward(agent->critic, agent->pairs, batch);
    for (int i = 0; i < batch; i++) agent->grads[i] = 2 * (q[i] - agent->targets[i]) / batch;
    amc_mlp_backward(agent->critic, agent->grads, batch);
    amc_mlp_adam(agent->critic, agent->options.critic_rate);
}

// Actor loss: -1/N sum Q(s, mu(s)), whose gradient reaches the actor through the critic's input.
static void train_actor(amc_ddpg *agent) {
    int batch = agent->options.batch, width = agent->state_size + 1;
    pair_outputs(agent, amc_mlp_forward(agent->actor, agent->states, batch));
    amc_mlp_forward(agent->critic, agent->pairs, batch);
    for (int i = 0; i < batch; i++) agent->grads[i] = -1.0f / batch;
    const float *inputs = amc_mlp_input_grads(agent->critic, agent->grads, batch);
    for (int i = 0; i < batch; i++) agent->grads[i] = 2 * inputs[i * width + width - 1];
    amc_mlp_backward(agent->actor, agent->grads, batch);
    amc_mlp_adam(agent->actor, agent->options.actor_rate);
}

static void update(amc_ddpg *agent) {
    const amc_ddpg_options *options = &agent->options;
    amc_replay_sample(agent->replay, options->batch, agent->indices, &agent->rng);
    if (options->paper)
        paper_targets(agent);
    else
        rank_targets(agent);
    put_batch(agent);
    train_critic(agent);
    train_actor(agent);
    if (!options->paper) return;
    amc_mlp_soft_update(agent->target_actor, agent->actor, options->tau);
    amc_mlp_soft_update(agent->target_critic, agent->critic, options->tau);
}

static void remember(amc_ddpg *agent, const float *states, const double *actions, int steps,
                     float reward) {
    for (int t = 0; t < steps; t++) {
        const float *state = states + (size_t)t * agent->state_size;
        const float *next = t + 1 < steps ? state + agent->state_size : NULL;
        watch_state(agent, state);
        amc_replay_add(agent->replay, state, (float)actions[t], reward, next, !next);
    }
    agent->rewards[agent->episodes % agent->options.replay_episodes] = reward;
}

void amc_ddpg_end_episode(amc_ddpg *agent, const float *states, const double *actions, int steps,
                          double reward) {
    const amc_ddpg_options *options = &agent->options;
    remember(agent, states, actions, steps, (float)reward);
    double rate = agent->episodes ? options->baseline_rate : 0;
    agent->baseline = rate * agent->baseline + (1 - rate) * reward;
    agent->episodes++;
    if (agent->episodes <= options->warmup_episodes) return;
    agent->sigma = fmax(agent->sigma * options->sigma_decay, options->sigma_floor);
    if (agent->replay->count < options->batch) return;
    int threads = openblas_get_num_threads();
    openblas_set_num_threads(1); // sums in another order would be other numbers
    for (int i = 0; i < steps * options->updates_per_step; i++) update(agent);
    openblas_set_num_threads(threads);
}
