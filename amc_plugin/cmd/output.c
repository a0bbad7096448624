#include "cmd/output.h"

#include "base/files.h"
#include "base/hash.h"
#include "base/json_file.h"
#include "base/memory.h"
#include "cmd/report_pictures.h"
#include "cmd/tuning.h"
#include "cmd/tuning_folder.h"
#include "model/slice.h"
#include "model/weight_policy.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 5
#define STAGING ".part-" // what names of staging folders begin with

// The files of a result, in the order in which they are moved into place.
static void list_files(const amc_output *output, const char *files[FILES]) {
    files[0] = output->weights_path;
    files[1] = output->cfg_path;
    files[2] = output->policy_path;
    files[3] = output->episodes_path;
    files[4] = output->json_path;
}

static char *staged(const amc_output *output, const char *path) {
    return amc_memory_text("%s%s", output->staging, strrchr(path, '/'));
}

static bool is_same_file(const char *a, const char *b) {
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

// What is pruned may be an older result; it isn't to be lost.
static int check_input(const amc_output *output, const char *file, amc_error *err) {
    const amc_network *network = output->network;
    if (!is_same_file(file, network->weights_path) && !is_same_file(file, network->cfg_path))
        return 0;
    return amc_error_set(err, "%s: is what is to be pruned, expected another -out folder", file);
}

static int check_inputs(const amc_output *output, amc_error *err) {
    if (check_input(output, output->finetuned_path, err) < 0 ||
        check_input(output, output->weights_path, err) < 0)
        return -1;
    return check_input(output, output->cfg_path, err);
}

// Whether the result may be put in place: nothing is there, or it may be replaced, and nobody is
// training it.
static int check_targets(const amc_output *output, const char *options, amc_error *err) {
    const char *files[FILES];
    struct stat info;
    list_files(output, files);
    for (int i = 0; i < FILES; i++) {
        if (stat(files[i], &info) < 0) continue;
        if (!output->replace)
            return amc_error_set(err,
                                 "%s: a result is there already; expected %s or another -out "
                                 "folder",
                                 files[i], options);
        if (!S_ISREG(info.st_mode))
            return amc_error_set(err, "%s: expected a regular file to replace, or none", files[i]);
    }
    return amc_tuning_folder_check_idle(output->finetuned_path, err);
}

// The outermost of a path's folders that isn't there, new text; NULL if all are.
static char *outermost_missing(const char *path) {
    for (size_t end = 0; path[end];) {
        end += strspn(path + end, "/");
        end += strcspn(path + end, "/");
        char *part = amc_memory_text("%.*s", (int)end, path);
        if (!amc_files_exists(part)) return part;
        free(part);
    }
    return NULL;
}

// Removes the folder and those above it up to `outermost`, as far as they are empty.
static void remove_folders(const char *folder, const char *outermost) {
    char *path = amc_memory_text("%s", folder), *slash = path;
    for (rmdir(path); slash && strcmp(path, outermost) != 0; rmdir(path)) {
        slash = strrchr(path, '/');
        if (slash) *slash = '\0';
    }
    free(path);
}

// Removes a staging folder with what is in it.
static void remove_staging(const char *staging) {
    DIR *folder = opendir(staging);
    for (const struct dirent *entry; folder && (entry = readdir(folder));)
        unlinkat(dirfd(folder), entry->d_name, 0); // . and .. are refused
    if (folder) closedir(folder);
    rmdir(staging);
}

static int make_staging(amc_output *output, amc_error *err) {
    char *path = amc_memory_text("%s/" STAGING "XXXXXX", output->folder);
    if (mkdtemp(path)) {
        output->staging = path;
        return 0;
    }
    int status = amc_error_set(err, "%s: the folder can't be written to: %s", output->folder,
                               strerror(errno));
    free(path);
    return status;
}

static char *folder_text(const amc_network *network, const char *folder) {
    if (!folder) return amc_memory_text("amc-out/%s", network->name);
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/') length--;
    return amc_memory_text("%.*s", (int)length, folder);
}

amc_output *amc_output_new(const amc_network *network, amc_granularity granularity,
                           const char *folder, amc_error *err) {
    amc_output *output = amc_memory_alloc(1, sizeof *output);
    const char *name = network->name;
    output->network = network;
    output->granularity = granularity;
    output->folder = folder_text(network, folder);
    output->cfg_path = amc_memory_text("%s/%s-amc.cfg", output->folder, name);
    output->weights_path = amc_memory_text("%s/%s-amc.weights", output->folder, name);
    output->policy_path = amc_memory_text("%s/policy.json", output->folder);
    output->episodes_path = amc_memory_text("%s/episodes.csv", output->folder);
    output->json_path = amc_memory_text("%s/result.json", output->folder);
    output->finetuned_path = amc_memory_text("%s/%s-amc-finetuned.weights", output->folder, name);
    output->checkpoint_path = amc_memory_text("%s/checkpoint", output->folder);
    output->made = outermost_missing(output->folder);
    if (amc_files_make_folder(output->folder, err) == 0) return output;
    amc_output_free(output);
    return NULL;
}

static void drop_staging(amc_output *output) {
    if (output->staging) remove_staging(output->staging);
    free(output->staging);
    output->staging = NULL;
}

void amc_output_free(amc_output *output) {
    if (!output) return;
    drop_staging(output);
    if (output->made) remove_folders(output->folder, output->made);
    free(output->made);
    free(output->folder);
    free(output->cfg_path);
    free(output->weights_path);
    free(output->policy_path);
    free(output->episodes_path);
    free(output->json_path);
    free(output->finetuned_path);
    free(output->checkpoint_path);
    free(output);
}

int amc_output_check(amc_output *output, bool replace, const char *options, amc_error *err) {
    output->replace = replace;
    if (check_targets(output, options, err) < 0 || check_inputs(output, err) < 0 ||
        make_staging(output, err) < 0)
        return -1;
    drop_staging(output); // it was only to see whether it can be made
    return 0;
}

void amc_output_sweep(const amc_output *output) {
    DIR *folder = opendir(output->folder);
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strncmp(entry->d_name, STAGING, strlen(STAGING)) != 0) continue;
        char *path = amc_memory_text("%s/%s", output->folder, entry->d_name);
        remove_staging(path);
        free(path);
    }
    if (folder) closedir(folder);
}

