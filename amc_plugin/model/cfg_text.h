// A .cfg as the lines a person wrote. It is looked things up in by section and key, and edited a
// line at a time: what is not edited stays byte for byte. It knows nothing of layers.
//
// Reading follows Darknet's read_cfg: spaces and tabs vanish, '#' and ';' start comments only at
// the start of a line, the first of a duplicated key wins. Files that make Darknet crash or
// misread (CRLF, a byte order mark, an option before any section) are refused.

#ifndef AMC_MODEL_CFG_TEXT_H
#define AMC_MODEL_CFG_TEXT_H

#include "base/error.h"

#include <stdbool.h>

typedef struct amc_cfg_line {
    char *text;  // the line without its newline, as in the file
    int section; // index of the section it belongs to; -1 before the first
    char *key;   // stripped key of an option; NULL on other lines
    char *value; // stripped value of an option; NULL on other lines
} amc_cfg_line;

typedef struct amc_cfg_section {
    char *type; // between the brackets: "convolutional"
    int line;   // index in lines[] of its "[type]"
} amc_cfg_section;

typedef struct amc_cfg_text {
    char *path; // for messages
    int n_lines;
    amc_cfg_line *lines;
    int n_sections;
    amc_cfg_section *sections; // sections[0] is [net]; layer i is sections[i + 1]
    bool ends_with_newline;
} amc_cfg_text;

// Reads the file at `path`; NULL with err set if it is missing, or not a .cfg that starts with
// [net].
amc_cfg_text *amc_cfg_text_load(const char *path, amc_error *err);
void amc_cfg_text_free(amc_cfg_text *cfg);
amc_cfg_text *amc_cfg_text_copy(const amc_cfg_text *cfg);

// The whole text, as new memory.
char *amc_cfg_text_print(const amc_cfg_text *cfg);

// Writes the text to `path` atomically; -1 with err set on failure.
int amc_cfg_text_save(const amc_cfg_text *cfg, const char *path, amc_error *err);

// The stripped value of `key` in `section`, or NULL if it isn't there.
const char *amc_cfg_text_get(const amc_cfg_text *cfg, int section, const char *key);

// The 1-based line of `key` in `section`, or of the section's header if the key isn't there.
int amc_cfg_text_line(const amc_cfg_text *cfg, int section, const char *key);

// How many items its value lists, with commas between them; 0 if the key isn't there.
int amc_cfg_text_count(const amc_cfg_text *cfg, int section, const char *key);

// Reads an integer in [low, high]; `missing` if the key isn't there. -1 with err set if the value
// is no integer or out of range.
int amc_cfg_text_int(const amc_cfg_text *cfg, int section, const char *key, int missing, int low,
                     int high, int *value, amc_error *err);

// Replaces the value of `key` where it stands (blanks around it and a trailing comment stay), or
// adds a line "key=value" below the section's header.
void amc_cfg_text_set(amc_cfg_text *cfg, int section, const char *key, const char *value);
void amc_cfg_text_set_int(amc_cfg_text *cfg, int section, const char *key, int value);

#endif
