// A search that was interrupted, wherever, and is resumed is the one that never was: the same
// episodes, the same result, the same record, and no plan scored twice but the best, once, where
// plans are stopped early.

#include "search/evaluation.h"
#include "search/search_loop.h"
#include "support/networks.h"

// Small enough that plans come again.
static const char cfg[] = NET(3, 16, 16) CONV(8, 3, 1, relu) CONV(12, 3, 1, relu)
    CONV(6, 1, 1, relu) CONV(9, 3, 1, relu) BARE_CONV(5, 1, 1, linear);
static const char settings[] = "cfg 0123\n";
enum { IMAGES = 1200, EPISODES = 60, WARMUP = 10, GROUPS = 5 };

// Which search.
typedef struct kind {
    const char *name;
    bool random, paper, early_stop;
    amc_reward reward;
} kind;

static const kind kinds[] = {
    {"default", false, false, false, AMC_REWARD_ERR},
    {"early stopping", false, false, true, AMC_REWARD_ERR},
    {"random", true, false, false, AMC_REWARD_ERR},
    {"random, early stopping", true, false, true, AMC_REWARD_ERR},
    {"paper", false, true, false, AMC_REWARD_ERR},
    {"paper, early stopping", false, true, true, AMC_REWARD_ERR},
    {"without a budget", false, false, false, AMC_REWARD_FLOPS},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

// A search and what was seen of it.
typedef struct trial {
    const kind *kind;
    networks_net net;
    amc_prune_env *env;
    amc_evaluation evaluation;
    int stop_after;  // episodes
    double ease;     // of images: which plans are right on how many
    int applied;     // plans whose network was made
    uint64_t plan;   // the one that was last, mixed
    double strength; // its share of images
    int n;
    amc_search_episode episodes[EPISODES];
    int counts[EPISODES][GROUPS];
    amc_search_result result;
    int best[GROUPS];
    amc_error err;
} trial;

static char *path;

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15u;
    return (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
}

static void apply(void *context, const int *counts) {
    trial *t = context;
    t->applied++;
    t->plan = 1;
    t->strength = t->ease;
    for (int g = 0; g < GROUPS; g++) {
        t->plan = mix(t->plan + (uint64_t)counts[g]);
        t->strength *= 1 - 0.3 * exp(-0.4 * (g + 1) * counts[g]);
    }
}

// Images are easy or hard, and a plan has a little luck of its own on each.
static void some(void *context, const int *images, int n, bool *right) {
    const trial *t = context;
    for (int i = 0; i < n; i++) {
        double hard = (double)(mix((uint64_t)images[i] + 7) >> 11) * 0x1p-53;
        double luck = (double)(mix(t->plan + (uint64_t)images[i]) >> 11) * 0x1p-53;
        right[i] = hard + 0.1 * (luck - 0.5) < t->strength;
    }
}

static amc_score all(void *context) {
    int images[IMAGES], sum = 0;
    bool right[IMAGES];
    for (int i = 0; i < IMAGES; i++) images[i] = i;
    some(context, images, IMAGES, right);
    for (int i = 0; i < IMAGES; i++) sum += right[i];
    return (amc_score){.accuracy = (float)sum / IMAGES,
                       .images = IMAGES,
                       .expected = (float)((const trial *)context)->strength};
}

static trial *new_trial(const kind *k) {
    amc_error err = {""};
    trial *t = amc_memory_alloc(1, sizeof *t);
    double flops = k->reward == AMC_REWARD_ERR ? 0.5 : 1;
    t->kind = k;
    t->net = networks_new(cfg, 1);
    assert_int_equal(t->net.space->n, GROUPS);
    t->env = amc_prune_env_new(t->net.space, (amc_prune_env_options){{flops, 1}, 0.1, 1}, &err);
    if (!t->env) fail_msg("%s", err.text);
    t->stop_after = EPISODES;
    t->ease = 0.9;
    t->evaluation = (amc_evaluation){
        .apply = apply,
        .all = all,
        .some = some,
        .context = t,
        .groups = GROUPS,
        .early_stop = k->early_stop ? amc_early_stop_new(IMAGES, 0.05, 3) : NULL,
        .checkpoint = amc_checkpoint_open(path, &err),
    };
    if (!t->evaluation.checkpoint) fail_msg("%s", err.text);
    return t;
}

static void free_trial(trial *t) {
    amc_evaluation_clear(&t->evaluation);
    amc_checkpoint_close(t->evaluation.checkpoint);
    amc_early_stop_free(t->evaluation.early_stop);
    amc_prune_env_free(t->env);
    networks_free(t->net);
    free(t);
}

// Gives the file up, but keeps what was seen.
static void close_file(trial *t) {
    amc_checkpoint_close(t->evaluation.checkpoint);
    t->evaluation.checkpoint = NULL;
}

static int score(void *context, const int *counts, amc_score *scored, amc_error *err) {
    return amc_evaluation_score(&((trial *)context)->evaluation, counts, scored, err);
}

static bool report(void *context, const amc_search_episode *episode) {
    trial *t = context;
    t->episodes[t->n] = *episode;
    memcpy(t->counts[t->n], episode->counts, sizeof t->counts[0]);
    return ++t->n < t->stop_after;
}

// Starts or resumes the search; -1 where it failed.
static int run(trial *t, bool resumes, int episodes) {
    amc_checkpoint *c = t->evaluation.checkpoint;
    if (!resumes)
        amc_checkpoint_start(c, t->net.space, settings);
    else if (amc_checkpoint_resume(c, t->net.space, settings, &t->err) < 0)
        return -1;
    int whole[GROUPS];
    amc_prune_env_whole(t->env, whole);
    apply(t, whole);
    if (amc_evaluation_whole(&t->evaluation, whole, all(t), &t->err) < 0) return -1;
    t->applied = 0;
    amc_proposal_options proposals = {
        .warmup = WARMUP,
        .random = t->kind->random,
        .seed = 5,
        .manner = t->kind->paper ? amc_proposal_paper(amc_prune_env_steps(t->env))
                                 : amc_proposal_defaults()};
    amc_search_options options = {.episodes = episodes,
                                  .proposals = proposals,
                                  .reward = t->kind->reward,
                                  .expects = !t->kind->early_stop};
    t->result = amc_search_run(t->env, options, score, report, t, &t->err);
    if (!t->result.counts) return -1;
    memcpy(t->best, t->result.counts, sizeof t->best);
    free(t->result.counts);
    return 0;
}

static trial *finished(const kind *k, bool resumes, int stop_after, int episodes) {
    trial *t = new_trial(k);
    t->stop_after = stop_after;
    if (run(t, resumes, episodes) < 0) fail_msg("%s: %s", k->name, t->err.text);
    return t;
}

static void assert_same(const trial *a, const trial *b) {
    assert_int_equal(a->n, b->n);
    for (int i = 0; i < a->n; i++) {
        const amc_search_episode *x = &a->episodes[i], *y = &b->episodes[i];
        assert_true(x->accuracy == y->accuracy && x->reward == y->reward);
        assert_true(x->images == y->images && x->stopped == y->stopped && x->best == y->best);
        assert_memory_equal(a->counts[i], b->counts[i], sizeof a->counts[i]);
    }
    assert_memory_equal(a->best, b->best, sizeof a->best);
    assert_true(a->result.best.index == b->result.best.index);
    assert_true(a->result.best.accuracy == b->result.best.accuracy);
    assert_true(a->result.highest == b->result.highest);
    assert_int_equal(a->evaluation.plans, b->evaluation.plans);
    assert_int_equal(a->evaluation.stopped, b->evaluation.stopped);
    assert_true(a->evaluation.images == b->evaluation.images);
}

static char *content(size_t *length) {
    amc_error err = {""};
    char *bytes = amc_files_read(path, length, &err);
    if (!bytes) fail_msg("%s", err.text);
    return bytes;
}

// The journal without the seconds, which are new text; what is left is decided.
static char *without_seconds(void) {
    size_t length;
    char *bytes = content(&length), *to = strstr(bytes, "\n\n"), *at = to;
    for (int field = 0; *at; at++) {
        field = *at == '\n' ? 0 : field + (*at == ' ');
        if (field != 4) *to++ = *at;
    }
    *to = '\0';
    return bytes;
}

// The first byte of the line of record i, counted from that of the whole network.
static size_t offset_of(const char *bytes, int i) {
    const char *at = strstr(bytes, "\n\n") + 2;
    while (i-- > 0) at = strchr(at, '\n') + 1;
    return (size_t)(at - bytes);
}

// ---- interrupted and resumed ----

// A journal that ends after `plans` plans and some bytes of the next: what a kill leaves.
static void check_killed(const trial *whole, const char *journal, const char *text, int plans) {
    amc_error err = {""};
    size_t length = offset_of(journal, 1 + plans);
    if (plans < whole->evaluation.plans) length += (size_t)plans % 7;
    assert_int_equal(amc_files_write(path, journal, length, &err), 0);
    trial *t = finished(whole->kind, true, EPISODES, EPISODES);
    assert_same(whole, t);
    int left = whole->evaluation.plans - plans, applied = t->applied;
    assert_int_equal(applied, left + (t->kind->early_stop && left > 0));
    int recorded = 0;
    while (recorded < t->n && t->episodes[recorded].recorded) recorded++;
    assert_true(recorded >= plans);
    free_trial(t);
    char *after = without_seconds();
    assert_string_equal(after, text);
    free(after);
}

static void test_killed_after_any_plan(void **state) {
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        size_t length;
        trial *whole = finished(&kinds[k], false, EPISODES, EPISODES);
        int plans = whole->evaluation.plans;
        printf("# %s: %d plans of %d episodes, %d stopped\n", kinds[k].name, plans, EPISODES,
               whole->evaluation.stopped);
        assert_true(plans > 30 && whole->n == EPISODES);
        assert_true(kinds[k].early_stop == (whole->evaluation.stopped > 0));
        close_file(whole);
        char *journal = content(&length), *text = without_seconds();
        for (int i = 1; i <= plans; i += 1 + i / 6) check_killed(whole, journal, text, i);
        check_killed(whole, journal, text, plans);
        free(journal), free(text);
        free_trial(whole);
        unlink(path);
    }
}

