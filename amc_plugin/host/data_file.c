#include "host/data_file.h"

#include "base/files.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/text_lines.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int read_number(int *number, const char *path, int line, const char *key, const char *value,
                       amc_error *err) {
    char *end;
    errno = 0;
    long parsed = strtol(value, &end, 10);
    if (end == value || *end || errno || parsed < 1 || parsed > INT_MAX)
        return amc_error_set(err, "%s:%d: %s=%s, expected a positive integer", path, line, key,
                             value);
    if (!*number) *number = (int)parsed;
    return 0;
}

static char **find_path(amc_data_file *data, const char *key) {
    if (strcmp(key, "train") == 0) return &data->train;
    if (strcmp(key, "search") == 0) return &data->search;
    if (strcmp(key, "valid") == 0) return &data->test;
    if (strcmp(key, "labels") == 0) return &data->labels;
    if (strcmp(key, "backup") == 0) return &data->backup;
    return NULL;
}

// By this program or any command of Darknet.
static bool is_read(const char *key) {
    static const char *const keys[] = {"classes", "train",   "search", "valid", "labels",
                                       "backup",  "top",     "names",  "eval",  "leaves",
                                       "map",     "results", "tag",    "test",  "tree"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (strcmp(key, keys[i]) == 0) return true;
    return false;
}

static int read_option(amc_data_file *data, char *text, int line, amc_error *err) {
    amc_text_strip(text);
    if (!*text || *text == '#' || *text == ';') return 0;
    char *value = strchr(text, '=');
    if (!value || value == text || !value[1])
        return amc_error_set(err, "%s:%d: %s, expected key=value", data->path, line, text);
    *value++ = '\0';
    if (!is_read(text) && !data->unread)
        data->unread = amc_memory_text("%s:%d: warning: %s= is no key that Darknet reads; it is "
                                       "ignored",
                                       data->path, line, text);
    char **path = find_path(data, text);
    if (path && !*path) *path = amc_memory_text("%s", value);
    if (strcmp(text, "classes") == 0)
        return read_number(&data->classes, data->path, line, text, value, err);
    if (strcmp(text, "top") == 0)
        return read_number(&data->top, data->path, line, text, value, err);
    return 0;
}

// A search that sees the test set would leave nothing to test with.
static int refuse_test_set(const amc_data_file *data, amc_error *err) {
    struct stat search, test;
    if (!data->search || !data->test || stat(data->search, &search) < 0 ||
        stat(data->test, &test) < 0 || search.st_dev != test.st_dev || search.st_ino != test.st_ino)
        return 0;
    return amc_error_set(err,
                         "%s: search= and valid= name the same list, expected training images for "
                         "the search, or no search=",
                         data->path);
}

static int read_options(amc_data_file *data, amc_error *err) {
    amc_text_lines lines;
    if (!amc_files_exists(data->path))
        return amc_error_set(
            err,
            "%s: can't be opened; expected the .data file there, or its path after "
            "-data",
            data->path);
    if (amc_text_lines_read(&lines, data->path, err) < 0) return -1;
    int status = 0;
    for (int i = 0; i < lines.n && status == 0; i++)
        status = read_option(data, lines.line[i], i + 1, err);
    amc_text_lines_clear(&lines);
    if (status < 0) return -1;
    if (!data->classes)
        return amc_error_set(err, "%s: has no classes=, expected the number of classes",
                             data->path);
    if (!data->top) data->top = 1;
    if (data->top > data->classes)
        return amc_error_set(err, "%s: top=%d, expected at most classes=%d", data->path, data->top,
                             data->classes);
    return refuse_test_set(data, err);
}

amc_data_file *amc_data_file_load(const char *path, amc_error *err) {
    amc_data_file *data = amc_memory_alloc(1, sizeof *data);
    data->path = amc_memory_text("%s", path);
    if (read_options(data, err) == 0) return data;
    amc_data_file_free(data);
    return NULL;
}

void amc_data_file_free(amc_data_file *data) {
    if (!data) return;
    free(data->path);
    free(data->train);
    free(data->search);
    free(data->test);
    free(data->labels);
    free(data->backup);
    free(data->unread);
    free(data);
}

int amc_data_file_require(const amc_data_file *data, const char *path, amc_error *err) {
    if (amc_files_exists(path)) return 0;
    return amc_error_set(err,
                         "%s: can't be opened, expected the file that %s names; paths count from "
                         "the folder that you are in, and blanks in them are lost",
                         path, data->path);
}

int amc_data_file_hash(const amc_data_file *data, uint64_t *hash, amc_error *err) {
    const char *files[] = {data->labels, data->train, data->search};
    *hash = amc_hash_bytes(AMC_HASH_START, &data->classes, sizeof data->classes);
    for (int i = 0; i < 3; i++) {
        *hash = amc_hash_bytes(*hash, &i, sizeof i); // where the next one begins
        if (!files[i]) continue;
        if (amc_data_file_require(data, files[i], err) < 0 ||
            amc_hash_file(hash, files[i], err) < 0)
            return -1;
    }
    return 0;
}
