// The journal of a search: what was recorded comes back to the last bit, what was torn is dropped,
// everything else that is wrong is refused with its line, and nothing that was recorded is lost.

#include "search/checkpoint.h"
#include "support/networks.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

// Two groups of 12 and 9 channels to decide, and one of 5 that stays.
static const char cfg[] =
    NET(3, 8, 8) CONV(12, 3, 1, relu) CONV(9, 3, 1, relu) BARE_CONV(5, 1, 1, linear);
static const char settings[] = "cfg 0123\nreward err\nflops 0.5\nskip none\n";
enum { SETTINGS = 4, FIRST = SETTINGS + 3, PLANS = 3, GROUPS = 3 };

typedef struct line {
    int counts[GROUPS];
    amc_score score;
} line;

// The whole network, and plans whose accuracies have no short decimals.
static const line lines[1 + PLANS] = {
    {{12, 9, 5}, {1, 2000, false, false, 0.75f}},
    {{1, 9, 5}, {1.0f / 3, 2000, false, false, 0x1.fffffep-2f}},
    {{7, 1, 5}, {0x1.fffffep-1f, 250, true, false, 0}},
    {{12, 3, 5}, {0, 1, false, false, 1}},
};

static networks_net net;
static char *path;

static int setup(void **state) {
    if (fixture_setup(state) < 0) return -1;
    net = networks_new(cfg, 1);
    path = fixture_path("checkpoint");
    return 0;
}

static int teardown(void **state) {
    networks_free(net);
    free(path);
    return fixture_teardown(state);
}

static amc_checkpoint *open_file(void) {
    amc_error err = {""};
    amc_checkpoint *c = amc_checkpoint_open(path, &err);
    if (!c) fail_msg("%s", err.text);
    return c;
}

static void add(amc_checkpoint *c, const line *l) {
    amc_error err = {""};
    if (amc_checkpoint_add(c, l->counts, l->score, 0.25, &err) < 0) fail_msg("%s", err.text);
}

// A file with the first n of the lines.
static void write_lines(int n) {
    amc_checkpoint *c = open_file();
    amc_checkpoint_start(c, net.space, settings);
    for (int i = 0; i < n; i++) add(c, &lines[i]);
    amc_checkpoint_close(c);
}

static char *content(size_t *length) {
    amc_error err = {""};
    char *bytes = amc_files_read(path, length, &err);
    if (!bytes) fail_msg("%s", err.text);
    return bytes;
}

static void put(const char *bytes, size_t length) {
    amc_error err = {""};
    assert_int_equal(amc_files_write(path, bytes, length, &err), 0);
}

static int plans(const amc_checkpoint *c) {
    amc_error err = {""};
    int n = amc_checkpoint_plans(c, &err);
    if (n < 0) fail_msg("%s", err.text);
    return n;
}

static amc_checkpoint *resume(void) {
    amc_error err = {""};
    amc_checkpoint *c = open_file();
    if (amc_checkpoint_resume(c, net.space, settings, &err) < 0) fail_msg("%s", err.text);
    return c;
}

// The next records are lines from `first` to before `end`, and then there are none.
static void assert_replays_from(amc_checkpoint *c, int first, int end) {
    amc_error err = {""};
    amc_score score;
    for (int i = first; i < end; i++) {
        assert_true(amc_checkpoint_replays(c));
        assert_int_equal(amc_checkpoint_next(c, lines[i].counts, &score, &err), 1);
        assert_true(score.accuracy == lines[i].score.accuracy);
        assert_true(score.expected == lines[i].score.expected);
        assert_int_equal(score.images, lines[i].score.images);
        assert_int_equal(score.stopped, lines[i].score.stopped);
        assert_true(score.recorded);
    }
    assert_false(amc_checkpoint_replays(c));
    assert_int_equal(amc_checkpoint_next(c, lines[0].counts, &score, &err), 0);
}

static void assert_replays(amc_checkpoint *c, int n) {
    assert_replays_from(c, 0, n);
}

// ---- what is recorded ----

static void test_what_was_recorded_comes_back(void **state) {
    (void)state;
    write_lines(1 + PLANS - 1);
    amc_checkpoint *c = open_file();
    assert_int_equal(plans(c), PLANS - 1);
    amc_checkpoint_close(c);
    c = resume();
    assert_replays(c, PLANS);
    add(c, &lines[PLANS]); // it goes on where it was
    assert_int_equal(plans(c), PLANS);
    amc_checkpoint_close(c);
    c = resume();
    assert_replays(c, 1 + PLANS);
    amc_checkpoint_close(c);
    unlink(path);
}

