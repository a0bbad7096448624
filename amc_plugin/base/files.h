// Whole files: read at once or piece by piece, written at once and atomically; and bytes to files
// that are open.

#ifndef AMC_BASE_FILES_H
#define AMC_BASE_FILES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

// Reads the regular file at `path` into a new buffer (a NUL byte follows the last one, not counted
// in *length). NULL with err set if it can't be read.
char *amc_files_read(const char *path, size_t *length, amc_error *err);

// Opens the regular file at `path` to be read by amc_files_take: a large file need not be held
// twice. Returns a file descriptor, to be closed by close(); -1 with err set.
int amc_files_open(const char *path, size_t *length, amc_error *err);

// Reads the next `length` bytes; -1 with err set, also where the file ends before.
int amc_files_take(int file, const char *path, void *bytes, size_t length, amc_error *err);

// Writes `length` bytes to a file that is open; -1 with err set, when a part may have been written.
int amc_files_put(int file, const char *path, const void *bytes, size_t length, amc_error *err);

// Replaces the file at `path` by `length` bytes: a temporary file beside it, fsync, rename. On
// failure -1, err set, what stood at `path` is untouched and no temporary file is left.
int amc_files_write(const char *path, const void *bytes, size_t length, amc_error *err);

// The same for bytes that don't stand together.
typedef struct amc_files_part {
    const void *bytes;
    size_t length;
} amc_files_part;

int amc_files_write_parts(const char *path, const amc_files_part *parts, int n, amc_error *err);

// Makes the folder at `path` and those above it; -1 with err set if that fails or it can't be
// written to.
int amc_files_make_folder(const char *path, amc_error *err);

bool amc_files_exists(const char *path);

// The last part of a path without its extension, as new text: "cfg/vgg16.cfg" gives "vgg16".
char *amc_files_stem(const char *path);

#endif
