// Whole files: read at once, written at once and atomically.

#ifndef AMC_BASE_FILES_H
#define AMC_BASE_FILES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

// Reads the regular file at `path` into a new buffer (a NUL byte follows the last one, not counted
// in *length). NULL with err set if it can't be read.
char *amc_files_read(const char *path, size_t *length, amc_error *err);

// Replaces the file at `path` by `length` bytes: a temporary file beside it, fsync, rename. On
// failure -1, err set, what stood at `path` is untouched and no temporary file is left.
int amc_files_write(const char *path, const void *bytes, size_t length, amc_error *err);

// Makes the folder at `path` and those above it; -1 with err set if that fails or it can't be
// written to.
int amc_files_make_folder(const char *path, amc_error *err);

bool amc_files_exists(const char *path);

// The last part of a path without its extension, as new text: "cfg/vgg16.cfg" gives "vgg16".
char *amc_files_stem(const char *path);

#endif