// Any float, as the nearest of nine digits.
static void test_accuracies_to_the_last_bit(void **state) {
    (void)state;
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 1);
    static float accuracies[500];
    amc_checkpoint *c = open_file();
    amc_checkpoint_start(c, net.space, settings);
    for (int i = 0; i < 500; i++) {
        accuracies[i] = (float)pow(amc_rng_uniform(&rng), 1 + i % 9);
        add(c, &(line){{1, 2, 5}, {accuracies[i], 1, false, false, 0}});
    }
    amc_checkpoint_close(c);
    c = resume();
    for (int i = 0; i < 500; i++) {
        amc_score score;
        assert_int_equal(amc_checkpoint_next(c, (int[]){1, 2, 5}, &score, &err), 1);
        assert_true(score.accuracy == accuracies[i]);
    }
    amc_checkpoint_close(c);
    unlink(path);
}

// To the last bit, in their order among the scored ones, and not for such.
static void test_measured(void **state) {
    (void)state;
    amc_error err = {""};
    static const double values[] = {0, 1.0 / 3, 0x1.fffffffffffffp-30, 1e9};
    double value;
    amc_score score;
    amc_checkpoint *c = open_file();
    amc_checkpoint_start(c, net.space, settings);
    add(c, &lines[0]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(amc_checkpoint_add_measured(c, (int[]){1 + i, 9, 5}, values[i], 0.5, &err),
                         0);
    add(c, &lines[1]);
    assert_int_equal(plans(c), 5);
    amc_checkpoint_close(c);
    c = resume();
    assert_int_equal(amc_checkpoint_next_measured(c, lines[0].counts, &value, &err), -1);
    assert_non_null(strstr(err.text, ":7: a plan was scored where this search has one measured"));
    assert_int_equal(amc_checkpoint_next(c, lines[0].counts, &score, &err), 1);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(amc_checkpoint_next(c, (int[]){1 + i, 9, 5}, &score, &err), -1);
        assert_int_equal(amc_checkpoint_next_measured(c, (int[]){9, 9, 5}, &value, &err), -1);
        assert_int_equal(amc_checkpoint_next_measured(c, (int[]){1 + i, 9, 5}, &value, &err), 1);
        assert_true(value == values[i]);
    }
    assert_replays_from(c, 1, 2);
    amc_checkpoint_close(c);
    unlink(path);
}

static void test_text(void **state) {
    (void)state;
    static const char expected[] = "checkpoint 3\ncfg 0123\nreward err\nflops 0.5\nskip none\n\n"
                                   "1 0.75 2000 0 0.25 12 9 5\n"
                                   "0.333333343 0.49999997 2000 0 0.25 1 9 5\n";
    size_t length;
    write_lines(2);
    char *bytes = content(&length);
    assert_string_equal(bytes, expected);
    free(bytes);
    unlink(path);
}

// Until there is something to record, what is there stays.
static void test_nothing_recorded_nothing_changed(void **state) {
    (void)state;
    amc_checkpoint *c = open_file();
    assert_int_equal(plans(c), 0);
    amc_checkpoint_start(c, net.space, settings);
    assert_true(amc_files_exists(path));
    amc_checkpoint_close(c);
    assert_false(amc_files_exists(path));

    size_t length, same;
    write_lines(2);
    char *before = content(&length);
    c = open_file();
    amc_checkpoint_start(c, net.space, "another search\n");
    amc_checkpoint_close(c);
    char *after = content(&same);
    assert_int_equal(length, same);
    assert_memory_equal(before, after, length);
    free(after);

    c = open_file();
    amc_checkpoint_start(c, net.space, "another search\n");
    add(c, &lines[0]);
    amc_checkpoint_close(c);
    after = content(&same);
    assert_string_equal(after, "checkpoint 3\nanother search\n\n1 0.75 2000 0 0.25 12 9 5\n");
    free(before), free(after);
    unlink(path);
    amc_checkpoint_close(NULL);
}

// ---- what is torn ----

