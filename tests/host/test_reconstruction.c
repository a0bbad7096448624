// Weights reconstructed: where every removed channel has a twin that stays, the smaller network
// computes what the original does, for all ways in which layers tie their channels together; with
// any plan the outputs come nearer to the original's; what keeps its inputs keeps its weights; the
// same bits whatever the threads.

#include "host/elimination.h"
#include "host/hooks.h"
#include "host/mended.h"
#include "host/reconstruction.h"
#include "host/weight_elimination.h"
#include "model/slice.h"
#include "model/weight_ranking.h"

#include <omp.h>

typedef struct subject {
    networks_net net;
    amc_dataset *images;
    amc_grams *grams;
} subject;

static subject subject_new(networks_net net) {
    amc_error err = {""};
    subject s = {net, mended_images(net.graph), NULL};
    s.grams = amc_grams_new(net.path, net.graph, net.groups, net.weights, s.images, &err);
    if (!s.grams) fail_msg("%s", err.text);
    return s;
}

static void subject_free(subject s) {
    amc_grams_free(s.grams);
    amc_dataset_free(s.images);
    networks_free(s.net);
}

typedef struct distances {
    double sliced, reconstructed;
} distances;

static distances measure(const subject *s, const amc_prune_plan *plan) {
    amc_layer_graph *graph = amc_slice_graph(s->net.graph, s->net.groups, plan);
    amc_weights *small = amc_slice_weights(s->net.graph, s->net.groups, plan, s->net.weights);
    distances d;
    d.sliced = mended_distance(&s->net, s->images, graph, small);
    amc_reconstruct(s->grams, plan, small);
    d.reconstructed = mended_distance(&s->net, s->images, graph, small);
    amc_weights_free(small);
    amc_layer_graph_free(graph);
    return d;
}

static void test_twins(void **state) {
    (void)state;
    int checked = 0;
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        networks_net net = networks_new(networks_all[i].cfg, 1);
        amc_prune_plan *plan = mended_make_twins(&net);
        subject s = subject_new(net);
        distances d = measure(&s, plan);
        if (!(d.sliced > 0.1)) fail_msg("%s: sliced %g", networks_all[i].name, d.sliced);
        if (!(d.reconstructed < 0.03)) // the ridge
            fail_msg("%s: %g, sliced %g", networks_all[i].name, d.reconstructed, d.sliced);
        amc_prune_plan_free(plan);
        subject_free(s);
        checked++;
    }
    assert_true(checked >= 12);
}

// Whether a layer that reads the group has moments.
static bool is_scored(const amc_grams *grams, const amc_channel_group *group) {
    for (int k = 0; k < group->n_consumers; k++)
        if (grams->layers[group->consumers[k]].d) return true;
    return false;
}

// How many twins of a group aren't one in each half of the order of elimination.
static int count_mixed(const amc_channel_group *group, const double *score) {
    int mixed = 0, half = group->n_units / 2;
    for (int k = 1; k < group->n_units; k += 2)
        mixed += (score[group->units[k - 1]] <= half) == (score[group->units[k]] <= half);
    return mixed;
}

// The first of twins to be eliminated costs next to nothing, the second all: of each two, one is in
// the more important half, but for channels that say next to nothing themselves.
static void test_elimination(void **state) {
    (void)state;
    int mixed = 0, pairs = 0;
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        networks_net net = networks_new(networks_all[i].cfg, 6);
        amc_prune_plan_free(mended_make_twins(&net));
        subject s = subject_new(net);
        double *score = amc_memory_alloc((size_t)net.groups->n_units, sizeof *score);
        amc_elimination_score(s.grams, score, NULL);
        for (int g = 0; g < net.groups->n; g++) {
            const amc_channel_group *group = &net.groups->groups[g];
            if (!group->prunable || !is_scored(s.grams, group)) continue;
            mixed += count_mixed(group, score);
            pairs += group->n_units / 2;
        }
        free(score);
        subject_free(s);
    }
    assert_true(pairs >= 200);
    if (mixed > pairs / 5) fail_msg("%d of %d twins", mixed, pairs);
}

// ---- moments ----

