// Checked allocation: running out of memory is nobody's input error, so it ends the process with
// one sentence and exit status 1 instead of being handed up through every caller.

#ifndef AMC_BASE_MEMORY_H
#define AMC_BASE_MEMORY_H

#include <stddef.h>
#include <stdio.h>

// To be called once, at the start. Every block of 256 KiB and more gets pages of its own and gives
// them back when it is freed; glibc would stop that after the first, and what decoding needs would
// leave holes between the images that stay, a tenth to a quarter of the memory.
void amc_memory_settle(void);

// `count` zeroed elements of `size` bytes; never NULL, also for count 0. Free with free().
void *amc_memory_alloc(size_t count, size_t size);

// Takes `bytes` of zeroed memory from the system now rather than when they are first written: what
// a long job is going to need, it should have from its start.
void amc_memory_touch(void *memory, size_t bytes);

// realloc() to `count` elements of `size` bytes; new bytes are not zeroed.
void *amc_memory_resize(void *old, size_t count, size_t size);

// A heap copy of `count` elements of `size` bytes at `source` (which may be NULL: then NULL).
void *amc_memory_copy(const void *source, size_t count, size_t size);

// A heap copy of a string, or of printf-style text.
char *amc_memory_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

// What is printed to the stream is *text, of *length bytes, once the stream is closed (by
// amc_memory_stream_close) or flushed. Free with free().
FILE *amc_memory_stream(char **text, size_t *length);
void amc_memory_stream_close(FILE *stream);

#endif