// Cut after any byte, the whole lines are what there is, and new ones follow them.
static void test_torn_tail(void **state) {
    (void)state;
    size_t length, header;
    write_lines(1 + PLANS);
    char *bytes = content(&length);
    header = (size_t)(strstr(bytes, "\n\n") + 2 - bytes);
    for (size_t cut = 0; cut <= length; cut++) {
        int whole = 0;
        for (size_t i = header; i < cut; i++) whole += bytes[i] == '\n';
        put(bytes, cut);
        amc_checkpoint *c = open_file();
        assert_int_equal(plans(c), whole > 0 ? whole - 1 : 0);
        if (whole < 2) {
            amc_checkpoint_start(c, net.space, settings);
            whole = 0;
        } else {
            amc_checkpoint_close(c);
            c = resume();
            assert_replays(c, whole);
        }
        for (int i = whole; i < 1 + PLANS; i++) add(c, &lines[i]);
        amc_checkpoint_close(c);
        size_t same;
        char *after = content(&same);
        assert_int_equal(same, length);
        assert_memory_equal(after, bytes, length);
        free(after);
    }
    free(bytes);
    unlink(path);
}

// ---- what is wrong ----

static void assert_refused(const char *with, int line, const char *phrase) {
    amc_error err = {""};
    amc_checkpoint *c = open_file();
    int status = amc_checkpoint_plans(c, &err);
    if (status > 0) status = amc_checkpoint_resume(c, net.space, with, &err);
    assert_int_equal(status, -1);
    networks_assert_error(&err, path, line, phrase);
    amc_checkpoint_close(c);
}

// Replaces line `number` (from 1) of a whole file; what is refused is left as it was.
static void check_line(int number, const char *text, const char *phrase) {
    size_t length, same;
    write_lines(1 + PLANS);
    char *bytes = content(&length), *at = bytes;
    for (int i = 1; i < number; i++) at = strchr(at, '\n') + 1;
    char *changed = amc_memory_text("%.*s%s%s", (int)(at - bytes), bytes, text, strchr(at, '\n'));
    put(changed, strlen(changed));
    assert_refused(settings, number, phrase);
    char *after = content(&same);
    assert_int_equal(same, strlen(changed));
    assert_string_equal(after, changed);
    free(bytes), free(changed), free(after);
    unlink(path);
}

static void test_bad_records(void **state) {
    (void)state;
    enum { AT = FIRST + 2 };
    check_line(AT, "1.01 0.4 10 0 0.25 7 1 5", "accuracy \"1.01\", expected a number from 0 to 1");
    check_line(AT, "-0.5 0.4 10 0 0.25 7 1 5", "accuracy \"-0.5\"");
    check_line(AT, "nan 0.4 10 0 0.25 7 1 5", "accuracy \"nan\"");
    check_line(AT, "inf 0.4 10 0 0.25 7 1 5", "accuracy \"inf\"");
    check_line(AT, "0x1p-1 0.4 10 0 0.25 7 1 5", "accuracy \"0x1p-1\"");
    check_line(AT, "0,5 0.4 10 0 0.25 7 1 5", "accuracy \"0,5\"");
    check_line(AT, "", "accuracy \"\"");
    check_line(AT, " 0.5 0.4 10 0 0.25 7 1 5", "accuracy \"\"");
    check_line(AT, "0.5 1.5 10 0 0.25 7 1 5",
               "expected accuracy \"1.5\", expected a number from 0 to 1");
    check_line(AT, "0.5", "expected accuracy \"\"");
    check_line(AT, "0.5 0.4", "images \"\", expected an integer from 1 to 2147483647");
    check_line(AT, "0.5 0.4 0 0 0.25 7 1 5", "images \"0\"");
    check_line(AT, "0.5 0.4 10.5 0 0.25 7 1 5", "images \"10.5\"");
    check_line(AT, "0.5 0.4 3000000000 0 0.25 7 1 5", "images \"3000000000\"");
    check_line(AT, "0.5 0.4 10 2 0.25 7 1 5", "stopped \"2\", expected an integer from 0 to 1");
    check_line(AT, "0.5 0.4 10 0 -1 7 1 5", "seconds \"-1\"");
    check_line(AT, "0.5 0.4 10 0 1e999 7 1 5", "seconds \"1e999\"");
    check_line(AT, "0.5 0.4 10 0 0.25 0 1 5",
               "units of group 0 \"0\", expected an integer from 1 to 12");
    check_line(AT, "0.5 0.4 10 0 0.25 13 1 5", "units of group 0 \"13\"");
    check_line(AT, "0.5 0.4 10 0 0.25 7 10 5",
               "units of group 1 \"10\", expected an integer from 1 to 9");
    check_line(AT, "0.5 0.4 10 0 0.25 7 1 4",
               "units of group 2 \"4\", expected an integer from 5 to 5");
    check_line(AT, "0.5 0.4 10 0 0.25 7 1", "units of group 2 \"\"");
    check_line(AT, "0.5 0.4 10 0 0.25 7  1 5", "units of group 1 \"\"");
    check_line(AT, "0.5 0.4 10 0 0.25 7 1 5 5", "goes on after 8 numbers");
    check_line(AT, "0.5 0.4 10 0 0.25 7 1 5 ", "goes on after 8 numbers");
    check_line(AT, "0.5 0.4 10 0 0.25 7 1 5\r", "units of group 2 \"5\r\"");
    check_line(FIRST + PLANS, "0.5 0.4 10 0 0.25 7 1 6", "units of group 2 \"6\"");
}

