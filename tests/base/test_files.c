// Whole files: what is written is read, a failed write leaves all as it was, folders, stems.

#include "host/fixture.h"

#include <dirent.h>
#include <sys/stat.h>

static int count_entries(const char *folder) {
    DIR *dir = opendir(folder);
    int n = 0;
    assert_non_null(dir);
    while (readdir(dir)) n++;
    closedir(dir);
    return n - 2; // . and ..
}

static void assert_holds(const char *path, const char *bytes, size_t length) {
    amc_error err = {""};
    size_t got = 99;
    char *read = amc_files_read(path, &got, &err);
    if (!read) fail_msg("%s", err.text);
    assert_int_equal(got, length);
    assert_memory_equal(read, bytes, length);
    assert_int_equal(read[length], 0);
    free(read);
}

static void assert_says(const amc_error *err, const char *path, const char *phrase) {
    assert_int_equal(strncmp(err->text, path, strlen(path)), 0);
    assert_non_null(strstr(err->text, phrase));
    assert_null(strchr(err->text, '\n'));
}

static void test_write_and_read(void **state) {
    (void)state;
    amc_error err = {""};
    char *path = fixture_path("written"), bytes[100000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 7 % 251); // NUL bytes too
    size_t lengths[] = {0, 1, 4096, sizeof bytes, 3};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(amc_files_write(path, bytes, lengths[i], &err), 0);
        assert_holds(path, bytes, lengths[i]);
    }
    assert_int_equal(count_entries(fixture_folder), 1);
    assert_true(amc_files_exists(path));
    unlink(path);
    assert_false(amc_files_exists(path));
    free(path);
}

// As open() with 0666 would have it: neither private as mkostemp's files nor wider than the umask.
static void test_mode_follows_umask(void **state) {
    (void)state;
    amc_error err = {""};
    struct stat info;
    char *path = fixture_path("mode");
    mode_t old = umask(027);
    assert_int_equal(amc_files_write(path, "x", 1, &err), 0);
    assert_int_equal(umask(old), 027);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    unlink(path);
    free(path);
}

// A reader that has the old file open goes on reading it.
static void test_old_file_stays_whole(void **state) {
    (void)state;
    amc_error err = {""};
    char *path = fixture_write("replaced", "old"), bytes[4];
    int file = open(path, O_RDONLY);
    assert_int_equal(amc_files_write(path, "newer", 5, &err), 0);
    assert_int_equal(read(file, bytes, 4), 3);
    assert_memory_equal(bytes, "old", 3);
    close(file);
    assert_holds(path, "newer", 5);
    unlink(path);
    free(path);
}

// A folder can't be replaced by a file: the rename fails, after the temporary file was written.
static void test_failed_rename_leaves_nothing(void **state) {
    (void)state;
    amc_error err = {""};
    char *folder = fixture_path("taken"), *inside = fixture_path("taken/inside");
    assert_int_equal(mkdir(folder, 0777), 0);
    assert_int_equal(amc_files_write(inside, "kept", 4, &err), 0);
    assert_int_equal(amc_files_write(folder, "new", 3, &err), -1);
    assert_says(&err, folder, "can't be written");
    assert_holds(inside, "kept", 4);
    assert_int_equal(count_entries(fixture_folder), 1);
    unlink(inside);
    rmdir(folder);
    free(inside), free(folder);
}

static void test_failed_open_leaves_nothing(void **state) {
    (void)state;
    amc_error err = {""};
    char *file = fixture_write("file", "kept");
    char *below = fixture_path("file/below"), *missing = fixture_path("missing/file");
    const char *paths[] = {below, missing, "/proc/amc-test-file"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(amc_files_write(paths[i], "new", 3, &err), -1);
        assert_says(&err, paths[i], "can't be written");
        assert_false(amc_files_exists(paths[i]));
    }
    assert_holds(file, "kept", 4);
    assert_int_equal(count_entries(fixture_folder), 1);
    unlink(file);
    free(file), free(below), free(missing);
}

static void test_read_refuses(void **state) {
    (void)state;
    amc_error err = {""};
    size_t length;
    char *missing = fixture_path("missing");
    assert_null(amc_files_read(missing, &length, &err));
    assert_says(&err, missing, "can't be opened: No such file");
    assert_null(amc_files_read(fixture_folder, &length, &err));
    assert_says(&err, fixture_folder, "expected a regular file");
    assert_null(amc_files_read("/dev/null", &length, &err));
    assert_says(&err, "/dev/null", "expected a regular file");
    free(missing);
}

static void test_make_folder(void **state) {
    (void)state;
    amc_error err = {""};
    struct stat info;
    char *deep = fixture_path("a/b//c/"), *b = fixture_path("a/b"), *a = fixture_path("a");
    assert_int_equal(amc_files_make_folder(deep, &err), 0);
    assert_true(stat(deep, &info) == 0 && S_ISDIR(info.st_mode));
    assert_int_equal(amc_files_make_folder(deep, &err), 0); // it is there already
    assert_int_equal(amc_files_make_folder("/", &err), 0);
    assert_int_equal(amc_files_make_folder(".", &err), 0);
    rmdir(deep), rmdir(b), rmdir(a);
    free(deep), free(b), free(a);
}

static void test_make_folder_refuses(void **state) {
    (void)state;
    amc_error err = {""};
    char *file = fixture_write("file", "kept"), *below = fixture_path("file/below/deeper");
    assert_int_equal(amc_files_make_folder(file, &err), -1);
    assert_says(&err, file, "expected a folder");
    assert_int_equal(amc_files_make_folder(below, &err), -1);
    assert_says(&err, file, "the folder can't be made");
    assert_int_equal(amc_files_make_folder("/proc/amc-test/folder", &err), -1);
    assert_says(&err, "/proc/amc-test", "the folder can't be made");
    assert_int_equal(amc_files_make_folder("", &err), -1);
    assert_non_null(strstr(err.text, "expected a folder"));
    assert_holds(file, "kept", 4);
    unlink(file);
    free(file), free(below);
}

static void test_stem(void **state) {
    (void)state;
    static const char *cases[][2] = {
        {"cfg/vgg16.cfg", "vgg16"},
        {"vgg16.cfg", "vgg16"},
        {"vgg16", "vgg16"},
        {"a.b/c", "c"},
        {"/x/y.tar.gz", "y.tar"},
        {"x/.hidden", ".hidden"},
        {"x/", ""},
        {"", ""},
        {"net.", "net"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *stem = amc_files_stem(cases[i][0]);
        assert_string_equal(stem, cases[i][1]);
        free(stem);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_mode_follows_umask),
        cmocka_unit_test(test_old_file_stays_whole),
        cmocka_unit_test(test_failed_rename_leaves_nothing),
        cmocka_unit_test(test_failed_open_leaves_nothing),
        cmocka_unit_test(test_read_refuses),
        cmocka_unit_test(test_make_folder),
        cmocka_unit_test(test_make_folder_refuses),
        cmocka_unit_test(test_stem),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
