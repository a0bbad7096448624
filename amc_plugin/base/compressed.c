#include "base/compressed.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

enum { LEVEL = 3 }; // what `zstd FILE` does

// zstd takes its own memory. It can fail for want of that, which ends the process as it does in
// base/memory.
static void require(bool fine, const char *why) {
    if (fine) return;
    fprintf(stderr, "amc: zstd: %s\n", why);
    exit(1);
}

static size_t checked(size_t result) {
    require(!ZSTD_isError(result), ZSTD_getErrorName(result));
    return result;
}

// The tool knows a file's length before it starts, and chooses its tables by that.
static ZSTD_CCtx *start(const amc_files_part *parts, int n) {
    unsigned long long length = 0;
    for (int i = 0; i < n; i++) length += parts[i].length;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    require(context != NULL, "out of memory");
    checked(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL));
    checked(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1));
    checked(ZSTD_CCtx_setPledgedSrcSize(context, length));
    return context;
}

// Compresses one part, or ends the frame; `room` is written over again and again.
static size_t push(ZSTD_CCtx *context, amc_files_part part, ZSTD_EndDirective how, void *room) {
    ZSTD_inBuffer in = {part.bytes, part.length, 0};
    size_t made = 0, left;
    do {
        ZSTD_outBuffer out = {room, ZSTD_CStreamOutSize(), 0};
        left = checked(ZSTD_compressStream2(context, &out, &in, how));
        made += out.pos;
    } while (how == ZSTD_e_end ? left > 0 : in.pos < in.size);
    return made;
}

size_t amc_compressed_size(const amc_files_part *parts, int n) {
    ZSTD_CCtx *context = start(parts, n);
    void *room = amc_memory_alloc(ZSTD_CStreamOutSize(), 1);
    size_t size = 0;
    for (int i = 0; i < n; i++) size += push(context, parts[i], ZSTD_e_continue, room);
    size += push(context, (amc_files_part){NULL, 0}, ZSTD_e_end, room);
    free(room);
    ZSTD_freeCCtx(context);
    return size;
}
