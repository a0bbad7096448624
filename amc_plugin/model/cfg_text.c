#include "model/cfg_text.h"

#include "base/files.h"
#include "base/memory.h"
#include "base/text_lines.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_section(amc_cfg_text *cfg, const char *header) {
    cfg->sections =
        amc_memory_resize(cfg->sections, (size_t)cfg->n_sections + 1, sizeof *cfg->sections);
    amc_cfg_section *section = &cfg->sections[cfg->n_sections++];
    section->type = amc_memory_text("%.*s", (int)strlen(header) - 2, header + 1);
    section->line = cfg->n_lines - 1;
}

static int parse_option(const amc_cfg_text *cfg, amc_cfg_line *line, char *option, amc_error *err) {
    char *equals = strchr(option, '=');
    if (cfg->n_sections == 0)
        return amc_error_set(err, "%s:%d: \"%s\" stands before any section, expected [net] first",
                             cfg->path, cfg->n_lines, option);
    if (!equals || equals == option || !equals[1])
        return amc_error_set(err, "%s:%d: \"%s\", expected key=value", cfg->path, cfg->n_lines,
                             option);
    line->key = amc_memory_text("%.*s", (int)(equals - option), option);
    line->value = amc_memory_text("%s", equals + 1);
    return 0;
}

static int parse_line(amc_cfg_text *cfg, amc_cfg_line *line, amc_error *err) {
    char *text = amc_memory_text("%s", line->text);
    amc_text_strip(text);
    size_t length = strlen(text);
    int status = 0;
    if (text[0] == '[') {
        if (length < 3 || text[length - 1] != ']')
            status = amc_error_set(err, "%s:%d: \"%s\", expected a section such as [convolutional]",
                                   cfg->path, cfg->n_lines, text);
        else
            add_section(cfg, text);
    } else if (text[0] && text[0] != '#' && text[0] != ';') {
        status = parse_option(cfg, line, text, err);
    }
    line->section = cfg->n_sections - 1;
    free(text);
    return status;
}

static int parse(amc_cfg_text *cfg, const amc_text_lines *lines, amc_error *err) {
    if (lines->n == 0)
        return amc_error_set(err, "%s: the file is empty, expected a .cfg", cfg->path);
    cfg->ends_with_newline = lines->ends_with_newline;
    cfg->lines = amc_memory_alloc((size_t)lines->n, sizeof *cfg->lines);
    while (cfg->n_lines < lines->n) {
        amc_cfg_line *line = &cfg->lines[cfg->n_lines];
        line->text = amc_memory_text("%s", lines->line[cfg->n_lines++]);
        if (parse_line(cfg, line, err) < 0) return -1;
    }
    if (cfg->n_sections == 0)
        return amc_error_set(err, "%s: holds no section, expected [net] and layers", cfg->path);
    const char *first = cfg->sections[0].type;
    if (strcmp(first, "net") != 0 && strcmp(first, "network") != 0)
        return amc_error_set(err, "%s:%d: the first section is [%s], expected [net]", cfg->path,
                             cfg->sections[0].line + 1, first);
    return 0;
}

amc_cfg_text *amc_cfg_text_load(const char *path, amc_error *err) {
    amc_text_lines lines;
    if (amc_text_lines_read(&lines, path, err) < 0) return NULL;
    amc_cfg_text *cfg = amc_memory_alloc(1, sizeof *cfg);
    cfg->path = amc_memory_text("%s", path);
    int status = parse(cfg, &lines, err);
    amc_text_lines_clear(&lines);
    if (status == 0) return cfg;
    amc_cfg_text_free(cfg);
    return NULL;
}

void amc_cfg_text_free(amc_cfg_text *cfg) {
    if (!cfg) return;
    for (int i = 0; i < cfg->n_lines; i++) {
        free(cfg->lines[i].text);
        free(cfg->lines[i].key);
        free(cfg->lines[i].value);
    }
    for (int i = 0; i < cfg->n_sections; i++) free(cfg->sections[i].type);
    free(cfg->lines);
    free(cfg->sections);
    free(cfg->path);
    free(cfg);
}

amc_cfg_text *amc_cfg_text_copy(const amc_cfg_text *cfg) {
    amc_cfg_text *copy = amc_memory_copy(cfg, 1, sizeof *cfg);
    copy->path = amc_memory_text("%s", cfg->path);
    copy->lines = amc_memory_copy(cfg->lines, (size_t)cfg->n_lines, sizeof *cfg->lines);
    for (int i = 0; i < cfg->n_lines; i++) {
        amc_cfg_line *line = &copy->lines[i];
        line->text = amc_memory_text("%s", line->text);
        if (line->key) line->key = amc_memory_text("%s", line->key);
        if (line->value) line->value = amc_memory_text("%s", line->value);
    }
    copy->sections = amc_memory_copy(cfg->sections, (size_t)cfg->n_sections, sizeof *cfg->sections);
    for (int i = 0; i < cfg->n_sections; i++)
        copy->sections[i].type = amc_memory_text("%s", cfg->sections[i].type);
    return copy;
}