// They are about means: activations that are larger by the same number have the same ones.
static void test_offset(void **state) {
    (void)state;
    static const float OFFSET = 300;
    networks_net net = networks_new("[net]\nheight=8\nwidth=8\nchannels=3\n"
                                    "[convolutional]\nfilters=6\nactivation=linear\n"
                                    "[convolutional]\nfilters=4\nsize=3\nactivation=linear\n"
                                    "[avgpool]\n[softmax]\n",
                                    3);
    amc_error err = {""};
    subject s = subject_new(net);
    amc_layer_weights *first = &net.weights->layers[0];
    for (int i = 0; i < first->n; i++) first->biases[i] += OFFSET;
    amc_grams *offset = amc_grams_new(net.path, net.graph, net.groups, net.weights, s.images, &err);
    const amc_gram *a = &s.grams->layers[1], *b = &offset->layers[1];
    assert_int_equal(a->d, 6 * 9);
    for (int i = 0; i < a->d; i++) assert_float_equal(b->means[i], a->means[i] + OFFSET, 1e-3);
    for (int i = 0; i < a->d * a->d; i++)
        assert_float_equal(b->moments[i], a->moments[i], 1e-3 * a->moments[0]);
    amc_grams_free(offset);
    first->biases[0] = INFINITY;
    assert_null(amc_grams_new(net.path, net.graph, net.groups, net.weights, s.images, &err));
    assert_non_null(strstr(err.text, "layer 1 reads what is no number"));
    subject_free(s);
}

// ---- any plan -----------------------------------------------------------------------------------

static void test_any_plan(void **state) {
    (void)state;
    double sliced = 0, reconstructed = 0;
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        subject s = subject_new(networks_new(networks_all[i].cfg, 2));
        amc_prune_plan *plan = networks_random_plan(s.net.groups, &rng);
        distances d = measure(&s, plan);
        sliced += log(d.sliced);
        reconstructed += log(d.reconstructed);
        amc_prune_plan_free(plan);
        subject_free(s);
    }
    assert_true(reconstructed < sliced - 5);
}

// What is left whole, and layers that lose filters only, keep their weights to the bit.
static void test_kept_inputs(void **state) {
    (void)state;
    subject s = subject_new(networks_new(networks_all[0].cfg, 3));
    amc_prune_plan *plan = amc_prune_plan_new(s.net.groups);
    const amc_channel_group *first = &s.net.groups->groups[0];
    for (int i = 0; i < first->n_units; i += 2) plan->kept[first->units[i]] = 0;
    amc_weights *sliced = amc_slice_weights(s.net.graph, s.net.groups, plan, s.net.weights);
    amc_weights *small = amc_weights_copy(sliced);
    amc_reconstruct(s.grams, plan, small);
    for (int l = 0; l < small->n; l++) {
        const amc_layer_weights *a = &sliced->layers[l], *b = &small->layers[l];
        bool same = memcmp(a->weights, b->weights, (size_t)a->n_weights * sizeof(float)) == 0;
        assert_int_equal(same, l != 1); // layer 1 alone reads what was removed
        if (a->variances)
            assert_memory_equal(a->variances, b->variances, (size_t)a->n * sizeof(float));
    }
    amc_weights_free(small);
    amc_weights_free(sliced);
    amc_prune_plan_free(plan);
    subject_free(s);
}

static void test_threads(void **state) {
    (void)state;
    amc_weights *results[2];
    int processors = omp_get_max_threads();
    for (int k = 0; k < 2; k++) {
        omp_set_num_threads(k ? 3 : 1);
        subject s = subject_new(networks_new(networks_all[2].cfg, 4));
        amc_rng rng;
        amc_rng_init(&rng, 5);
        amc_prune_plan *plan = networks_random_plan(s.net.groups, &rng);
        results[k] = amc_slice_weights(s.net.graph, s.net.groups, plan, s.net.weights);
        amc_reconstruct(s.grams, plan, results[k]);
        amc_prune_plan_free(plan);
        subject_free(s);
    }
    omp_set_num_threads(processors);
    for (int l = 0; l < results[0]->n; l++) {
        const amc_layer_weights *a = &results[0]->layers[l], *b = &results[1]->layers[l];
        assert_memory_equal(a->weights, b->weights, (size_t)a->n_weights * sizeof(float));
    }
    amc_weights_free(results[0]);
    amc_weights_free(results[1]);
}

// ---- single weights -----------------------------------------------------------------------------

// The original weights of which the half of each layer's with the larger scores are left.
static amc_weights *half_of(const networks_net *net, const amc_weights *scores) {
    amc_prune_space *space = amc_prune_space_of_weights(net->graph, NULL);
    amc_weight_ranking *ranking = amc_weight_ranking_new(space, net->weights, scores);
    int *counts = amc_memory_alloc((size_t)space->n, sizeof *counts);
    for (int g = 0; g < space->n; g++) counts[g] = (space->groups[g].n_units + 1) / 2;
    amc_weights *half = amc_weight_ranking_keep(ranking, counts);
    free(counts);
    amc_weight_ranking_free(ranking);
    amc_prune_space_free(space);
    return half;
}

static void assert_same_zeros(const amc_weights *a, const amc_weights *b) {
    for (int l = 0; l < a->n; l++)
        for (int64_t i = 0; i < a->layers[l].n_weights; i++)
            assert_int_equal(a->layers[l].weights[i] == 0, b->layers[l].weights[i] == 0);
}

