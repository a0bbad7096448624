#include "host/image_decoder.h"

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>

static _Thread_local jmp_buf *way_out; // of stb_image, while it decodes
static _Thread_local bool broken;      // what it asserts, by the last image

__attribute__((noreturn)) void __real___assert_fail(const char *assertion, const char *file,
                                                    unsigned line, const char *function);

__attribute__((noreturn)) void __wrap___assert_fail(const char *assertion, const char *file,
                                                    unsigned line, const char *function) {
    if (way_out) longjmp(*way_out, 1);
    __real___assert_fail(assertion, file, line, function);
}

// With calls, else from the file at path. What stb_image had allocated is lost where it is left.
static unsigned char *decode(const stbi_io_callbacks *calls, void *user, const char *path, int *w,
                             int *h) {
    jmp_buf here;
    int channels;
    broken = setjmp(here) != 0;
    way_out = broken ? NULL : &here;
    if (broken) return NULL;
    unsigned char *pixels = calls ? stbi_load_from_callbacks(calls, user, w, h, &channels, 3)
                                  : stbi_load(path, w, h, &channels, 3);
    way_out = NULL;
    return pixels;
}

unsigned char *amc_image_decode(const stbi_io_callbacks *calls, void *user, int *w, int *h) {
    return decode(calls, user, NULL, w, h);
}

unsigned char *amc_image_decode_file(const char *path, int *w, int *h) {
    return decode(NULL, NULL, path, w, h);
}

const char *amc_image_decode_failure(void) {
    return broken ? "it is damaged" : stbi_failure_reason();
}
