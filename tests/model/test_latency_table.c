// The table of latencies: predictions are the grid's at its points, in proportion between them, and
// never fall with a count; files come back as they were, and what is none is refused.

#include "model/latency_table.h"
#include "support/networks.h"

// ---- grids that are made up ----

static int counts_in[] = {1, 6, 7, 20};
static int counts_out[] = {2, 8, 16};
enum { INS = 4, OUTS = 3 };

static amc_latency_grid grid_of(char *kind, int64_t *ns) {
    return (amc_latency_grid){kind, INS, OUTS, counts_in, counts_out, ns};
}

// Times that grow in both directions.
static void fill_rising(int64_t *ns) {
    for (int i = 0; i < INS; i++)
        for (int o = 0; o < OUTS; o++) ns[i * OUTS + o] = 1000 + 500 * i * i + 70 * o + 33 * i * o;
}

static void fill_random(int64_t *ns, amc_rng *rng) {
    for (int i = 0; i < INS * OUTS; i++) ns[i] = 1 + amc_rng_below(rng, 100000);
}

static amc_latency_table *table_with(int64_t *ns) {
    amc_latency_table *table = amc_latency_table_new();
    amc_latency_grid grid = grid_of("a kind", ns);
    amc_latency_table_add(table, &grid);
    return table;
}

// ---- predictions ----

static void test_exact_at_the_points(void **state) {
    (void)state;
    int64_t ns[INS * OUTS];
    fill_rising(ns);
    amc_latency_table *table = table_with(ns);
    const amc_latency_grid *grid = amc_latency_table_find(table, "a kind");
    assert_non_null(grid);
    assert_null(amc_latency_table_find(table, "another"));
    for (int i = 0; i < INS; i++)
        for (int o = 0; o < OUTS; o++)
            assert_int_equal(amc_latency_grid_predict(grid, counts_in[i], counts_out[o]),
                             ns[i * OUTS + o]);
    amc_latency_table_free(table);
}

static void test_between_and_beyond(void **state) {
    (void)state;
    int64_t ns[INS * OUTS] = {100, 200, 300, 600, 700, 800, 610, 710, 810, 2000, 2100, 2200};
    amc_latency_table *table = table_with(ns);
    const amc_latency_grid *grid = amc_latency_table_find(table, "a kind");
    assert_int_equal(amc_latency_grid_predict(grid, 1, 5), 150);    // half way from 2 to 8
    assert_int_equal(amc_latency_grid_predict(grid, 3, 2), 300);    // two fifths from 1 to 6
    assert_int_equal(amc_latency_grid_predict(grid, 3, 12), 450);   // both
    assert_int_equal(amc_latency_grid_predict(grid, 1, 1), 100);    // below
    assert_int_equal(amc_latency_grid_predict(grid, 99, 99), 2200); // above
    amc_latency_table_free(table);
}

static void test_never_falls(void **state) {
    (void)state;
    amc_rng rng;
    amc_rng_init(&rng, 1);
    for (int round = 0; round < 50; round++) {
        int64_t ns[INS * OUTS];
        fill_random(ns, &rng);
        amc_latency_table *table = table_with(ns);
        const amc_latency_grid *grid = amc_latency_table_find(table, "a kind");
        for (int in = 1; in <= 21; in++)
            for (int out = 1; out <= 17; out++) {
                int64_t time = amc_latency_grid_predict(grid, in, out);
                assert_true(time <= amc_latency_grid_predict(grid, in + 1, out));
                assert_true(time <= amc_latency_grid_predict(grid, in, out + 1));
            }
        amc_latency_table_free(table);
    }
}

// Where times fall, they meet in the middle; where they rise, and that of all channels, they stay.
static void test_straightened(void **state) {
    (void)state;
    int64_t ns[INS * OUTS] = {10, 40, 20, 50, 60, 70, 80, 90, 100, 110, 130, 120};
    static const int64_t straight[] = {10, 30, 30, 50, 60, 70, 80, 90, 100, 110, 120, 120};
    amc_latency_table *table = table_with(ns);
    const amc_latency_grid *grid = amc_latency_table_find(table, "a kind");
    for (int i = 0; i < INS * OUTS; i++) assert_int_equal(grid->ns[i], straight[i]);
    amc_latency_table_free(table);
}

static void test_a_kind_is_replaced(void **state) {
    (void)state;
    int64_t ns[INS * OUTS];
    fill_rising(ns);
    amc_latency_table *table = table_with(ns);
    for (int i = 0; i < INS * OUTS; i++) ns[i] *= 2;
    amc_latency_grid again = grid_of("a kind", ns), other = grid_of("b kind", ns);
    amc_latency_table_add(table, &again);
    amc_latency_table_add(table, &other);
    assert_int_equal(table->n, 2);
    assert_int_equal(amc_latency_table_find(table, "a kind")->ns[0], 2000);
    amc_latency_table_free(table);
}

// ---- kinds ----

static bool alike(const networks_net *net, int a, int b) {
    char *first = amc_latency_table_kind(net->graph, net->cfg, a);
    char *second = amc_latency_table_kind(net->graph, net->cfg, b);
    bool same = strcmp(first, second) == 0;
    free(first);
    free(second);
    return same;
}

