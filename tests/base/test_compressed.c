// What bytes would take as a .zst file: little for zeros, all of it for random ones, and what the
// zstd tool makes of them.

#include "base/compressed.h"
#include "host/fixture.h"

#include <sys/stat.h>

enum { LENGTH = 1200000 };

static size_t size_of(const void *bytes, size_t length) {
    return amc_compressed_size(&(amc_files_part){bytes, length}, 1);
}

static unsigned char *random_bytes(size_t length) {
    amc_rng rng;
    amc_rng_init(&rng, 1);
    unsigned char *bytes = amc_memory_alloc(length, 1);
    for (size_t i = 0; i < length; i++) bytes[i] = (unsigned char)amc_rng_next(&rng);
    return bytes;
}

// Floats of which two thirds are zero.
static float *sparse_floats(size_t n) {
    amc_rng rng;
    amc_rng_init(&rng, 2);
    float *floats = amc_memory_alloc(n, sizeof *floats);
    for (size_t i = 0; i < n; i++)
        if (amc_rng_below(&rng, 3) == 0) floats[i] = (float)amc_rng_normal(&rng);
    return floats;
}

static void zeros_take_little(void **state) {
    (void)state;
    char *zeros = amc_memory_alloc(LENGTH, 1);
    assert_true(size_of(zeros, LENGTH) < 300);
    assert_true(size_of(zeros, 0) > 0); // a frame of nothing
    assert_true(size_of(zeros, 0) < 20);
    assert_int_equal(amc_compressed_size(NULL, 0), size_of(zeros, 0));
    free(zeros);
}

static void random_bytes_take_all(void **state) {
    (void)state;
    unsigned char *bytes = random_bytes(LENGTH);
    size_t size = size_of(bytes, LENGTH);
    assert_true(size >= LENGTH);
    assert_true(size < LENGTH + LENGTH / 1000);
    free(bytes);
}

// A third of the floats is left, and where they are has to be said.
static void zeros_among_floats_save(void **state) {
    (void)state;
    size_t n = LENGTH / sizeof(float);
    float *floats = sparse_floats(n);
    double share = (double)size_of(floats, LENGTH) / LENGTH;
    assert_true(share > 0.30);
    assert_true(share < 0.45);
    free(floats);
}

static void parts_are_one_file(void **state) {
    (void)state;
    char *bytes = (char *)sparse_floats(LENGTH / sizeof(float));
    amc_files_part parts[] = {
        {bytes, 1}, {bytes + 1, 0}, {bytes + 1, 500000}, {bytes + 500001, LENGTH - 500001}};
    assert_int_equal(amc_compressed_size(parts, 4), size_of(bytes, LENGTH));
    free(bytes);
}

// What `zstd` writes; 0 where there is no such tool.
static size_t tool_size(const void *bytes, size_t length) {
    amc_error err;
    struct stat info = {0};
    char *path = fixture_path("bytes");
    assert_int_equal(amc_files_write(path, bytes, length, &err), 0);
    char *packed = amc_memory_text("%s.zst", path);
    char *command = amc_memory_text("zstd -q -f '%s' -o '%s' 2>/dev/null", path, packed);
    if (system(command) == 0) assert_int_equal(stat(packed, &info), 0);
    free(command);
    free(packed);
    free(path);
    return (size_t)info.st_size;
}

static void tool_agrees(void **state) {
    (void)state;
    float *floats = sparse_floats(LENGTH / sizeof(float));
    const size_t lengths[] = {LENGTH, 100000, 13};
    if (!tool_size(floats, 13)) skip();
    for (int i = 0; i < 3; i++) {
        long difference = (long)size_of(floats, lengths[i]) - (long)tool_size(floats, lengths[i]);
        assert_in_range(difference + 16, 0, 32);
    }
    free(floats);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zeros_take_little),
        cmocka_unit_test(random_bytes_take_all),
        cmocka_unit_test(zeros_among_floats_save),
        cmocka_unit_test(parts_are_one_file),
        cmocka_unit_test(tool_agrees),
    };
    return cmocka_run_group_tests_name("compressed", tests, fixture_setup, fixture_teardown);
}
