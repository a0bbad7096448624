// What the tests of training share: a network of Darknet's with random weights and a batch of
// random images in its input.

#ifndef AMC_TESTS_HOST_TRAINING_H
#define AMC_TESTS_HOST_TRAINING_H

#include "host/fixture.h"
#include "host/hooks.h"

static inline int training_weights_of(const layer *l) {
    if (l->type == LOCAL) return l->outputs * l->c * l->size * l->size;
    return l->type == CONNECTED ? l->inputs * l->outputs : l->nweights;
}

// A network for training with the hooks on or off; equal seeds give equal weights. Image b is of
// class b % outputs.
static inline network *training_network(const char *cfg, bool hooks, unsigned seed) {
    char *path = fixture_write("net.cfg", cfg);
    int kept = fixture_redirect("/dev/null");
    amc_hooks_enable(hooks);
    srand(seed);
    network *net = parse_network_cfg(path);
    fixture_unredirect(kept);
    free(path);
    amc_rng rng;
    amc_rng_init(&rng, seed);
    for (int i = 0; i < net->n; i++) { // Darknet starts with biases of 0 and scales of 1
        const layer *l = &net->layers[i];
        fixture_randomize(&rng, l->biases, l->biases ? l->out_c : 0, -0.3, 0.3);
        fixture_randomize(&rng, l->scales, l->scales ? l->out_c : 0, 0.5, 1.5);
        fixture_randomize(&rng, l->rolling_mean, l->scales ? l->out_c : 0, -0.3, 0.3);
        fixture_randomize(&rng, l->rolling_variance, l->scales ? l->out_c : 0, 0.5, 1.5);
        if (l->type == CONVOLUTIONAL || l->type == LOCAL)
            fixture_randomize(&rng, l->weights, training_weights_of(l), -0.3, 0.3);
    }
    fixture_randomize(&rng, net->input, net->inputs * net->batch, -1, 1);
    for (int b = 0; b < net->batch; b++) net->truth[b * net->outputs + b % net->outputs] = 1;
    return net;
}

#endif