char *amc_cfg_text_print(const amc_cfg_text *cfg) {
    size_t length = 1;
    for (int i = 0; i < cfg->n_lines; i++) length += strlen(cfg->lines[i].text) + 1;
    char *text = amc_memory_alloc(length, 1), *end = text;
    for (int i = 0; i < cfg->n_lines; i++) {
        end = stpcpy(end, cfg->lines[i].text);
        if (i < cfg->n_lines - 1 || cfg->ends_with_newline) *end++ = '\n';
    }
    return text;
}

int amc_cfg_text_save(const amc_cfg_text *cfg, const char *path, amc_error *err) {
    char *text = amc_cfg_text_print(cfg);
    int status = amc_files_write(path, text, strlen(text), err);
    free(text);
    return status;
}

// The first line of the section that sets the key, or NULL.
static amc_cfg_line *find(const amc_cfg_text *cfg, int section, const char *key) {
    for (int i = cfg->sections[section].line; i < cfg->n_lines; i++) {
        amc_cfg_line *line = &cfg->lines[i];
        if (line->section != section) break;
        if (line->key && strcmp(line->key, key) == 0) return line;
    }
    return NULL;
}

const char *amc_cfg_text_get(const amc_cfg_text *cfg, int section, const char *key) {
    const amc_cfg_line *line = find(cfg, section, key);
    return line ? line->value : NULL;
}

int amc_cfg_text_line(const amc_cfg_text *cfg, int section, const char *key) {
    const amc_cfg_line *line = key ? find(cfg, section, key) : NULL;
    return line ? (int)(line - cfg->lines) + 1 : cfg->sections[section].line + 1;
}

int amc_cfg_text_count(const amc_cfg_text *cfg, int section, const char *key) {
    const char *text = amc_cfg_text_get(cfg, section, key);
    int n = text != NULL;
    for (; text && *text; text++) n += *text == ',';
    return n;
}

int amc_cfg_text_int(const amc_cfg_text *cfg, int section, const char *key, int missing, int low,
                     int high, int *value, amc_error *err) {
    const char *text = amc_cfg_text_get(cfg, section, key);
    if (!text) {
        *value = missing;
        return 0;
    }
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    // atoi() lets Darknet read "16#comment" as 16, and people do write that.
    bool whole = end != text && (*end == '\0' || *end == '#' || *end == ';');
    if (!whole || errno || number < low || number > high) {
        int line = amc_cfg_text_line(cfg, section, key);
        if (high == INT_MAX)
            return amc_error_set(err, "%s:%d: %s=%s, expected an integer of at least %d", cfg->path,
                                 line, key, text, low);
        return amc_error_set(err, "%s:%d: %s=%s, expected an integer from %d to %d", cfg->path,
                             line, key, text, low, high);
    }
    *value = (int)number;
    return 0;
}

static void set_line(amc_cfg_line *line, char *text, const char *key, const char *value) {
    char *new_key = amc_memory_text("%s", key), *new_value = amc_memory_text("%s", value);
    free(line->text);
    free(line->key);
    free(line->value);
    line->text = text;
    line->key = new_key;
    line->value = new_value;
}

// The line with the characters of its value replaced: "filters = 64 # wide" keeps its blanks and
// its comment. Darknet reads "6 4" as 64, so blanks within the value belong to it.
static char *replaced_value(const char *text, const char *value) {
    const char *start = strchr(text, '=') + 1;
    start += strspn(start, " \t");
    size_t old = strcspn(start, "#;");
    while (old && (start[old - 1] == ' ' || start[old - 1] == '\t')) old--;
    return amc_memory_text("%.*s%s%s", (int)(start - text), text, value, start + old);
}

static void insert_line(amc_cfg_text *cfg, int at, int section) {
    cfg->lines = amc_memory_resize(cfg->lines, (size_t)cfg->n_lines + 1, sizeof *cfg->lines);
    memmove(&cfg->lines[at + 1], &cfg->lines[at], (size_t)(cfg->n_lines - at) * sizeof *cfg->lines);
    cfg->n_lines++;
    cfg->lines[at] = (amc_cfg_line){.section = section};
    for (int i = 0; i < cfg->n_sections; i++)
        if (cfg->sections[i].line >= at) cfg->sections[i].line++;
}

void amc_cfg_text_set(amc_cfg_text *cfg, int section, const char *key, const char *value) {
    amc_cfg_line *line = find(cfg, section, key);
    if (line) {
        set_line(line, replaced_value(line->text, value), key, value);
        return;
    }
    int at = cfg->sections[section].line + 1;
    insert_line(cfg, at, section);
    set_line(&cfg->lines[at], amc_memory_text("%s=%s", key, value), key, value);
}

void amc_cfg_text_set_int(amc_cfg_text *cfg, int section, const char *key, int value) {
    char text[16];
    snprintf(text, sizeof text, "%d", value);
    amc_cfg_text_set(cfg, section, key, text);
}
