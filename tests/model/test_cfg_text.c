// The .cfg as text: what isn't edited stays byte for byte, Darknet reads the same keys and values,
// and what makes Darknet crash is refused with its line.

#include "support/networks.h"

#include <limits.h>

static amc_cfg_text *load(const char *path) {
    amc_error err = {""};
    amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
    if (!cfg) fail_msg("%s", err.text);
    return cfg;
}

static amc_cfg_text *load_text(const char *text) {
    char *path = fixture_write("text.cfg", text);
    amc_cfg_text *cfg = load(path);
    free(path);
    return cfg;
}

static void assert_prints(const amc_cfg_text *cfg, const char *expected) {
    char *text = amc_cfg_text_print(cfg);
    assert_string_equal(text, expected);
    free(text);
}

// ---- as it was ----

static int darknets_files;

static void check_round_trip(const char *path) {
    amc_error err = {""};
    size_t length, saved_length;
    amc_cfg_text *cfg = load(path), *copy = amc_cfg_text_copy(cfg);
    char *printed = amc_cfg_text_print(cfg);
    amc_cfg_text_free(cfg);
    char *saved_path = fixture_path("saved.cfg");
    assert_int_equal(amc_cfg_text_save(copy, saved_path, &err), 0);
    char *bytes = amc_files_read(path, &length, &err);
    char *saved = amc_files_read(saved_path, &saved_length, &err);
    if (saved_length != length || memcmp(saved, bytes, length) != 0) fail_msg("%s differs", path);
    if (strlen(printed) != length || memcmp(printed, bytes, length) != 0)
        fail_msg("%s prints differently", path);
    darknets_files += strncmp(path, "darknet/", 8) == 0;
    free(bytes), free(saved), free(saved_path), free(printed);
    amc_cfg_text_free(copy);
}

static void test_round_trips(void **state) {
    (void)state;
    int files = networks_each_cfg(check_round_trip);
    assert_int_equal(darknets_files, 45);
    assert_true(files > 45); // the project's own too
}

// cfg/ holds other kinds of files too, which are not networks.
static void test_data_files_are_refused(void **state) {
    (void)state;
    static const char *paths[] = {"cfg/fashion.data", "darknet/cfg/coco.data",
                                  "darknet/cfg/imagenet1k.data", "darknet/cfg/imagenet22k.dataset",
                                  "darknet/cfg/imagenet9k.hierarchy.dataset"};
    for (int i = 0; i < 5; i++) {
        amc_error err = {""};
        assert_null(amc_cfg_text_load(paths[i], &err));
        assert_non_null(strstr(err.text, "stands before any section, expected [net] first"));
        assert_int_equal(strncmp(err.text, paths[i], strlen(paths[i])), 0);
    }
}

// ---- as Darknet reads it ----

typedef struct darknet_section { // as in Darknet's parser.c
    char *type;
    list *options;
} darknet_section;

char *option_find(list *options, char *key);

static void check_section(const amc_cfg_text *cfg, int index, const darknet_section *section) {
    char *type = amc_memory_text("[%s]", cfg->sections[index].type);
    assert_string_equal(section->type, type);
    free(type);
    int options = 0;
    for (int i = 0; i < cfg->n_lines; i++) {
        char *key = cfg->lines[i].key;
        if (cfg->lines[i].section != index || !key) continue;
        options++;
        const char *value = amc_cfg_text_get(cfg, index, key), *found;
        found = option_find(section->options, key);
        assert_non_null(found);
        assert_string_equal(value, found);
        assert_true(amc_cfg_text_line(cfg, index, key) <= i + 1);
    }
    assert_int_equal(options, section->options->size);
}

static void check_as_darknet(const char *path) {
    amc_cfg_text *cfg = load(path);
    list *sections = read_cfg((char *)path);
    assert_int_equal(cfg->n_sections, sections->size);
    node *at = sections->front;
    for (int i = 0; i < cfg->n_sections; i++, at = at->next) check_section(cfg, i, at->val);
    amc_cfg_text_free(cfg);
}

