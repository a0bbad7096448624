// Whole files: what is written is read, at once and piece by piece, a failed write leaves all as it
// was, folders, stems.

#include "host/fixture.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
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

// ---- piece by piece ----

static void test_open_and_take(void **state) {
    (void)state;
    amc_error err = {""};
    size_t length = 99;
    char *path = fixture_write("pieces", "abcdefghij"), bytes[8] = "-------";
    int file = amc_files_open(path, &length, &err);
    assert_true(file >= 0);
    assert_int_equal(length, 10);
    assert_true(fcntl(file, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(amc_files_take(file, path, bytes, 3, &err), 0);
    assert_string_equal(bytes, "abc----");
    assert_int_equal(amc_files_take(file, path, NULL, 0, &err), 0);
    assert_int_equal(amc_files_take(file, path, bytes, 7, &err), 0);
    assert_string_equal(bytes, "defghij");
    assert_int_equal(amc_files_take(file, path, bytes, 0, &err), 0); // at its end
    assert_int_equal(amc_files_take(file, path, bytes, 1, &err), -1);
    assert_says(&err, path, "became shorter while it was read");
    close(file);
    file = open(path, O_WRONLY);
    assert_int_equal(amc_files_take(file, path, bytes, 1, &err), -1);
    assert_says(&err, path, "can't be read: Bad file descriptor");
    close(file);
    unlink(path);
    free(path);
}

// As when somebody writes it anew meanwhile.
static void test_truncated_while_reading(void **state) {
    (void)state;
    amc_error err = {""};
    size_t length, more = 1 << 20;
    char *path = fixture_path("shrinking"), *bytes = amc_memory_alloc(more, 1);
    assert_int_equal(amc_files_write(path, bytes, more, &err), 0);
    int file = amc_files_open(path, &length, &err);
    assert_int_equal(length, more);
    assert_int_equal(amc_files_take(file, path, bytes, 1000, &err), 0);
    assert_int_equal(truncate(path, 5000), 0);
    assert_int_equal(amc_files_take(file, path, bytes, 4000, &err), 0);
    assert_int_equal(amc_files_take(file, path, bytes, more - 5000, &err), -1);
    assert_says(&err, path, "became shorter while it was read");
    close(file);
    unlink(path);
    free(bytes), free(path);
}

// A pipe that nobody writes to must not be waited for, and one with bytes is no file either.
static void test_pipes_are_refused(void **state) {
    (void)state;
    amc_error err = {""};
    size_t length;
    char *path = fixture_path("pipe");
    assert_int_equal(mkfifo(path, 0600), 0);
    alarm(20); // ends the program if it waits
    assert_int_equal(amc_files_open(path, &length, &err), -1);
    assert_says(&err, path, "expected a regular file");
    assert_null(amc_files_read(path, &length, &err));
    assert_says(&err, path, "expected a regular file");
    int writer = open(path, O_RDWR);
    assert_int_equal(write(writer, "[net]", 5), 5);
    assert_null(amc_files_read(path, &length, &err));
    assert_says(&err, path, "expected a regular file");
    alarm(0);
    close(writer);
    unlink(path);
    free(path);
}

static int count_descriptors(void) {
    return count_entries("/proc/self/fd");
}

// Of what is refused none stays open.
static void test_open_refuses(void **state) {
    (void)state;
    amc_error err = {""};
    size_t length;
    int before = count_descriptors();
    char *missing = fixture_path("missing");
    const char *paths[] = {missing, fixture_folder, "/dev/null", "/dev/zero", ""};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(amc_files_open(paths[i], &length, &err), -1);
        assert_says(&err, paths[i], i % 4 ? "expected a regular file" : "can't be opened");
        assert_null(amc_files_read(paths[i], &length, &err));
    }
    assert_int_equal(count_descriptors(), before);
    free(missing);
}

static void test_write_parts(void **state) {
    (void)state;
    amc_error err = {""};
    enum { LARGE = 300000 };
    char *path = fixture_path("parts"), *large = amc_memory_alloc(LARGE + 5, 1);
    for (int i = 0; i < LARGE + 5; i++) large[i] = (char)(i * 11 % 253);
    const amc_files_part parts[] = {
        {large, 3}, {NULL, 0}, {large + 3, LARGE}, {large + LARGE + 3, 2}};
    assert_int_equal(amc_files_write_parts(path, parts, 4, &err), 0);
    assert_holds(path, large, LARGE + 5);
    assert_int_equal(amc_files_write_parts(path, parts + 1, 1, &err), 0);
    assert_holds(path, "", 0);
    assert_int_equal(amc_files_write_parts(path, parts, 1, &err), 0);
    assert_int_equal(amc_files_write_parts(path, NULL, 0, &err), 0);
    assert_holds(path, "", 0);
    assert_int_equal(count_entries(fixture_folder), 1);
    unlink(path);
    free(large), free(path);
}

// The second part no longer fits: as on a full disk.
static void test_failed_part_leaves_nothing(void **state) {
    (void)state;
    amc_error err = {""};
    struct rlimit old, small;
    char *path = fixture_write("kept", "kept"), *large = amc_memory_alloc(100000, 1);
    int before = count_descriptors();
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = (struct rlimit){50000, old.rlim_max};
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const amc_files_part parts[] = {{large, 40000}, {large, 20000}, {large, 1}};
    int status = amc_files_write_parts(path, parts, 3, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, -1);
    assert_says(&err, path, "can't be written: File too large");
    assert_holds(path, "kept", 4);
    assert_int_equal(count_entries(fixture_folder), 1);
    assert_int_equal(count_descriptors(), before);
    unlink(path);
    free(large), free(path);
}

// ---- folders and names ----

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

static void test_put(void **state) {
    (void)state;
    amc_error err = {""};
    char *path = fixture_path("put");
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(amc_files_put(file, path, "one ", 4, &err), 0);
    assert_int_equal(amc_files_put(file, path, "", 0, &err), 0);
    assert_int_equal(amc_files_put(file, path, "two", 3, &err), 0);
    close(file);
    assert_holds(path, "one two", 7);
    unlink(path);
    free(path);
    file = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(amc_files_put(file, "/dev/full", "x", 1, &err), -1);
    assert_says(&err, "/dev/full", "can't be written: No space left on device");
    close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_read),
        cmocka_unit_test(test_mode_follows_umask),
        cmocka_unit_test(test_old_file_stays_whole),
        cmocka_unit_test(test_failed_rename_leaves_nothing),
        cmocka_unit_test(test_failed_open_leaves_nothing),
        cmocka_unit_test(test_read_refuses),
        cmocka_unit_test(test_open_and_take),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_truncated_while_reading),
        cmocka_unit_test(test_pipes_are_refused),
        cmocka_unit_test(test_open_refuses),
        cmocka_unit_test(test_write_parts),
        cmocka_unit_test(test_failed_part_leaves_nothing),
        cmocka_unit_test(test_make_folder),
        cmocka_unit_test(test_make_folder_refuses),
        cmocka_unit_test(test_stem),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
