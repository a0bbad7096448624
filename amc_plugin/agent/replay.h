// The replay buffer: the last `capacity` transitions, and random batches of them.

#ifndef AMC_AGENT_REPLAY_H
#define AMC_AGENT_REPLAY_H

#include "base/rng.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct amc_replay {
    int capacity, state_size;
    int count;     // transitions stored, at most capacity
    int next;      // where the next one goes: over the oldest once the ring is full
    float *states; // (capacity, 2 * state_size) a transition's state, then the state after it
    float *facts;  // (capacity, 3) action, reward, and 1 if the episode ended there
    int *order;    // (capacity) a permutation of the slots, of which _sample shuffles the front
} amc_replay;

amc_replay *amc_replay_new(int capacity, int state_size);
void amc_replay_free(amc_replay *replay); // NULL is fine

// Stores one transition. `next` may be NULL when `done`: nothing comes after.
void amc_replay_add(amc_replay *replay, const float *state, float action, float reward,
                    const float *next, bool done);

// Fills indices (n) with stored transitions drawn uniformly, none twice if n <= count; else every
// one n / count times or once more. count > 0.
void amc_replay_sample(amc_replay *replay, int n, int *indices, amc_rng *rng);

// What is stored at an index: pointers to state_size floats, and numbers.
const float *amc_replay_state(const amc_replay *replay, int index);
const float *amc_replay_next_state(const amc_replay *replay, int index); // zeros when NULL was
float amc_replay_action(const amc_replay *replay, int index);
float amc_replay_reward(const amc_replay *replay, int index);
bool amc_replay_done(const amc_replay *replay, int index);

#endif