static void test_reads_as_darknet(void **state) {
    (void)state;
    networks_each_cfg(check_as_darknet);
    char *path = fixture_write("odd.cfg", "# first\n\n  [ net ]\t\nhe ight = 1 2 #x\n;c=1\n a=b=c\n"
                                          "height=3\n\t# indented\n[x]\n[conv]\nfilters=\t8  \n"
                                          "filters=9\n[x]\n y = [z]");
    check_as_darknet(path);
    free(path);
}

static void test_get(void **state) {
    (void)state;
    amc_cfg_text *cfg = load_text("# c\n[net]\n he ight = 1 2\nwidth=3\nheight=5\n;width=4\n\n"
                                  "[convolutional]\nfilters=7\n[convolutional]\nsize=2\n");
    assert_string_equal(amc_cfg_text_get(cfg, 0, "height"), "12"); // the first wins
    assert_string_equal(amc_cfg_text_get(cfg, 0, "width"), "3");
    assert_null(amc_cfg_text_get(cfg, 0, "filters"));
    assert_string_equal(amc_cfg_text_get(cfg, 1, "filters"), "7");
    assert_null(amc_cfg_text_get(cfg, 2, "filters")); // of the section before
    assert_int_equal(amc_cfg_text_line(cfg, 0, "height"), 3);
    assert_int_equal(amc_cfg_text_line(cfg, 0, "missing"), 2);
    assert_int_equal(amc_cfg_text_line(cfg, 1, "filters"), 9);
    assert_int_equal(amc_cfg_text_line(cfg, 2, NULL), 10);
    amc_cfg_text_free(cfg);
}

