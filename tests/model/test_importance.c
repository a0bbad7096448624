// Scores of channels. By bn, what never varies or is never read scores nothing, and what changes
// the numbers of a network but not what it computes changes no score.

#include "model/importance.h"
#include "support/networks.h"

// Layer 0 has batch normalization, layer 1 has none; layer 2 reads 1; layer 4 reads the sum.
static const char cfg[] = NET(3, 8, 8) CONV(10, 3, 1, relu) BARE_CONV(8, 1, 1, leaky)
    CONV(10, 3, 1, linear) SHORTCUT(0, relu) CONV(6, 3, 1, relu) CONV(5, 1, 1, linear);

static double *scores_of(const networks_net *net) {
    return amc_importance_new(net->graph, net->groups, net->weights, AMC_CRITERION_BN, 1);
}

static double score_of(const networks_net *net, int layer, int channel) {
    double *scores = scores_of(net), score = scores[net->groups->unit[layer][channel]];
    free(scores);
    return score;
}

static void assert_near(double x, double y) {
    if (fabs(x - y) > 1e-5 * fabs(y)) fail_msg("%g is not %g", x, y);
}

// The weights of layer `reader` that read channel `channel` of its input, times `factor`.
static void scale_reads(const networks_net *net, int reader, int channel, float factor) {
    const amc_layer *layer = &net->graph->layers[reader];
    const amc_layer_weights *w = &net->weights->layers[reader];
    int64_t per = w->n_weights / w->n / layer->c;
    for (int o = 0; o < w->n; o++)
        for (int64_t i = 0; i < per; i++) w->weights[(o * layer->c + channel) * per + i] *= factor;
}

static void scale_filter(const networks_net *net, int layer, int filter, float factor) {
    const amc_layer_weights *w = &net->weights->layers[layer];
    int64_t per = w->n_weights / w->n;
    for (int64_t i = 0; i < per; i++) w->weights[filter * per + i] *= factor;
}

static void test_dead_channels_score_lowest(void **state) {
    (void)state;
    networks_net net = networks_new(cfg, 1);
    amc_weights *w = net.weights;
    scale_filter(&net, 1, 3, 0);                                // a filter of zeros
    w->layers[4].scales[2] = 0;                                 // one that sends a constant
    scale_filter(&net, 4, 5, 0), w->layers[4].variances[5] = 0; // zeros, as they are after training
    scale_reads(&net, 2, 6, 0);                                 // one that nobody reads
    double *scores = scores_of(&net);
    for (int u = 0; u < net.groups->n_units; u++)
        assert_true(isfinite(scores[u]) && scores[u] >= 0);
    static const bool dead1[8] = {[3] = true, [6] = true}, dead4[6] = {[2] = true, [5] = true};
    for (int c = 0; c < 8; c++) assert_int_equal(scores[net.groups->unit[1][c]] == 0, dead1[c]);
    for (int c = 0; c < 6; c++) assert_int_equal(scores[net.groups->unit[4][c]] == 0, dead4[c]);
    amc_prune_plan *plan = amc_prune_plan_new(net.groups);
    int g = net.groups->group_of[net.groups->unit[1][0]];
    amc_prune_plan_keep_best(plan, net.groups, g, 6, scores);
    for (int c = 0; c < 8; c++) assert_int_equal(plan->kept[net.groups->unit[1][c]], !dead1[c]);
    amc_prune_plan_free(plan);
    free(scores);
    networks_free(net);
}

// The score is a variance: it goes with the square of what a channel sends and of what reads it.
static void test_scaling(void **state) {
    (void)state;
    networks_net net = networks_new(cfg, 2);
    double before = score_of(&net, 4, 1), other = score_of(&net, 4, 0);
    net.weights->layers[4].scales[1] *= 3;
    assert_near(score_of(&net, 4, 1), 9 * before);
    scale_reads(&net, 5, 1, 0.5F);
    assert_near(score_of(&net, 4, 1), 9 * before / 4);
    assert_near(score_of(&net, 4, 0), other);
    before = score_of(&net, 1, 2);
    scale_filter(&net, 1, 2, 2); // without batch normalization the weights themselves count
    assert_near(score_of(&net, 1, 2), 4 * before);
    net.weights->layers[2].scales[0] *= 1000; // a reader that amplifies
    assert_true(score_of(&net, 1, 2) > 1000 * before);
    networks_free(net);
}

// Batch normalization undoes the size of a filter, so scores must not depend on it.
static void test_normalized_size_does_not_count(void **state) {
    (void)state;
    networks_net net = networks_new(cfg, 3);
    double *before = scores_of(&net);
    for (int l = 0; l < net.graph->n; l++) {
        const amc_layer_weights *w = &net.weights->layers[l];
        for (int o = 0; w->scales && o < w->n; o++) {
            float factor = (float)(1 + o * o);
            scale_filter(&net, l, o, factor);
            w->means[o] *= factor;
            w->variances[o] *= factor * factor;
        }
    }
    double *after = scores_of(&net);
    for (int u = 0; u < net.groups->n_units; u++)
        if (before[u] > 0) assert_near(after[u], before[u]);
    free(before), free(after);
    networks_free(net);
}

