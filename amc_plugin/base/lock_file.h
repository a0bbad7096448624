// A file that one process has to itself: locked for as long as it is open.

#ifndef AMC_BASE_LOCK_FILE_H
#define AMC_BASE_LOCK_FILE_H

#include "base/error.h"

#include <stdbool.h>

// Opens the regular file at `path` to be read and appended to, made if it isn't there, and locks
// it. Returns a file descriptor, to be closed by close(), which unlocks it. -1 with err set where
// that fails; `busy` is what is said where another process has it.
int amc_lock_file_open(const char *path, const char *busy, amc_error *err);

// Whether the path still names the open file.
bool amc_lock_file_is_at(int file, const char *path);

#endif