static void test_int(void **state) {
    (void)state;
    amc_error err = {""};
    int value = 0;
    amc_cfg_text *cfg = load_text("[net]\na=16\nb=-3 # three\nc=4;x\nd=1.5\ne=many\n"
                                  "f=99999999999999999999\ng=#4\n");
    assert_int_equal(amc_cfg_text_int(cfg, 0, "a", 1, 16, 16, &value, &err), 0);
    assert_int_equal(value, 16);
    assert_int_equal(amc_cfg_text_int(cfg, 0, "b", 1, -3, 0, &value, &err), 0);
    assert_int_equal(value, -3);
    assert_int_equal(amc_cfg_text_int(cfg, 0, "c", 1, 0, 9, &value, &err), 0);
    assert_int_equal(value, 4);
    assert_int_equal(amc_cfg_text_int(cfg, 0, "none", 77, 0, 9, &value, &err), 0);
    assert_int_equal(value, 77);
    static const struct {
        const char *key;
        int low, high, line;
        const char *phrase;
    } bad[] = {
        {"a", 17, 20, 2, "a=16, expected an integer from 17 to 20"},
        {"a", 0, 15, 2, "a=16, expected an integer from 0 to 15"},
        {"b", 0, INT_MAX, 3, "b=-3#three, expected an integer of at least 0"},
        {"d", 0, 9, 5, "d=1.5, expected an integer"},
        {"e", 0, 9, 6, "e=many, expected an integer"},
        {"f", 0, INT_MAX, 7, "f=99999999999999999999, expected an integer"},
        {"g", 0, 9, 8, "g=#4, expected an integer"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        value = 5;
        assert_int_equal(
            amc_cfg_text_int(cfg, 0, bad[i].key, 1, bad[i].low, bad[i].high, &value, &err), -1);
        networks_assert_error(&err, cfg->path, bad[i].line, bad[i].phrase);
        assert_int_equal(value, 5);
    }
    amc_cfg_text_free(cfg);
}

// What Darknet finds by counting commas, empty items too.
static void test_count(void **state) {
    (void)state;
    amc_cfg_text *cfg = load_text("[net]\nsteps = 1 , 2,3 \nsteps=1\none=7\nodd=,,\n;two=1,2\n"
                                  "[yolo]\nmask=6,7\n# last=1\nanchors=1,2,  3,4,\n");
    assert_int_equal(amc_cfg_text_count(cfg, 0, "steps"), 3);
    assert_int_equal(amc_cfg_text_count(cfg, 0, "one"), 1);
    assert_int_equal(amc_cfg_text_count(cfg, 0, "odd"), 3);
    assert_int_equal(amc_cfg_text_count(cfg, 0, "two"), 0);
    assert_int_equal(amc_cfg_text_count(cfg, 0, "mask"), 0); // of the section behind
    assert_int_equal(amc_cfg_text_count(cfg, 1, "mask"), 2);
    assert_int_equal(amc_cfg_text_count(cfg, 1, "anchors"), 5);
    assert_int_equal(amc_cfg_text_count(cfg, 1, "steps"), 0);
    amc_cfg_text_free(cfg);
}

// ---- edits ----

static void test_set_keeps_the_rest(void **state) {
    (void)state;
    amc_cfg_text *cfg = load_text("# head\n\n[net]\n  width =  20\t# wide\nwidth=21\n\n[conv] \n"
                                  "\tfilters=64;many\n fil ters=65\nsize= 6 4   ;odd\npad=1   \n"
                                  "a=b=c\n\n# tail\n");
    amc_cfg_text_set_int(cfg, 0, "width", 7);
    amc_cfg_text_set_int(cfg, 1, "filters", 128);
    amc_cfg_text_set_int(cfg, 1, "size", 3); // which Darknet reads as 64
    amc_cfg_text_set_int(cfg, 1, "pad", -10);
    amc_cfg_text_set(cfg, 1, "a", "x");
    assert_prints(cfg, "# head\n\n[net]\n  width =  7\t# wide\nwidth=21\n\n[conv] \n"
                       "\tfilters=128;many\n fil ters=65\nsize= 3   ;odd\npad=-10   \n"
                       "a=x\n\n# tail\n");
    assert_string_equal(amc_cfg_text_get(cfg, 0, "width"), "7");
    assert_string_equal(amc_cfg_text_get(cfg, 1, "filters"), "128");
    amc_cfg_text_free(cfg);
}

// In a real file: one line of all differs.
static void test_set_changes_one_line(void **state) {
    (void)state;
    amc_cfg_text *cfg = load("darknet/cfg/resnet50.cfg"), *old = amc_cfg_text_copy(cfg);
    amc_cfg_text_set_int(cfg, 8, "filters", 33);
    assert_int_equal(cfg->n_lines, old->n_lines);
    for (int i = 0; i < cfg->n_lines; i++) {
        bool edited = i + 1 == amc_cfg_text_line(old, 8, "filters");
        assert_string_equal(cfg->lines[i].text, edited ? "filters=33" : old->lines[i].text);
    }
    assert_string_not_equal(amc_cfg_text_get(old, 8, "filters"), "33"); // the copy is its own
    amc_cfg_text_free(cfg);
    amc_cfg_text_free(old);
}

static void test_set_inserts(void **state) {
    (void)state;
    amc_cfg_text *cfg = load_text("[net]\nwidth=2\n[conv]\n\n# c\n[conv]\nsize=1\n");
    amc_cfg_text_set_int(cfg, 1, "filters", 5);
    amc_cfg_text_set_int(cfg, 0, "batch", 1);
    amc_cfg_text_set_int(cfg, 2, "groups", 3);
    assert_prints(cfg, "[net]\nbatch=1\nwidth=2\n[conv]\nfilters=5\n\n# c\n[conv]\ngroups=3\n"
                       "size=1\n");
    assert_int_equal(amc_cfg_text_line(cfg, 2, NULL), 8);
    assert_int_equal(amc_cfg_text_line(cfg, 2, "size"), 10);
    amc_cfg_text_set_int(cfg, 1, "filters", 6); // where it stands now
    assert_string_equal(amc_cfg_text_get(cfg, 1, "filters"), "6");
    assert_null(amc_cfg_text_get(cfg, 2, "filters"));
    amc_cfg_text_free(cfg);
}

static void test_no_final_newline(void **state) {
    (void)state;
    amc_cfg_text *cfg = load_text("[net]\nwidth=2");
    assert_prints(cfg, "[net]\nwidth=2");
    amc_cfg_text_set_int(cfg, 0, "width", 3);
    assert_prints(cfg, "[net]\nwidth=3");
    amc_cfg_text_free(cfg);
    cfg = load_text("[net]\nwidth=2\n[conv]");
    amc_cfg_text_set_int(cfg, 1, "filters", 3);
    assert_prints(cfg, "[net]\nwidth=2\n[conv]\nfilters=3");
    amc_cfg_text_free(cfg);
}

// ---- refusals ----

static void test_refusals(void **state) {
    (void)state;
#define BYTES(text) text, sizeof text - 1
    static const struct {
        const char *bytes;
        size_t length;
        int line; // 0: of the whole file
        const char *phrase;
    } bad[] = {
        {BYTES(""), 0, "the file is empty"},
        {BYTES("\n\n# only a comment\n"), 0, "holds no section"},
        {BYTES("\xef\xbb\xbf[net]\nwidth=2\n"), 1, "a byte order mark"},
        {BYTES("[net]\nwidth=2\r\n"), 2, "a carriage return"},
        {BYTES("[net]\r\nwidth=2\r\n"), 1, "a carriage return"},
        {BYTES("[net]\nwidth=2\n\0\n"), 3, "a NUL byte"},
        {BYTES("# c\nwidth=2\n[net]\n"), 2, "\"width=2\" stands before any section"},
        {BYTES("\n[convolutional]\n[net]\n"), 2, "the first section is [convolutional]"},
        {BYTES("[net]\nwidth=2\n[conv\n"), 3, "\"[conv\", expected a section"},
        {BYTES("[net]\n[]\n"), 2, "\"[]\", expected a section"},
        {BYTES("[net]\n[conv] # no comments here\n"), 2, "expected a section"},
        {BYTES("[net]\nwidth\n"), 2, "\"width\", expected key=value"},
        {BYTES("[net]\nwidth=\n"), 2, "\"width=\", expected key=value"},
        {BYTES("[net]\n=3\n"), 2, "\"=3\", expected key=value"},
    };
    char *path = fixture_path("bad.cfg");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        amc_error err = {""};
        assert_int_equal(amc_files_write(path, bad[i].bytes, bad[i].length, &err), 0);
        assert_null(amc_cfg_text_load(path, &err));
        networks_assert_error(&err, path, bad[i].line, bad[i].phrase);
    }
    amc_error err = {""};
    unlink(path);
    assert_null(amc_cfg_text_load(path, &err));
    networks_assert_error(&err, path, 0, "can't be opened");
    free(path);
}