static int write_policy(const amc_network *network, const amc_pruned *pruned, const char *path,
                        amc_error *err) {
    if (pruned->plan)
        return amc_prune_plan_save(pruned->plan, network->graph, network->groups, path, err);
    amc_prune_space *space = amc_network_space(network, AMC_GRANULARITY_WEIGHT);
    int status = amc_weight_policy_save(space, pruned->counts, path, err);
    amc_prune_space_free(space);
    return status;
}

static int write_files(const amc_output *output, const amc_pruned *pruned, const char *episodes,
                       char *paths[FILES], amc_error *err) {
    const amc_network *network = output->network;
    amc_cfg_text *cfg = amc_slice_cfg(network->cfg, network->graph, pruned->graph);
    bool written = amc_weights_save(pruned->weights, pruned->graph, paths[0], err) == 0 &&
                   amc_cfg_text_save(cfg, paths[1], err) == 0 &&
                   write_policy(network, pruned, paths[2], err) == 0 &&
                   (!episodes || amc_files_write(paths[3], episodes, strlen(episodes), err) == 0);
    amc_cfg_text_free(cfg);
    return written ? 0 : -1;
}

int amc_output_stage(amc_output *output, const amc_pruned *pruned, const char *episodes,
                     amc_error *err) {
    const char *files[FILES];
    char *paths[FILES];
    list_files(output, files);
    if (make_staging(output, err) < 0) return -1;
    for (int i = 0; i < FILES; i++) paths[i] = staged(output, files[i]);
    int status = write_files(output, pruned, episodes, paths, err);
    for (int i = 0; i < FILES; i++) free(paths[i]);
    return status;
}

