#include "base/text_lines.h"

#include "base/files.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>

void amc_text_lines_clear(amc_text_lines *lines) {
    free(lines->line);
    free(lines->bytes);
    *lines = (amc_text_lines){0};
}

// Darknet would take a carriage return or a byte order mark for a part of the name beside it.
static int check(const char *path, const char *bytes, size_t length, amc_error *err) {
    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
        return amc_error_set(err, "%s:1: starts with a byte order mark, expected plain text", path);
    int line = 1;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\r')
            return amc_error_set(
                err,
                "%s:%d: holds a carriage return, as Windows ends lines; expected Unix line ends",
                path, line);
        if (bytes[i] == '\0')
            return amc_error_set(err, "%s:%d: holds a NUL byte, expected text", path, line);
        line += bytes[i] == '\n';
    }
    return 0;
}

int amc_text_lines_read(amc_text_lines *lines, const char *path, amc_error *err) {
    size_t length, capacity = 0;
    *lines = (amc_text_lines){.bytes = amc_files_read(path, &length, err)};
    if (!lines->bytes) return -1;
    if (check(path, lines->bytes, length, err) < 0) {
        amc_text_lines_clear(lines);
        return -1;
    }
    char *rest = lines->bytes, *end = lines->bytes + length;
    while (rest < end) {
        if ((size_t)lines->n == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            lines->line = amc_memory_resize(lines->line, capacity, sizeof *lines->line);
        }
        lines->line[lines->n++] = rest;
        char *newline = strchr(rest, '\n');
        lines->ends_with_newline = newline != NULL;
        if (!newline) break;
        *newline = '\0';
        rest = newline + 1;
    }
    return 0;
}

void amc_text_strip(char *text) {
    char *to = text;
    for (; *text; text++)
        if (*text != ' ' && *text != '\t') *to++ = *text;
    *to = '\0';
}