// Random bytes: an error or a text that prints as the file, never a crash.
static void test_random_bytes(void **state) {
    (void)state;
    static const char alphabet[] = "[]=#; \t\nnetwidth12,-\n\n";
    amc_rng rng;
    amc_rng_init(&rng, 5);
    char *path = fixture_path("random.cfg"), text[80] = "[net]\n";
    int good = 0;
    for (int i = 0; i < 2000; i++) {
        amc_error err = {""};
        size_t length = 6 + amc_rng_below(&rng, sizeof text - 8);
        for (size_t c = 6; c < length; c++)
            text[c] = alphabet[amc_rng_below(&rng, sizeof alphabet - 1)];
        text[length] = '\0';
        FILE *file = fopen(path, "w");
        fputs(text, file);
        fclose(file);
        amc_cfg_text *cfg = amc_cfg_text_load(path, &err);
        if (!cfg) {
            assert_non_null(strstr(err.text, "expected"));
            continue;
        }
        good++;
        assert_prints(cfg, text);
        amc_cfg_text_free(cfg);
    }
    assert_in_range(good, 10, 1990);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_data_files_are_refused),
        cmocka_unit_test(test_reads_as_darknet),
        cmocka_unit_test(test_get),
        cmocka_unit_test(test_int),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_set_keeps_the_rest),
        cmocka_unit_test(test_set_changes_one_line),
        cmocka_unit_test(test_set_inserts),
        cmocka_unit_test(test_no_final_newline),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