// Layers are of one kind where everything but their place is the same.
static void test_kinds(void **state) {
    (void)state;
    networks_net net = networks_new(
        NET(3, 8, 8) CONV(5, 3, 1, relu) CONV(5, 3, 1, relu) CONV(5, 3, 1, relu)
            CONV(5, 3, 1, leaky) CONV(5, 1, 1, relu) BARE_CONV(5, 1, 1, relu) SHORTCUT(-2, relu)
                SHORTCUT(-3, relu) ROUTE(-1, -2) ROUTE(-2, -1, -3) CONV(5, 3, 2, relu),
        1);
    assert_true(alike(&net, 1, 2));   // two equal convolutions
    assert_true(alike(&net, 6, 7));   // two equal shortcuts
    assert_false(alike(&net, 0, 1));  // of 3 channels and of 5
    assert_false(alike(&net, 2, 3));  // another activation
    assert_false(alike(&net, 2, 4));  // another size
    assert_false(alike(&net, 4, 5));  // with and without batch normalization
    assert_false(alike(&net, 8, 9));  // of two and of three layers
    assert_false(alike(&net, 2, 10)); // another stride
    networks_free(net);
}

// ---- the file ----

static void test_comes_back(void **state) {
    (void)state;
    amc_error err = {""};
    amc_rng rng;
    amc_rng_init(&rng, 2);
    int64_t ns[INS * OUTS];
    fill_random(ns, &rng);
    amc_latency_table *table = table_with(ns);
    amc_latency_grid other = grid_of("\"quoted\", 1x1x3 -> 2", ns);
    amc_latency_table_add(table, &other);
    char *path = fixture_path("latency.json");
    assert_int_equal(amc_latency_table_save(table, path, "kernels 1", &err), 0);
    amc_latency_table *again = amc_latency_table_load(path, "kernels 1", &err);
    assert_non_null(again);
    assert_string_equal(err.text, "");
    assert_int_equal(again->n, table->n);
    for (int i = 0; i < table->n; i++) {
        const amc_latency_grid *a = table->grids[i];
        const amc_latency_grid *b = amc_latency_table_find(again, a->kind);
        assert_non_null(b);
        assert_int_equal(b->n_in, INS);
        assert_int_equal(b->n_out, OUTS);
        assert_memory_equal(a->in, b->in, sizeof counts_in);
        assert_memory_equal(a->out, b->out, sizeof counts_out);
        assert_memory_equal(a->ns, b->ns, sizeof ns);
    }
    amc_latency_table_free(again);
    // Of other kernels: nothing is wrong with it.
    assert_null(amc_latency_table_load(path, "kernels 2", &err));
    assert_string_equal(err.text, "");
    amc_latency_table_free(table);
    free(path);
    path = fixture_write("older.json", "{\"format\": 1, \"made_by\": \"kernels 1\", "
                                       "\"grids\": []}");
    assert_null(amc_latency_table_load(path, "kernels 1", &err));
    assert_string_equal(err.text, "");
    free(path);
}

static void test_corrupt_files(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"format\": 3, \"made_by\": \"me\"}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": 3}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [3]}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [{\"kind\": 1, \"in\": [1], \"out\": [1], "
        "\"ns\": [5]}]}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [{\"kind\": \"k\", \"out\": [1], "
        "\"ns\": [5]}]}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [{\"kind\": \"k\", \"in\": [], \"out\": "
        "[1], "
        "\"ns\": []}]}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [{\"kind\": \"k\", \"in\": [2, 1], "
        "\"out\": "
        "[1], \"ns\": [5, 6]}]}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [{\"kind\": \"k\", \"in\": [1.5], "
        "\"out\": "
        "[1], \"ns\": [5]}]}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [{\"kind\": \"k\", \"in\": [1], \"out\": "
        "[1], "
        "\"ns\": [5, 6]}]}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [{\"kind\": \"k\", \"in\": [1], \"out\": "
        "[1], "
        "\"ns\": [-5]}]}",
        "{\"format\": 3, \"made_by\": \"me\", \"grids\": [{\"kind\": \"k\", \"in\": [1], \"out\": "
        "[1], "
        "\"ns\": [\"x\"]}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        amc_error err = {""};
        char *path = fixture_write("bad.json", bad[i]);
        assert_null(amc_latency_table_load(path, "me", &err));
        if (!strstr(err.text, "expected a table of latencies"))
            fail_msg("%s: %s", bad[i], err.text);
        free(path);
    }
    amc_error err = {""};
    char *path = fixture_path("none.json");
    assert_null(amc_latency_table_load(path, "me", &err));
    assert_non_null(strstr(err.text, "none.json"));
    free(path);
}

// Cut anywhere, a file is refused or whole.
static void test_cut_files(void **state) {
    (void)state;
    amc_error err = {""};
    int64_t ns[INS * OUTS];
    fill_rising(ns);
    amc_latency_table *table = table_with(ns);
    char *path = fixture_path("cut.json");
    size_t length;
    assert_int_equal(amc_latency_table_save(table, path, "me", &err), 0);
    char *text = amc_files_read(path, &length, &err);
    for (size_t cut = 0; cut < length; cut++) {
        assert_int_equal(amc_files_write(path, text, cut, &err), 0);
        assert_null(amc_latency_table_load(path, "me", &err));
        assert_string_not_equal(err.text, "");
    }
    free(text);
    free(path);
    amc_latency_table_free(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact_at_the_points), cmocka_unit_test(test_between_and_beyond),
        cmocka_unit_test(test_never_falls),         cmocka_unit_test(test_straightened),
        cmocka_unit_test(test_a_kind_is_replaced),  cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_comes_back),          cmocka_unit_test(test_corrupt_files),
        cmocka_unit_test(test_cut_files),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
