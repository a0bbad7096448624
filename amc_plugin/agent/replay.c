#include "agent/replay.h"

#include "base/memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

amc_replay *amc_replay_new(int capacity, int state_size) {
    assert(capacity > 0 && state_size > 0);
    amc_replay *replay = amc_memory_alloc(1, sizeof *replay);
    replay->capacity = capacity, replay->state_size = state_size;
    replay->states = amc_memory_alloc((size_t)capacity * 2 * state_size, sizeof(float));
    replay->facts = amc_memory_alloc((size_t)capacity * 3, sizeof(float));
    replay->order = amc_memory_alloc(capacity, sizeof(int));
    return replay;
}

void amc_replay_free(amc_replay *replay) {
    if (!replay) return;
    free(replay->states);
    free(replay->facts);
    free(replay->order);
    free(replay);
}

void amc_replay_add(amc_replay *replay, const float *state, float action, float reward,
                    const float *next, bool done) {
    assert(next || done);
    size_t slot = replay->next, size = replay->state_size, bytes = size * sizeof(float);
    float *states = replay->states + slot * 2 * size, *facts = replay->facts + slot * 3;
    memcpy(states, state, bytes);
    if (next)
        memcpy(states + size, next, bytes);
    else
        memset(states + size, 0, bytes);
    facts[0] = action, facts[1] = reward, facts[2] = done;
    replay->next = (replay->next + 1) % replay->capacity;
    if (replay->count < replay->capacity) {
        replay->order[replay->count] = replay->count; // `order` permutes 0 ... count-1
        replay->count++;
    }
}

void amc_replay_sample(amc_replay *replay, int n, int *indices, amc_rng *rng) {
    assert(replay->count > 0);
    int *order = replay->order;
    for (int drawn = 0; drawn < n; drawn++) {
        int front = drawn % replay->count; // a partial Fisher-Yates, round by round
        int other = front + (int)amc_rng_below(rng, replay->count - front);
        int kept = order[front];
        order[front] = order[other];
        order[other] = kept;
        indices[drawn] = order[front];
    }
}

const float *amc_replay_state(const amc_replay *replay, int index) {
    assert(index >= 0 && index < replay->count);
    return replay->states + (size_t)index * 2 * replay->state_size;
}

const float *amc_replay_next_state(const amc_replay *replay, int index) {
    return amc_replay_state(replay, index) + replay->state_size;
}

static float fact(const amc_replay *replay, int index, int which) {
    assert(index >= 0 && index < replay->count);
    return replay->facts[(size_t)index * 3 + which];
}

float amc_replay_action(const amc_replay *replay, int index) {
    return fact(replay, index, 0);
}

float amc_replay_reward(const amc_replay *replay, int index) {
    return fact(replay, index, 1);
}

bool amc_replay_done(const amc_replay *replay, int index) {
    return fact(replay, index, 2) != 0;
}