// Interrupted in order, and resumed, until it is done.
static void test_interrupted_again_and_again(void **state) {
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        trial *whole = finished(&kinds[k], false, EPISODES, EPISODES);
        close_file(whole);
        unlink(path);
        free_trial(finished(&kinds[k], false, 4, EPISODES));
        for (int stop = 9; stop < EPISODES; stop += 17)
            free_trial(finished(&kinds[k], true, stop, EPISODES));
        trial *t = finished(&kinds[k], true, EPISODES, EPISODES);
        assert_same(whole, t);
        free_trial(t);
        free_trial(whole);
        unlink(path);
    }
}

// With more episodes it goes on, with fewer it is the shorter search; the record stays.
static void test_other_numbers_of_episodes(void **state) {
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        size_t length, same;
        free_trial(finished(&kinds[k], false, EPISODES, 20));
        trial *longer = finished(&kinds[k], true, EPISODES, EPISODES);
        close_file(longer);
        char *before = content(&length);
        trial *brief = finished(&kinds[k], true, EPISODES, 30);
        assert_int_equal(brief->applied, 0);
        assert_int_equal(brief->n, 30);
        close_file(brief);
        char *after = content(&same);
        assert_int_equal(length, same);
        assert_memory_equal(before, after, length);
        unlink(path);
        trial *whole = finished(&kinds[k], false, EPISODES, EPISODES);
        assert_same(whole, longer);
        close_file(whole);
        unlink(path);
        trial *brief_whole = finished(&kinds[k], false, EPISODES, 30);
        assert_same(brief_whole, brief);
        free(before), free(after);
        free_trial(whole), free_trial(longer), free_trial(brief), free_trial(brief_whole);
        unlink(path);
    }
}

