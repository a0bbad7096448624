// Single weights: the largest of each layer are kept as they are, all others are zero.

#include "model/weight_ranking.h"
#include "support/networks.h"

static const char cfg[] = NET(3, 8, 8) CONV(6, 3, 1, relu) DEPTHWISE(6, 1) MAXPOOL(2, 2)
    BARE_CONV(4, 1, 1, relu) CONNECTED(5, linear);

typedef struct subject {
    networks_net net;
    amc_prune_space *space;
    amc_weight_ranking *ranking;
    int *counts; // (groups)
} subject;

static subject subject_new(void) {
    subject s = {.net = networks_new(cfg, 3)};
    s.space = amc_prune_space_of_weights(s.net.graph, NULL);
    s.ranking = amc_weight_ranking_new(s.space, s.net.weights, s.net.weights);
    s.counts = amc_memory_alloc((size_t)s.space->n, sizeof *s.counts);
    assert_int_equal(amc_weight_ranking_groups(s.ranking), s.space->n);
    return s;
}

static void subject_free(subject s) {
    free(s.counts);
    amc_weight_ranking_free(s.ranking);
    amc_prune_space_free(s.space);
    networks_free(s.net);
}

static void check_layer(const amc_layer_weights *before, const amc_layer_weights *after,
                        int count) {
    float smallest_kept = INFINITY, largest_gone = 0;
    int kept = 0;
    for (int i = 0; i < before->n_weights; i++) {
        float size = fabsf(before->weights[i]);
        assert_true(after->weights[i] == before->weights[i] || after->weights[i] == 0);
        kept += after->weights[i] != 0;
        if (after->weights[i] != 0)
            smallest_kept = fminf(smallest_kept, size);
        else
            largest_gone = fmaxf(largest_gone, size);
    }
    assert_int_equal(kept, count);
    assert_true(smallest_kept >= largest_gone);
    assert_memory_equal(before->biases, after->biases, (size_t)before->n * sizeof(float));
}

static void test_the_largest_are_kept(void **state) {
    (void)state;
    subject s = subject_new();
    for (int tenths = 0; tenths <= 10; tenths++) {
        for (int g = 0; g < s.space->n; g++) s.counts[g] = tenths * s.space->groups[g].n_units / 10;
        amc_weights *kept = amc_weight_ranking_keep(s.ranking, s.counts);
        for (int g = 0; g < s.space->n; g++) {
            int l = s.space->groups[g].layers[0];
            check_layer(&s.net.weights->layers[l], &kept->layers[l], s.counts[g]);
        }
        int counted[8];
        amc_weight_ranking_count(s.space, kept, counted);
        assert_memory_equal(counted, s.counts, (size_t)s.space->n * sizeof(int));
        amc_weights_free(kept);
    }
    subject_free(s);
}

static void test_the_earlier_of_equals_is_kept(void **state) {
    (void)state;
    subject s = subject_new();
    amc_layer_weights *layer = &s.net.weights->layers[s.space->groups[0].layers[0]];
    for (int i = 0; i < layer->n_weights; i++) layer->weights[i] = i % 2 ? 1 : -1;
    amc_weight_ranking *ranking = amc_weight_ranking_new(s.space, s.net.weights, s.net.weights);
    for (int g = 0; g < s.space->n; g++) s.counts[g] = 7;
    amc_weights *kept = amc_weight_ranking_keep(ranking, s.counts);
    const float *weights = kept->layers[s.space->groups[0].layers[0]].weights;
    for (int i = 0; i < layer->n_weights; i++)
        assert_true(weights[i] == (i < 7 ? layer->weights[i] : 0));
    amc_weights_free(kept);
    amc_weight_ranking_free(ranking);
    subject_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_largest_are_kept),
        cmocka_unit_test(test_the_earlier_of_equals_is_kept),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