// Wherever a byte of a record becomes a letter or a zero, its line is refused; without its newline
// the last one is torn.
static void test_every_byte(void **state) {
    (void)state;
    size_t length, header;
    write_lines(1 + PLANS);
    char *bytes = content(&length);
    header = (size_t)(strstr(bytes, "\n\n") + 2 - bytes);
    int line = FIRST;
    for (size_t i = header; i < length - 1; i++) {
        char kept = bytes[i];
        for (int k = 0; k < 2; k++) {
            bytes[i] = k ? 'x' : '\0';
            put(bytes, length);
            assert_refused(settings, line, "expected");
        }
        bytes[i] = kept;
        line += kept == '\n';
    }
    assert_int_equal(line, FIRST + PLANS);
    free(bytes);
    unlink(path);
}

static void test_other_settings(void **state) {
    (void)state;
    write_lines(1 + PLANS);
    assert_refused("cfg 0124\nreward err\nflops 0.5\nskip none\n", 2,
                   "cfg was 0123 and is 0124 now");
    assert_refused("cfg 0123\nreward err\nflops 0.25\nskip none\n", 4,
                   "flops was 0.5 and is 0.25 now; expected the same");
    assert_refused("cfg 0123\nreward err\nflops 0.5\nskip 0,3\n", 5,
                   "skip was none and is 0,3 now");
    assert_refused("cfg 0123\nreward err\nflops 0.5\n", 5, "expected an empty line");
    assert_refused("cfg 0123\nreward err\nflops 0.5\nskip none\nseed 1\n", 6,
                   "\"\", expected a line of seed");
    assert_refused("cfg 0123\nreward err\nparams 0.5\nskip none\n", 4,
                   "\"flops 0.5\", expected a line of params");
    unlink(path);
}

static void test_other_files(void **state) {
    (void)state;
    static const char *const others[] = {"x",
                                         "checkpoint 1\ncfg 0123\n\n",
                                         "checkpoint 30\n",
                                         "my own notes\n\non this network\n",
                                         "\n",
                                         "checkpoints"};
    for (int i = 0; i < 6; i++) {
        put(others[i], strlen(others[i]));
        assert_refused(settings, 1, "expected \"checkpoint 3\"; -force starts anew");
    }
    unlink(path);
}

static void assert_not_opened(const char *at, const char *phrase) {
    amc_error err = {""};
    assert_null(amc_checkpoint_open(at, &err));
    networks_assert_error(&err, at, 0, phrase);
}

static void test_not_a_file(void **state) {
    (void)state;
    char *lost = fixture_path("nowhere/checkpoint");
    assert_not_opened(lost, "can't be opened: No such file or directory");
    free(lost);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_not_opened(path, "can't be opened: Is a directory");
    rmdir(path);
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_not_opened(path, "expected a regular file, or none");
    unlink(path);
    assert_not_opened("/dev/full", "expected a regular file, or none");
}

