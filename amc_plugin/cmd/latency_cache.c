#include "cmd/latency_cache.h"

#include "base/files.h"
#include "base/memory.h"
#include "cmd/commands.h"
#include "host/hooks.h"
#include "host/latency_survey.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 8 }; // that measuring a small network takes

// ---- where --------------------------------------------------------------------------------------

// As /proc/cpuinfo has it, new text.
static char *processor_name(void) {
    char line[512], name[256] = "processor";
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "model name : %255[^\n]", name) == 1) break;
    if (file) fclose(file);
    return amc_memory_text("%s", name);
}

// As a file's name may have it: letters, digits and dashes, in place.
static void simplify(char *name) {
    char *to = name;
    for (const char *from = name; *from; from++) {
        if (isalnum((unsigned char)*from))
            *to++ = *from;
        else if (to > name && to[-1] != '-')
            *to++ = '-';
    }
    *to = '\0';
}

// New text; NULL where the environment names no folder.
static char *cache_folder(void) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (cache && *cache == '/') return amc_memory_text("%s/darknet-amc", cache);
    return home && *home ? amc_memory_text("%s/.cache/darknet-amc", home) : NULL;
}

static char *cache_path(const char *folder, int threads) {
    char *name = processor_name();
    simplify(name);
    char *path = amc_memory_text("%s/latency-%s-%d.json", folder, name, threads);
    free(name);
    return path;
}

// ---- reading and writing ------------------------------------------------------------------------

// What is there of this processor and these kernels; an empty table if that is nothing.
static amc_latency_table *read_cache(const char *path) {
    amc_error err = {""};
    amc_latency_table *table = NULL;
    if (amc_files_exists(path)) table = amc_latency_table_load(path, amc_hooks_kernels(), &err);
    if (*err.text) fprintf(stderr, "amc: %s; measuring anew\n", err.text);
    return table ? table : amc_latency_table_new();
}

static void write_cache(const amc_latency_table *table, const char *folder, const char *path) {
    amc_error err;
    if (amc_files_make_folder(folder, &err) < 0 ||
        amc_latency_table_save(table, path, amc_hooks_kernels(), &err) < 0)
        fprintf(stderr, "warning: %s; what was measured is not kept\n", err.text);
}

// ---- measuring ----------------------------------------------------------------------------------

static bool is_complete(const amc_latency_table *table, const amc_network *network) {
    const amc_latency_grid **grids = amc_latency_table_of(table, network->graph, network->cfg);
    bool complete = true;
    for (int l = 0; l < network->graph->n; l++) complete = complete && grids[l];
    free(grids);
    return complete;
}

static void show(void *context, int done, int all) {
    bool terminal = *(const bool *)context;
    if (terminal)
        fprintf(stderr, "\rmeasuring latency: %d%%\033[K%s", (int)(100.0 * done / all),
                done == all ? "\r\033[K" : "");
}

static int survey(amc_latency_table *table, const amc_network *network, amc_latency_options options,
                  amc_error *err) {
    bool terminal = isatty(STDERR_FILENO) && !options.quiet;
    if (!options.quiet)
        fprintf(stderr,
                "measuring how long the layers of %s take on %d %s; it is kept for next time\n",
                network->cfg_path, options.threads, options.threads == 1 ? "thread" : "threads");
    return amc_latency_survey_run(table, network->cfg, network->graph, SECONDS, show, &terminal,
                                  err);
}

amc_latency_table *amc_latency_cache_load(const amc_network *network, amc_latency_options options,
                                          amc_error *err) {
    char *folder = cache_folder(), *path = folder ? cache_path(folder, options.threads) : NULL;
    amc_latency_table *table = path ? read_cache(path) : amc_latency_table_new();
    amc_cmd_use_threads(options.threads);
    if (options.remeasure || !is_complete(table, network)) {
        if (survey(table, network, options, err) < 0) {
            amc_latency_table_free(table);
            table = NULL;
        } else if (path) {
            write_cache(table, folder, path);
        }
    }
    free(path);
    free(folder);
    return table;
}