amc_network *amc_output_read_back(const amc_output *output, amc_error *err) {
    char *cfg = staged(output, output->cfg_path), *weights = staged(output, output->weights_path);
    amc_network *network = amc_network_load(cfg, weights, AMC_WEIGHTS_NEEDED, err);
    free(cfg);
    free(weights);
    return network;
}

static int stage_json(const amc_output *output, const cJSON *json, amc_error *err) {
    char *path = staged(output, output->json_path);
    int status = amc_json_file_save(path, json, err);
    free(path);
    return status;
}

// Whether what is staged in the place of a file is what is there.
static bool is_unchanged(const amc_output *output, const char *file) {
    uint64_t old = AMC_HASH_START, new = AMC_HASH_START;
    amc_error err;
    char *path = staged(output, file);
    bool there = amc_hash_file(&old, file, &err) == 0;
    bool comes = amc_hash_file(&new, path, &err) == 0;
    free(path);
    return there == comes && old == new;
}

// What shows another result, or other plans.
static void remove_report(const amc_output *output) {
    for (int i = 0; i < AMC_REPORT_FILES; i++) {
        char *path = amc_memory_text("%s/%s", output->folder, amc_report_files[i]);
        unlink(path);
        free(path);
    }
}

// Weights that don't belong to the network any more, and what there is of unfinished ones.
static void remove_finetuned(const amc_output *output) {
    unlink(output->finetuned_path);
    amc_tuning_folder_remove(output->finetuned_path);
}

// Where the network is the one that was there, so is what came of training it.
static void keep_finetuned(const amc_output *output, cJSON *json) {
    amc_error err;
    cJSON *old = amc_json_file_load(output->json_path, "a result", &err);
    amc_tuning_move_json(old, json);
    cJSON_Delete(old);
}

// A file's new contents take the place of the old, or nothing does where there are none. What was
// there keeps a second name, `old`, if the file system has such; *absent says that nothing was.
static int put_in_place(const char *new, const char *file, const char *old, bool *absent,
                        amc_error *err) {
    bool replaces = amc_files_exists(new);
    *absent = link(file, old) < 0 && errno == ENOENT;
    if (replaces ? rename(new, file) == 0 : unlink(file) == 0 || errno == ENOENT) return 0;
    return amc_error_set(err, "%s: can't be written: %s", file, strerror(errno));
}

// Moves all files of the result into place, or none.
static int put_all_in_place(const amc_output *output, amc_error *err) {
    const char *files[FILES];
    list_files(output, files);
    bool absent[FILES];
    int done = 0, status = 0;
    while (done < FILES && status == 0) {
        char *new = staged(output, files[done]), *old = amc_memory_text("%s.old", new);
        status = put_in_place(new, files[done], old, &absent[done], err);
        if (status == 0) done++;
        free(new);
        free(old);
    }
    for (int i = 0; i < done && status < 0; i++) {
        char *new = staged(output, files[i]), *old = amc_memory_text("%s.old", new);
        int undone = absent[i] ? unlink(files[i]) : rename(old, files[i]);
        (void)undone; // what else could be done?
        free(new);
        free(old);
    }
    return status;
}

int amc_output_publish(amc_output *output, cJSON *json, amc_error *err) {
    bool same = is_unchanged(output, output->weights_path);
    bool reported = same && is_unchanged(output, output->episodes_path);
    if (same) keep_finetuned(output, json);
    if (stage_json(output, json, err) < 0 ||
        check_targets(output, "-force", err) < 0 || // once more: a search takes its time
        put_all_in_place(output, err) < 0)
        return -1;
    drop_staging(output);
    if (!reported) remove_report(output);
    if (!same) remove_finetuned(output);
    // A search that went on from an older result's checkpoint would replace this one.
    if (!amc_files_exists(output->episodes_path)) unlink(output->checkpoint_path);
    free(output->made);
    output->made = NULL; // the folders stay
    return 0;
}