// ---- what isn't the same ----

static void assert_fails(trial *t, bool resumes, const char *phrase) {
    assert_int_equal(run(t, resumes, EPISODES), -1);
    if (!strstr(t->err.text, phrase)) fail_msg("\"%s\", expected \"%s\"", t->err.text, phrase);
}

// Other images show in the whole network's score, before any plan is tried.
static void test_other_images(void **state) {
    (void)state;
    size_t length, same;
    free_trial(finished(&kinds[0], false, 20, EPISODES));
    char *before = content(&length);
    trial *t = new_trial(&kinds[0]);
    t->ease = 0.89;
    assert_fails(t, true, "when the search began; expected the same images and processor");
    assert_int_equal(t->n, 0);
    free_trial(t);
    char *after = content(&same);
    assert_int_equal(length, same);
    assert_memory_equal(before, after, length);
    free(before), free(after);
    unlink(path);
}

// A journal whose lines are in another order is that of another search; one whose best plan scored
// otherwise is found out when that is scored again.
static void test_other_records(void **state) {
    (void)state;
    amc_error err = {""};
    size_t length;
    free_trial(finished(&kinds[1], false, 20, EPISODES));
    char *journal = content(&length), *second = journal + offset_of(journal, 2);
    size_t third = offset_of(journal, 3);
    char *swapped = amc_memory_text("%.*s%s%.*s", (int)(second - journal), journal, journal + third,
                                    (int)(third - (size_t)(second - journal)), second);
    assert_int_equal(amc_files_write(path, swapped, length, &err), 0);
    trial *t = new_trial(&kinds[1]);
    assert_fails(t, true, "where this search tries");
    assert_int_equal(t->n, 1);
    free_trial(t);

    char *first = amc_memory_text("%.*s1%s", (int)offset_of(journal, 1), journal,
                                  strchr(journal + offset_of(journal, 1), ' '));
    first[offset_of(first, 2)] = '\0'; // the first plan is right on all
    assert_int_equal(amc_files_write(path, first, strlen(first), &err), 0);
    t = new_trial(&kinds[1]);
    assert_fails(t, true, "the best plan scores otherwise than when it was recorded");
    assert_int_equal(t->n, 1);
    free_trial(t);
    free(journal), free(swapped), free(first);
    unlink(path);
}

// Nothing has to be recorded.
static void test_without_a_checkpoint(void **state) {
    (void)state;
    amc_error err = {""};
    trial *t = new_trial(&kinds[1]), *recorded;
    close_file(t);
    recorded = finished(&kinds[1], false, EPISODES, EPISODES);
    amc_search_options options = {
        .episodes = EPISODES,
        .proposals = {.warmup = WARMUP, .seed = 5, .manner = amc_proposal_defaults()}};
    t->result = amc_search_run(t->env, options, score, report, t, &err);
    memcpy(t->best, t->result.counts, sizeof t->best);
    free(t->result.counts);
    assert_same(t, recorded);
    free_trial(t), free_trial(recorded);
    unlink(path);
}

static int setup(void **state) {
    if (fixture_setup(state) < 0) return -1;
    path = fixture_path("checkpoint");
    return 0;
}

static int teardown(void **state) {
    free(path);
    return fixture_teardown(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed_after_any_plan),
        cmocka_unit_test(test_interrupted_again_and_again),
        cmocka_unit_test(test_other_numbers_of_episodes),
        cmocka_unit_test(test_other_images),
        cmocka_unit_test(test_other_records),
        cmocka_unit_test(test_without_a_checkpoint),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