// Units that several layers make and read count all of them.
static void test_tied_channels_add_up(void **state) {
    (void)state;
    networks_net net = networks_new(cfg, 4);
    amc_weights *w = net.weights;
    double both = score_of(&net, 0, 7);
    assert_near(score_of(&net, 2, 7), both); // the same unit
    float old = w->layers[0].scales[7];
    w->layers[0].scales[7] = 0;
    double second = score_of(&net, 0, 7);
    w->layers[0].scales[7] = old;
    w->layers[2].scales[7] = 0;
    double first = score_of(&net, 0, 7);
    assert_true(first > 0 && second > 0);
    assert_near(first + second, both);
    networks_free(net);
}

// A channel before a connected layer is read by all of its pixels' weights, a depthwise one by its
// own filter only.
static void test_reads(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 4, 4) CONV(6, 3, 1, relu) DEPTHWISE(6, 1)
                                        CONNECTED(9, relu) CONNECTED(4, linear),
                                    5);
    const amc_layer_weights *own = &net.weights->layers[1], *all = &net.weights->layers[2];
    for (int c = 0; c < 6; c++) {
        double gamma0 = net.weights->layers[0].scales[c], gamma1 = own->scales[c], reads = 0;
        for (int i = 0; i < 9; i++)
            reads += gamma1 * gamma1 / own->variances[c] * pow(own->weights[c * 9 + i], 2);
        for (int o = 0; o < 9; o++)
            for (int i = 0; i < 16; i++) reads += pow(all->weights[o * 96 + c * 16 + i], 2);
        assert_near(score_of(&net, 0, c), (gamma0 * gamma0 + gamma1 * gamma1) * reads);
    }
    networks_free(net);
}

// l1 and l2 by hand: all weights that make or read a unit, over shortcuts, depthwise convolutions
// and connected layers.
static void test_norms(void **state) {
    (void)state;
    networks_net net = networks_new(NET(3, 4, 4) CONV(6, 3, 1, relu) DEPTHWISE(6, 1)
                                        SHORTCUT(0, relu) CONNECTED(9, relu) CONNECTED(4, linear),
                                    6);
    double *l1 = amc_importance_new(net.graph, net.groups, net.weights, AMC_CRITERION_L1, 1);
    double *l2 = amc_importance_new(net.graph, net.groups, net.weights, AMC_CRITERION_L2, 1);
    const amc_layer_weights *w = net.weights->layers;
    for (int c = 0; c < 6; c++) {
        double sum1 = 0, sum2 = 0;
        for (int i = 0; i < 27; i++)
            sum1 += fabs(w[0].weights[c * 27 + i]), sum2 += pow(w[0].weights[c * 27 + i], 2);
        for (int i = 0; i < 9; i++) { // the depthwise filter makes its channel and reads it
            sum1 += 2 * fabs(w[1].weights[c * 9 + i]);
            sum2 += 2 * pow(w[1].weights[c * 9 + i], 2);
        }
        for (int i = 0; i < 9 * 16; i++) {
            float weight = w[3].weights[i / 16 * 96 + c * 16 + i % 16];
            sum1 += fabs(weight), sum2 += pow(weight, 2);
        }
        assert_near(l1[net.groups->unit[0][c]], sum1);
        assert_near(l2[net.groups->unit[0][c]], sum2);
    }
    free(l1), free(l2);
    networks_free(net);
}

static void test_random_follows_seed(void **state) {
    (void)state;
    networks_net net = networks_new(cfg, 1);
    size_t size = (size_t)net.groups->n_units * sizeof(double);
    double *x[3];
    for (int i = 0; i < 3; i++)
        x[i] = amc_importance_new(net.graph, net.groups, net.weights, AMC_CRITERION_RANDOM,
                                  (uint64_t[]){7, 7, 8}[i]);
    assert_memory_equal(x[0], x[1], size);
    assert_memory_not_equal(x[0], x[2], size);
    for (int i = 0; i < 3; i++) free(x[i]);
    networks_free(net);
}

static void test_names(void **state) {
    (void)state;
    assert_int_equal(amc_criterion_find("l1"), AMC_CRITERION_L1);
    assert_int_equal(amc_criterion_find("l2"), AMC_CRITERION_L2);
    assert_int_equal(amc_criterion_find("bn"), AMC_CRITERION_BN);
    assert_int_equal(amc_criterion_find("random"), AMC_CRITERION_RANDOM);
    assert_int_equal(amc_criterion_find("L1"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dead_channels_score_lowest),
        cmocka_unit_test(test_scaling),
        cmocka_unit_test(test_normalized_size_does_not_count),
        cmocka_unit_test(test_tied_channels_add_up),
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_random_follows_seed),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
