#include "cmd/options.h"

#include "base/memory.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_default(const amc_option *option) {
    if (option->kind == AMC_OPTION_INT) printf(" (default %d)", *(int *)option->value);
    if (option->kind == AMC_OPTION_NUMBER && isfinite(*(double *)option->value))
        printf(" (default %g)", *(double *)option->value);
    const char *text = option->kind == AMC_OPTION_TEXT ? *(const char **)option->value : NULL;
    if (text) printf(" (default %s)", text);
}

static const char *operands_of(const amc_options *options) {
    return options->operands ? options->operands : "<cfg> [weights]";
}

static void print_help(const amc_options *options) {
    printf("usage: darknet amc %s %s [options]\n\n%s\n\noptions:\n", options->command,
           operands_of(options), options->summary);
    for (int i = 0; i < options->n_options; i++) {
        const amc_option *option = &options->options[i];
        char left[64];
        snprintf(left, sizeof left, "-%s %s", option->name,
                 option->argument ? option->argument : "");
        printf("  %-18s %s", left, option->help);
        print_default(option);
        printf("\n");
    }
    printf("  %-18s %s\n", "-h", "show this help");
}

static int out_of_range(const amc_options *options, const amc_option *option, const char *text,
                        amc_error *err) {
    if (!*text) text = "\"\"";
    if (option->kind == AMC_OPTION_INT)
        return amc_error_set(err, "%s: -%s %s, expected an integer from %.0f to %.0f",
                             options->command, option->name, text, option->low, option->high);
    return amc_error_set(err, "%s: -%s %s, expected a number %s %g %s %g", options->command,
                         option->name, text, option->open ? "above" : "from", option->low,
                         option->open ? "and at most" : "to", option->high);
}

// Reads the number that ends at `stop`.
static int read_number(const amc_options *options, const amc_option *option, const char *text,
                       char stop, char **end, double *number, amc_error *err) {
    errno = 0;
    *number = strtod(text, end);
    bool whole = option->kind != AMC_OPTION_INT || *number == floor(*number);
    bool in_range = *number >= option->low && *number <= option->high &&
                    !(option->open && *number == option->low);
    if (*end == text || (**end && **end != stop) || errno || !whole || !in_range)
        return out_of_range(options, option, text, err);
    return 0;
}

static int set_number(const amc_options *options, const amc_option *option, const char *text,
                      amc_error *err) {
    char *end;
    double number;
    if (read_number(options, option, text, '\0', &end, &number, err) < 0) return -1;
    if (option->kind == AMC_OPTION_INT)
        *(int *)option->value = (int)number;
    else
        *(double *)option->value = number;
    return 0;
}

static int set_list(const amc_options *options, const amc_option *option, const char *text,
                    amc_error *err) {
    amc_option_list *list = option->value;
    const int room = sizeof list->values / sizeof *list->values;
    list->n = 0;
    for (char *end; text; text = *end ? end + 1 : NULL) {
        if (list->n == room)
            return amc_error_set(err, "%s: -%s has more than %d numbers", options->command,
                                 option->name, room);
        if (read_number(options, option, text, ',', &end, &list->values[list->n++], err) < 0)
            return -1;
    }
    return 0;
}

// An option where a text is due is a text forgotten.
static int set_text(const amc_options *options, const amc_option *option, const char *text,
                    amc_error *err) {
    if (!*text || *text == '-')
        return amc_error_set(err, "%s: -%s \"%s\", expected %s after it", options->command,
                             option->name, text, option->argument);
    *(const char **)option->value = text;
    return 0;
}

static int set_option(const amc_options *options, const amc_option *option, const char *text,
                      amc_error *err) {
    if (option->given) *option->given = true;
    if (option->kind == AMC_OPTION_FLAG) *(bool *)option->value = true;
    if (option->kind == AMC_OPTION_FLAG) return 0;
    if (option->kind == AMC_OPTION_TEXT) return set_text(options, option, text, err);
    if (option->kind == AMC_OPTION_LIST) return set_list(options, option, text, err);
    return set_number(options, option, text, err);
}

// getopt's view of the table, -h and -help added; ends with an empty entry.
static struct option *getopt_table(const amc_options *options) {
    struct option *table = amc_memory_alloc((size_t)options->n_options + 3, sizeof *table);
    for (int i = 0; i < options->n_options; i++) {
        bool flag = options->options[i].kind == AMC_OPTION_FLAG;
        table[i] = (struct option){options->options[i].name, flag ? no_argument : required_argument,
                                   NULL, 0};
    }
    table[options->n_options] = (struct option){"h", no_argument, NULL, 0};
    table[options->n_options + 1] = (struct option){"help", no_argument, NULL, 0};
    return table;
}

// Darknet's commands have it among their operands.
static bool is_data_file(const char *word) {
    const char *dot = strrchr(word, '.');
    return dot && strcmp(dot, ".data") == 0;
}

static int take_files(const amc_options *options, int argc, char **argv, amc_files_given *files,
                      amc_error *err) {
    int n = argc - optind;
    for (int i = optind; i < argc && !options->operands; i++)
        if (is_data_file(argv[i]))
            return amc_error_set(err, "%s: %s stands alone, expected -data before it",
                                 options->command, argv[i]);
    if (n < 1 || n > (options->operands ? 1 : 2))
        return amc_error_set(err, "%s: %d arguments, expected %s (see darknet amc %s -h)",
                             options->command, n, operands_of(options), options->command);
    files->cfg = argv[optind];
    files->weights = n == 2 ? argv[optind + 1] : NULL;
    return 0;
}

// A word that getopt doesn't take: the beginning of several options, or of none. Always -1.
static int refuse_word(const amc_options *options, const char *word, amc_error *err) {
    const char *name = word + strspn(word, "-");
    size_t length = strcspn(name, "=");
    char *fits = amc_memory_text("%s", "");
    int n = 0;
    for (int i = 0; i < options->n_options; i++) {
        if (strncmp(options->options[i].name, name, length) != 0) continue;
        char *more = amc_memory_text("%s%s-%s", fits, n++ ? " or " : "", options->options[i].name);
        free(fits);
        fits = more;
    }
    if (n > 1)
        amc_error_set(err, "%s: %s is short for several, expected %s", options->command, word,
                      fits);
    else
        amc_error_set(err, "%s: %s is not an option (see darknet amc %s -h)", options->command,
                      word, options->command);
    free(fits);
    return -1;
}

int amc_options_parse(const amc_options *options, int argc, char **argv, amc_files_given *files,
                      amc_error *err) {
    struct option *table = getopt_table(options);
    int status = 0, found = 0, index;
    optind = 0; // glibc: start afresh
    opterr = 0;
    while (status == 0 &&
           (index = 0, found = getopt_long_only(argc, argv, ":", table, &index)) != -1) {
        const char *word = argv[optind - 1];
        if (found == 0 && index >= options->n_options)
            status = 1;
        else if (found == 0)
            status = set_option(options, &options->options[index], optarg, err);
        else if (found == ':')
            status =
                amc_error_set(err, "%s: %s, expected a value after it", options->command, word);
        else
            status = refuse_word(options, word, err);
    }
    free(table);
    if (status == 1) print_help(options);
    if (status == 0) status = take_files(options, argc, argv, files, err);
    return status;
}
