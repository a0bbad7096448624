#include "cmd/episode_table.h"

#include "base/memory.h"
#include "base/text_lines.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

// The columns that are read, by the names in the first line.
enum { REWARD, ACCURACY, MACS, PARAMS, COLUMNS };
static const char *const names[COLUMNS] = {"reward", "accuracy", "macs", "params"};

// The number of the column of that name, or -1.
static int find_column(const char *header, const char *name) {
    size_t length = strlen(name);
    int column = 0;
    for (const char *at = header;; column++) {
        size_t here = strcspn(at, ",");
        if (here == length && strncmp(at, name, length) == 0) return column;
        if (!at[here]) return -1;
        at += here + 1;
    }
}

static bool read_number(const char *line, int column, double *number) {
    for (; column > 0; column--) {
        line = strchr(line, ',');
        if (!line) return false;
        line++;
    }
    char *end;
    *number = strtod(line, &end);
    return end > line && (*end == ',' || !*end) && isfinite(*number);
}

static int read_rows(amc_episode_table *table, const amc_text_lines *lines, const int *columns,
                     const char *path, amc_error *err) {
    for (int i = 1; i < lines->n; i++) {
        amc_episode *e = &table->episodes[i - 1];
        double *to[COLUMNS] = {&e->reward, &e->accuracy, &e->macs, &e->params};
        for (int c = 0; c < COLUMNS; c++)
            if (!read_number(lines->line[i], columns[c], to[c]))
                return amc_error_set(err, "%s:%d: has no number for %s, expected an episode", path,
                                     i + 1, names[c]);
    }
    return 0;
}

static int read_table(amc_episode_table *table, const amc_text_lines *lines, const char *path,
                      amc_error *err) {
    int columns[COLUMNS];
    for (int c = 0; c < COLUMNS; c++) {
        columns[c] = lines->n ? find_column(lines->line[0], names[c]) : -1;
        if (columns[c] < 0)
            return amc_error_set(err, "%s:1: has no column %s, expected the episodes of a search",
                                 path, names[c]);
    }
    if (lines->n < 2)
        return amc_error_set(err, "%s:2: is missing, expected at least one episode", path);
    table->n = lines->n - 1;
    table->episodes = amc_memory_alloc((size_t)table->n, sizeof *table->episodes);
    return read_rows(table, lines, columns, path, err);
}

amc_episode_table *amc_episode_table_load(const char *path, amc_error *err) {
    amc_text_lines lines;
    if (amc_text_lines_read(&lines, path, err) < 0) return NULL;
    amc_episode_table *table = amc_memory_alloc(1, sizeof *table);
    int status = read_table(table, &lines, path, err);
    amc_text_lines_clear(&lines);
    if (status == 0) return table;
    amc_episode_table_free(table);
    return NULL;
}

void amc_episode_table_free(amc_episode_table *table) {
    if (!table) return;
    free(table->episodes);
    free(table);
}
