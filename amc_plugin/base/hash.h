// FNV-1a, 64 bits: tells whether bytes are those of another time. It protects from nobody.

#ifndef AMC_BASE_HASH_H
#define AMC_BASE_HASH_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define AMC_HASH_START 0xcbf29ce484222325u

// The hash of what was hashed before and these bytes after it; of nothing it is AMC_HASH_START.
uint64_t amc_hash_bytes(uint64_t hash, const void *bytes, size_t length);

// The same for the bytes of a file, however large. -1 with err set if it can't be read.
int amc_hash_file(uint64_t *hash, const char *path, amc_error *err);

#endif
