// JSON files: what is none, or more than one value, is refused by its line.

#include "base/json_file.h"
#include "host/fixture.h"

static cJSON *load(const char *text, size_t length, amc_error *err) {
    char *path = fixture_path("some.json");
    *err = (amc_error){""};
    assert_int_equal(amc_files_write(path, text, length, err), 0);
    cJSON *json = amc_json_file_load(path, "a list", err);
    free(path);
    return json;
}

static void test_a_value(void **state) {
    (void)state;
    amc_error err;
    cJSON *json = load("\n[1,\n 2]\n\n", 10, &err);
    assert_non_null(json);
    assert_int_equal(cJSON_GetArraySize(json), 2);
    cJSON_Delete(json);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "some.json:1: is not JSON, expected a list"},
        {"[1,\n2", "some.json:2: is not JSON, expected a list"},
        {"[1,\n\n2 3]\n", "some.json:3: is not JSON, expected a list"},
        {"[1]\n{}", "some.json:2: is not JSON, expected a list"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        amc_error err;
        assert_null(load(cases[i][0], strlen(cases[i][0]), &err));
        const char *slash = strrchr(err.text, '/');
        assert_string_equal(slash ? slash + 1 : err.text, cases[i][1]);
    }
}

static void test_no_file(void **state) {
    (void)state;
    amc_error err = {""};
    assert_null(amc_json_file_load("nowhere.json", "a list", &err));
    assert_string_not_equal(err.text, "");
}

static void test_floats(void **state) {
    (void)state;
    static const struct {
        float value;
        const char *text;
    } cases[] = {{0.92f, "0.92"}, {0, "0"}, {-0.1315f, "-0.1315"}, {1 / 3.0f, "0.33333334"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cJSON *json = cJSON_CreateObject();
        amc_json_add_float(json, "x", cases[i].value);
        char *printed = cJSON_PrintUnformatted(cJSON_GetObjectItem(json, "x"));
        assert_string_equal(printed, cases[i].text);
        cJSON_free(printed);
        cJSON_Delete(json);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_value),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_no_file),
        cmocka_unit_test(test_floats),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
