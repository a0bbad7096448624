// The hash of bytes and of files: the function's published values, and the same however the bytes
// are cut.

#include "base/hash.h"
#include "host/fixture.h"

static uint64_t of_text(const char *text) {
    return amc_hash_bytes(AMC_HASH_START, text, strlen(text));
}

// From the authors' list of test vectors (isthe.com/chongo/tech/comp/fnv).
static void test_published_values(void **state) {
    (void)state;
    assert_true(of_text("") == 0xcbf29ce484222325u);
    assert_true(of_text("a") == 0xaf63dc4c8601ec8cu);
    assert_true(of_text("foobar") == 0x85944171f73967e8u);
}

static void test_parts_are_the_whole(void **state) {
    (void)state;
    uint64_t parts = amc_hash_bytes(of_text("foo"), "bar", 3);
    assert_true(parts == of_text("foobar"));
    assert_true(of_text("raboof") != parts);
}

// Empty, a piece less one, a piece, one more, several.
static void test_file(void **state) {
    (void)state;
    static char bytes[200000];
    static const size_t lengths[] = {0, 1, 65535, 65536, 65537, sizeof bytes};
    amc_error err = {""};
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 7 % 251);
    char *path = fixture_path("hashed");
    for (int i = 0; i < 6; i++) {
        uint64_t hash = of_text("before");
        assert_int_equal(amc_files_write(path, bytes, lengths[i], &err), 0);
        assert_int_equal(amc_hash_file(&hash, path, &err), 0);
        assert_true(hash == amc_hash_bytes(of_text("before"), bytes, lengths[i]));
    }
    unlink(path);
    uint64_t hash = 5;
    assert_int_equal(amc_hash_file(&hash, path, &err), -1);
    assert_non_null(strstr(err.text, "hashed: can't be opened"));
    assert_true(hash == 5);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_values),
        cmocka_unit_test(test_parts_are_the_whole),
        cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
