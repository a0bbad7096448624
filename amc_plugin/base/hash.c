#include "base/hash.h"

#include "base/files.h"

#include <unistd.h>

enum { PIECE = 1 << 16 };

uint64_t amc_hash_bytes(uint64_t hash, const void *bytes, size_t length) {
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++) hash = (hash ^ byte[i]) * 0x100000001b3;
    return hash;
}

int amc_hash_file(uint64_t *hash, const char *path, amc_error *err) {
    unsigned char piece[PIECE];
    size_t left;
    int status = 0, file = amc_files_open(path, &left, err);
    if (file < 0) return -1;
    while (left > 0 && status == 0) {
        size_t length = left < PIECE ? left : PIECE;
        status = amc_files_take(file, path, piece, length, err);
        if (status == 0) *hash = amc_hash_bytes(*hash, piece, length);
        left -= length;
    }
    close(file);
    return status;
}
