// A text file as lines, for what Darknet reads by lines: .cfg and .data files, lists of images,
// labels.

#ifndef AMC_BASE_TEXT_LINES_H
#define AMC_BASE_TEXT_LINES_H

#include "base/error.h"

#include <stdbool.h>

typedef struct amc_text_lines {
    char *bytes; // the file; the lines point into it
    int n;
    char **line; // (n) without their newlines
    bool ends_with_newline;
} amc_text_lines;

// Reads the file at `path`. -1 with err set, and nothing to clear, if it can't be read or holds
// what Darknet would take for a part of the name beside it: a carriage return, a byte order mark, a
// NUL byte.
int amc_text_lines_read(amc_text_lines *lines, const char *path, amc_error *err);

// Once more does no harm.
void amc_text_lines_clear(amc_text_lines *lines);

// Takes all spaces and tabs out of a line, as Darknet's strip() does, not only those at its ends.
void amc_text_strip(char *text);

#endif