// With moments of all that filters read.
static subject sparse_subject_new(const networks_text *text) {
    amc_error err = {""};
    subject s = {networks_new(text->cfg, 5), NULL, NULL};
    s.images = mended_images(s.net.graph);
    s.grams = amc_grams_new(s.net.path, s.net.graph, NULL, s.net.weights, s.images, &err);
    assert_non_null(s.grams);
    return s;
}

// Zeros stay zero, and what the network says comes nearer to what it said.
static void test_single_weights(void **state) {
    (void)state;
    double pruned = 0, reconstructed = 0;
    int nearer = 0, networks = 0;
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        subject s = sparse_subject_new(&networks_all[i]);
        amc_weights *half = half_of(&s.net, s.net.weights), *mended = amc_weights_copy(half);
        amc_reconstruct_sparse(s.grams, mended);
        assert_same_zeros(half, mended);
        double before = mended_distance(&s.net, s.images, s.net.graph, half),
               after = mended_distance(&s.net, s.images, s.net.graph, mended);
        nearer += after < before;
        pruned += log(before), reconstructed += log(after);
        networks++;
        amc_weights_free(half);
        amc_weights_free(mended);
        subject_free(s);
    }
    printf("# %d of %d networks nearer, distances %.2f of what they were\n", nearer, networks,
           exp((reconstructed - pruned) / networks));
    assert_true(networks >= 10 && nearer >= networks * 3 / 4);
    assert_true(exp((reconstructed - pruned) / networks) < 0.8);
}

// What the order of elimination keeps loses less than what is large.
static void test_elimination_of_weights(void **state) {
    (void)state;
    double large = 0, last = 0;
    int nearer = 0, networks = 0;
    for (int i = 0; i < NETWORKS; i++) {
        if (!mended_takes_images(&networks_all[i])) continue;
        subject s = sparse_subject_new(&networks_all[i]);
        amc_weights *scores = amc_weights_copy(s.net.weights);
        amc_weight_elimination_score(s.grams, scores);
        amc_weights *halves[2] = {half_of(&s.net, s.net.weights), half_of(&s.net, scores)};
        double distance[2];
        for (int k = 0; k < 2; k++) {
            amc_reconstruct_sparse(s.grams, halves[k]);
            distance[k] = mended_distance(&s.net, s.images, s.net.graph, halves[k]);
            amc_weights_free(halves[k]);
        }
        nearer += distance[1] < distance[0];
        large += log(distance[0]), last += log(distance[1]);
        networks++;
        amc_weights_free(scores);
        subject_free(s);
    }
    printf("# %d of %d networks nearer, distances %.2f of what they were\n", nearer, networks,
           exp((last - large) / networks));
    assert_true(networks >= 10 && nearer >= networks * 3 / 4);
}

// A filter without a gap is left alone; one of which nothing is left still has its mean.
static void test_whole_and_empty_filters(void **state) {
    (void)state;
    amc_error err = {""};
    networks_net net =
        networks_new(NET(3, 8, 8) CONV(4, 3, 1, linear) BARE_CONV(3, 1, 1, linear) AVGPOOL(), 2);
    subject s = {net, mended_images(net.graph), NULL};
    s.grams = amc_grams_new(net.path, net.graph, NULL, net.weights, s.images, &err);
    assert_non_null(s.grams);
    amc_weights *sparse = amc_weights_copy(net.weights);
    amc_layer_weights *last = &sparse->layers[1];
    for (int i = 0; i < 4; i++) last->weights[4 + i] = 0; // filter 1
    last->weights[8] = 0;                                 // and some of filter 2
    amc_reconstruct_sparse(s.grams, sparse);
    assert_memory_equal(last->weights, net.weights->layers[1].weights, 4 * sizeof(float));
    assert_true(last->biases[0] == net.weights->layers[1].biases[0]);
    for (int i = 0; i < 4; i++) assert_true(last->weights[4 + i] == 0);
    float *a = mended_outputs(&s.net, s.images, net.graph, net.weights),
          *b = mended_outputs(&s.net, s.images, net.graph, sparse);
    double before = 0, after = 0;
    for (int i = 0; i < MENDED_IMAGES; i++)
        before += a[i * 3 + 1] / MENDED_IMAGES, after += b[i * 3 + 1] / MENDED_IMAGES;
    assert_true(fabs(before - after) < 0.05 * fabs(before));
    free(a), free(b);
    amc_weights_free(sparse);
    subject_free(s);
}

int main(void) {
    amc_hooks_install();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offset),
        cmocka_unit_test(test_twins),
        cmocka_unit_test(test_elimination),
        cmocka_unit_test(test_any_plan),
        cmocka_unit_test(test_kept_inputs),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_single_weights),
        cmocka_unit_test(test_elimination_of_weights),
        cmocka_unit_test(test_whole_and_empty_filters),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
