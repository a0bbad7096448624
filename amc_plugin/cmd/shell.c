#include "cmd/shell.h"

#include "base/memory.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **kept; // (kept_n)
static int kept_n;

char *amc_shell_word(const char *word) {
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+@%,";
    if (*word && word[strspn(word, plain)] == '\0') return amc_memory_text("%s", word);
    char *quoted = amc_memory_alloc(4 * strlen(word) + 3, 1), *end = stpcpy(quoted, "'");
    for (; *word; word++) {
        if (*word == '\'')
            end = stpcpy(end, "'\\''");
        else
            *end++ = *word;
    }
    stpcpy(end, "'");
    return quoted;
}

void amc_shell_keep(int argc, char **argv) {
    free(kept);
    kept = amc_memory_copy(argv, (size_t)argc, sizeof *argv); // the words themselves stay
    kept_n = argc;
}

static void add_word(FILE *to, const char *word) {
    char *quoted = amc_shell_word(word);
    fprintf(to, "%s%s", ftell(to) > 0 ? " " : "", quoted);
    free(quoted);
}

// Options may be cut short as far as no other begins so.
static bool is_option(const char *word, const char *name, size_t least) {
    size_t dashes = strspn(word, "-"), length = strlen(word + dashes);
    return dashes > 0 && length >= least && strncmp(word + dashes, name, length) == 0;
}

static bool is_left_out(const char *word, const char *more) {
    return is_option(word, "resume", strlen("res")) ||
           (more && is_option(word, "remeasure", strlen("rem")));
}

char *amc_shell_line(const char *more) {
    char *line;
    size_t length;
    FILE *to = amc_memory_stream(&line, &length);
    for (int i = 0; i < kept_n; i++)
        if (!is_left_out(kept[i], more)) add_word(to, kept[i]);
    if (more) add_word(to, more);
    amc_memory_stream_close(to);
    return line;
}
