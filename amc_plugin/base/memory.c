#include "base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory, size_t count, size_t size) {
    if (memory) return memory;
    fprintf(stderr, "amc: out of memory (%zu elements of %zu bytes)\n", count, size);
    exit(1);
}

void amc_memory_settle(void) {
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

void *amc_memory_alloc(size_t count, size_t size) {
    return checked(calloc(count ? count : 1, size), count, size);
}

void amc_memory_touch(void *memory, size_t bytes) {
    enum { PAGE = 4096 };
    volatile char *at = memory;
    for (size_t i = 0; i < bytes; i += PAGE) at[i] = 0;
    if (bytes) at[bytes - 1] = 0;
}

void *amc_memory_resize(void *old, size_t count, size_t size) {
    if (size && count > SIZE_MAX / size) return checked(NULL, count, size);
    return checked(realloc(old, count && size ? count * size : 1), count, size);
}

void *amc_memory_copy(const void *source, size_t count, size_t size) {
    if (!source) return NULL;
    void *copy = amc_memory_alloc(count, size);
    if (count) memcpy(copy, source, count * size);
    return copy;
}

char *amc_memory_text(const char *format, ...) {
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&text, format, args);
    va_end(args);
    return checked(length < 0 ? NULL : text, 1, 1);
}

FILE *amc_memory_stream(char **text, size_t *length) {
    return checked(open_memstream(text, length), 1, sizeof(FILE));
}

void amc_memory_stream_close(FILE *stream) {
    bool failed = ferror(stream);
    if (fclose(stream) != 0 || failed) checked(NULL, 1, 1);
}