// A journal of another program: nothing of it is changed.
static void test_another_plan(void **state) {
    (void)state;
    amc_error err = {""};
    amc_score score;
    size_t length, same;
    write_lines(1 + PLANS);
    char *before = content(&length);
    amc_checkpoint *c = resume();
    assert_int_equal(amc_checkpoint_next(c, lines[0].counts, &score, &err), 1);
    assert_int_equal(amc_checkpoint_next(c, (int[]){1, 8, 5}, &score, &err), -1);
    networks_assert_error(&err, path, FIRST + 1,
                          "a plan with 9 units of group 1 where this search tries 8");
    amc_checkpoint_close(c);
    char *after = content(&same);
    assert_int_equal(length, same);
    assert_memory_equal(before, after, length);
    free(before), free(after);
    unlink(path);
}

// Another search with the same settings began otherwise: what it scored is no use.
static void test_forgets(void **state) {
    (void)state;
    amc_error err = {""};
    amc_score score;
    write_lines(1 + PLANS);
    amc_checkpoint *c = resume();
    assert_int_equal(amc_checkpoint_next(c, lines[0].counts, &score, &err), 1);
    assert_true(amc_checkpoint_expects(c, lines[1].counts));
    assert_false(amc_checkpoint_expects(c, lines[2].counts));
    assert_int_equal(amc_checkpoint_forget(c, &err), 0);
    assert_true(amc_checkpoint_expects(c, lines[2].counts));
    assert_int_equal(amc_checkpoint_next(c, lines[2].counts, &score, &err), 0);
    add(c, &lines[2]);
    amc_checkpoint_close(c);
    c = resume();
    assert_int_equal(plans(c), 1);
    assert_int_equal(amc_checkpoint_next(c, lines[0].counts, &score, &err), 1);
    assert_int_equal(amc_checkpoint_next(c, lines[2].counts, &score, &err), 1);
    assert_true(score.accuracy == lines[2].score.accuracy);
    amc_checkpoint_close(c);
}

// ---- two searches ----

static void test_lock(void **state) {
    (void)state;
    write_lines(1 + PLANS);
    amc_checkpoint *c = resume();
    assert_not_opened(path, "another search is at work in this folder");
    assert_replays(c, 1 + PLANS);
    amc_checkpoint_close(c);
    amc_checkpoint_close(open_file());
    unlink(path);
    // One that records nothing, and takes the file away with it.
    c = open_file();
    assert_not_opened(path, "another search is at work in this folder");
    amc_checkpoint_close(c);
    assert_false(amc_files_exists(path));
    amc_checkpoint_close(open_file());
    assert_false(amc_files_exists(path));
}

// ---- a full disk ----

// Adds a line where files may have so many bytes.
static int add_within(amc_checkpoint *c, const line *l, rlim_t most, amc_error *err) {
    struct rlimit old, less;
    getrlimit(RLIMIT_FSIZE, &old);
    less = old;
    less.rlim_cur = most;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &less);
    int status = amc_checkpoint_add(c, l->counts, l->score, 0.25, err);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_DFL);
    return status;
}

static void test_full_disk(void **state) {
    (void)state;
    size_t length, same;
    write_lines(PLANS);
    char *before = content(&length);
    amc_checkpoint *c = resume();
    assert_replays(c, PLANS);
    for (rlim_t room = 0; room < 10; room++) { // for some of the line
        amc_error err = {""};
        assert_int_equal(add_within(c, &lines[PLANS], length + room, &err), -1);
        networks_assert_error(&err, path, 0, "can't be written: File too large");
        char *after = content(&same);
        assert_int_equal(same, length);
        assert_memory_equal(before, after, length);
        free(after);
    }
    add(c, &lines[PLANS]); // there is room again
    amc_checkpoint_close(c);
    c = resume();
    assert_replays(c, 1 + PLANS);
    amc_checkpoint_close(c);
    unlink(path);
    // The first of all: nothing is left.
    amc_error err = {""};
    c = open_file();
    amc_checkpoint_start(c, net.space, settings);
    assert_int_equal(add_within(c, &lines[0], 20, &err), -1);
    amc_checkpoint_close(c);
    assert_false(amc_files_exists(path));
    free(before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_recorded_comes_back),
        cmocka_unit_test(test_accuracies_to_the_last_bit),
        cmocka_unit_test(test_measured),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_nothing_recorded_nothing_changed),
        cmocka_unit_test(test_torn_tail),
        cmocka_unit_test(test_bad_records),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_other_settings),
        cmocka_unit_test(test_other_files),
        cmocka_unit_test(test_not_a_file),
        cmocka_unit_test(test_another_plan),
        cmocka_unit_test(test_forgets),
        cmocka_unit_test(test_lock),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
