#include "base/files.h"
#include "base/memory.h"
#include "cmd/commands.h"
#include "cmd/options.h"
#include "cmd/report_page.h"
#include "cmd/report_pictures.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PICTURES = AMC_REPORT_PAGE };

static const char *const titles[PICTURES] = {
    "What each layer keeps", "Accuracy of the plans that the search tried, in their order",
    "Accuracy against size of the plans that the search tried"};

// What prune left has no episodes.
static int load_episodes(const char *folder, amc_episode_table **table, amc_error *err) {
    char *path = amc_memory_text("%s/episodes.csv", folder);
    bool there = amc_files_exists(path);
    *table = there ? amc_episode_table_load(path, err) : NULL;
    free(path);
    return there && !*table ? -1 : 0;
}

static int draw(const amc_result_file *result, const amc_episode_table *table, char **paths,
                amc_error *err) {
    if (amc_report_draw_layers(result, paths[AMC_REPORT_LAYERS], err) < 0) return -1;
    if (!table) return 0;
    if (amc_report_draw_episodes(result, table, paths[AMC_REPORT_EPISODES], err) < 0) return -1;
    return amc_report_draw_front(result, table, paths[AMC_REPORT_FRONT], err);
}

static void print_files(char **paths, int n, const char *page, bool as_json) {
    if (!as_json) {
        for (int i = 0; i < n; i++) printf("%s\n", paths[i]);
        printf("%s\n", page);
        return;
    }
    cJSON *json = cJSON_CreateObject(), *pictures = cJSON_AddArrayToObject(json, "pictures");
    for (int i = 0; i < n; i++) cJSON_AddItemToArray(pictures, cJSON_CreateString(paths[i]));
    cJSON_AddStringToObject(json, "page", page);
    amc_cmd_print_json(json);
    cJSON_Delete(json);
}

static int write_report(const amc_result_file *result, const amc_episode_table *table,
                        const char *folder, bool json, amc_error *err) {
    char *paths[AMC_REPORT_FILES];
    amc_report_picture pictures[PICTURES];
    for (int i = 0; i < AMC_REPORT_FILES; i++)
        paths[i] = amc_memory_text("%s/%s", folder, amc_report_files[i]);
    for (int i = 0; i < PICTURES; i++) pictures[i] = (amc_report_picture){paths[i], titles[i]};
    const char *page = paths[AMC_REPORT_PAGE];
    int n = table ? PICTURES : AMC_REPORT_EPISODES, status = draw(result, table, paths, err);
    if (status == 0) status = amc_report_page_write(result, pictures, n, page, err);
    if (status == 0) print_files(paths, n, page, json);
    for (int i = 0; i < AMC_REPORT_FILES; i++) free(paths[i]);
    return status;
}

// A search for several budgets leaves a folder for each. Always -1.
static int refuse_folder(const char *folder, amc_error *err) {
    char *pattern = amc_memory_text("%s/*/result.json", folder), *names = amc_memory_text("%s", "");
    glob_t found;
    bool several = glob(pattern, 0, NULL, &found) == 0;
    for (size_t i = 0; several && i < found.gl_pathc; i++) {
        const char *name = found.gl_pathv[i];
        char *longer = amc_memory_text("%s%s%.*s", names, i ? ", " : "one of ",
                                       (int)(strrchr(name, '/') - name), name);
        free(names);
        names = longer;
    }
    amc_error_set(err, "%s: holds no result.json, expected %s", folder,
                  several ? names : "the folder of a search or a pruning, as amc-out/<name>");
    if (several) globfree(&found);
    free(pattern);
    free(names);
    return -1;
}

static int run(const char *folder, bool json, amc_error *err) {
    char *path = amc_memory_text("%s/result.json", folder);
    amc_result_file *result = NULL;
    amc_episode_table *table = NULL;
    if (amc_files_exists(path))
        result = amc_result_file_load(path, err);
    else
        refuse_folder(folder, err);
    int status = result ? load_episodes(folder, &table, err) : -1;
    if (status == 0) status = write_report(result, table, folder, json, err);
    amc_episode_table_free(table);
    amc_result_file_free(result);
    free(path);
    return status;
}

int amc_cmd_report(int argc, char **argv) {
    bool json = false;
    const amc_option table[] = {AMC_OPTION_JSON(&json)};
    const amc_options options = {
        .command = "report",
        .operands = "<folder>",
        .summary = "Makes report.html, a page that needs no other file, and its pictures as PNG "
                   "files, of\nwhat search or prune left in a folder. Draws with gnuplot.",
        .options = table,
        .n_options = sizeof table / sizeof *table,
    };
    amc_files_given given;
    amc_error err;
    int status = amc_options_parse(&options, argc, argv, &given, &err);
    if (status) return status > 0 ? 0 : amc_cmd_fail(&err);
    return run(given.cfg, json, &err) < 0 ? amc_cmd_fail(&err) : 0;
}
