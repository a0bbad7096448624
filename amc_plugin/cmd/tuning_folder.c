#include "cmd/tuning_folder.h"

#include "base/files.h"
#include "base/lock_file.h"
#include "base/memory.h"
#include "base/text_lines.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char HEADER[] = "epoch,accuracy\n";

// The epoch of a file's name, net_<epoch>.weights; 0 for others.
static int epoch_of(const char *name) {
    int epoch = 0, length = 0;
    bool is =
        sscanf(name, "net_%9d.weights%n", &epoch, &length) == 1 && length > 0 && !name[length];
    return is && epoch > 0 ? epoch : 0;
}

static bool is_whole(const amc_tuning_folder *folder, const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           (size_t)info.st_size == folder->weights_bytes;
}

static char *weights_path(const amc_tuning_folder *folder, int epoch) {
    return amc_memory_text("%s/net_%d.weights", folder->path, epoch);
}

char *amc_tuning_folder_weights(const amc_tuning_folder *folder, int epoch) {
    char *path = weights_path(folder, epoch);
    if (is_whole(folder, path)) return path;
    free(path);
    return NULL;
}

// Calls `visit` with the epoch and path of all weights that Darknet left.
static void each_epoch(const amc_tuning_folder *folder, void visit(void *, int, const char *),
                       void *context) {
    DIR *dir = opendir(folder->path);
    for (struct dirent *file; dir && (file = readdir(dir));) {
        int epoch = epoch_of(file->d_name);
        char *path = epoch ? weights_path(folder, epoch) : NULL;
        if (path) visit(context, epoch, path);
        free(path);
    }
    if (dir) closedir(dir);
}

// ---- opening and closing ------------------------------------------------------------------------

static char *folder_path(const char *result) {
    return amc_memory_text("%s.part", result);
}

static char *table_path(const char *folder) {
    return amc_memory_text("%s/epochs.csv", folder);
}

static void name_files(amc_tuning_folder *folder, const char *result) {
    char *path = folder->path = folder_path(result);
    folder->cfg = amc_memory_text("%s/net.cfg", path);
    folder->data = amc_memory_text("%s/train.data", path);
    folder->list = amc_memory_text("%s/train.list", path);
    folder->best = amc_memory_text("%s/best.weights", path);
    folder->end = amc_memory_text("%s/net.weights", path);
    folder->table = table_path(path);
    folder->log = amc_memory_text("%s/log", path);
}

static void free_folder(amc_tuning_folder *folder) {
    char *texts[] = {folder->path, folder->alias, folder->cfg, folder->data, folder->list,
                     folder->best, folder->table, folder->end, folder->log};
    if (folder->directory >= 0) close(folder->directory);
    if (folder->lock >= 0) close(folder->lock);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free(texts[i]);
    free(folder);
}

static void remove_before(void *context, int epoch, const char *path) {
    if (epoch < *(const int *)context) unlink(path);
}

// Whether it is a file's name, or that of its new contents where writing them was cut off.
static bool is_name_of(const char *name, const char *file) {
    size_t length = strlen(file);
    if (strncmp(name, file, length) != 0) return false;
    return !name[length] || (name[length] == '.' && strlen(name + length) == strlen(".XXXXXX"));
}

static bool is_ours(const amc_tuning_folder *folder, const char *name) {
    const char *files[] = {folder->cfg,  folder->data, folder->list,
                           folder->best, folder->end,  folder->log};
    size_t start = strlen(folder->path) + 1; // of the name in each
    bool ours = epoch_of(name) > 0 || strcmp(name, "net.backup") == 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        ours |= is_name_of(name, files[i] + start);
    return ours;
}

// All but the table, which is locked.
static void remove_files(const amc_tuning_folder *folder) {
    DIR *dir = opendir(folder->path);
    for (struct dirent *file; dir && (file = readdir(dir));)
        if (is_ours(folder, file->d_name)) unlinkat(dirfd(dir), file->d_name, 0);
    if (dir) closedir(dir);
}

static int append(const amc_tuning_folder *folder, const char *line, amc_error *err) {
    return amc_files_put(folder->lock, folder->table, line, strlen(line), err);
}

static const char BUSY[] = "a fine-tuning is going on there, expected it to end first";

// Darknet has room for 255 characters of a path, and takes blanks out of it.
static int name_alias(amc_tuning_folder *folder, amc_error *err) {
    folder->directory = open(folder->path, O_RDONLY | O_DIRECTORY);
    if (folder->directory < 0)
        return amc_error_set(err, "%s: can't be opened: %s", folder->path, strerror(errno));
    folder->alias = amc_memory_text("/proc/self/fd/%d", folder->directory);
    return 0;
}

static int begin(amc_tuning_folder *folder, bool resume, bool force, amc_error *err) {
    folder->lock = amc_lock_file_open(folder->table, BUSY, err);
    if (folder->lock < 0 || name_alias(folder, err) < 0) return -1;
    amc_tuning_state state;
    bool unfinished = amc_tuning_folder_state(folder, &state, err) < 0 || state.trained > 0;
    if (!unfinished && state.scored && !force)
        return amc_error_set(err,
                             "%s: holds an unfinished fine-tuning of another network; expected "
                             "-force to start anew",
                             folder->path);
    if (unfinished && !resume && !force)
        return amc_error_set(
            err,
            "%s: holds an unfinished fine-tuning of %d epoch%s; expected -resume to "
            "go on with it, or -force to start anew",
            folder->path, state.trained, state.trained == 1 ? "" : "s");
    if (unfinished && resume) return amc_tuning_folder_state(folder, &state, err);
    remove_files(folder);
    if (ftruncate(folder->lock, 0) < 0)
        return amc_error_set(err, "%s: can't be written: %s", folder->table, strerror(errno));
    return append(folder, HEADER, err);
}

amc_tuning_folder *amc_tuning_folder_open(const char *result, size_t weights_bytes, bool resume,
                                          bool force, amc_error *err) {
    amc_tuning_folder *folder = amc_memory_alloc(1, sizeof *folder);
    folder->weights_bytes = weights_bytes;
    folder->lock = folder->directory = -1;
    name_files(folder, result);
    if (amc_files_make_folder(folder->path, err) == 0 && begin(folder, resume, force, err) == 0)
        return folder;
    if (folder->lock >= 0)
        amc_tuning_folder_close(folder, false); // whatever was begun
    else
        free_folder(folder);
    return NULL;
}

// Of its files the table is the first that is made, and the last to go.
static char *table_of(const char *result) {
    char *folder = folder_path(result), *table = table_path(folder);
    free(folder);
    return table;
}

bool amc_tuning_folder_exists(const char *result) {
    char *table = table_of(result);
    bool exists = amc_files_exists(table);
    free(table);
    return exists;
}

int amc_tuning_folder_check_idle(const char *result, amc_error *err) {
    char *table = table_of(result);
    int lock = amc_files_exists(table) ? amc_lock_file_open(table, BUSY, err) : 0;
    if (lock > 0) close(lock);
    free(table);
    return lock < 0 ? -1 : 0;
}

void amc_tuning_folder_remove(const char *result) {
    amc_error err;
    if (amc_tuning_folder_exists(result))
        amc_tuning_folder_close(amc_tuning_folder_open(result, 0, false, true, &err), true);
}

void amc_tuning_folder_close(amc_tuning_folder *folder, bool done) {
    if (!folder) return;
    amc_tuning_state state;
    amc_error err;
    if (done ||
        (amc_tuning_folder_state(folder, &state, &err) == 0 && !state.trained && !state.scored)) {
        remove_files(folder);
        unlink(folder->table);
        rmdir(folder->path);
    }
    free_folder(folder);
}

// ---- epochs -------------------------------------------------------------------------------------

typedef struct last_epoch {
    const amc_tuning_folder *folder;
    int epoch; // the last one that is whole
} last_epoch;

static void find_last(void *context, int epoch, const char *path) {
    last_epoch *last = context;
    if (epoch > last->epoch && is_whole(last->folder, path)) last->epoch = epoch;
}

static int read_table(const amc_tuning_folder *folder, const amc_text_lines *lines,
                      amc_tuning_state *state, amc_error *err) {
    for (int i = 1; i < lines->n; i++) {
        int epoch, length = 0;
        double accuracy;
        int fields = sscanf(lines->line[i], "%9d,%lf%n", &epoch, &accuracy, &length);
        if (fields != 2 || lines->line[i][length] || epoch <= state->scored ||
            !(accuracy >= 0 && accuracy <= 1))
            return amc_error_set(err, "%s:%d: %s, expected a later epoch and its accuracy",
                                 folder->table, i + 1, lines->line[i]);
        state->scored = epoch;
        if (state->best && accuracy < state->accuracy) continue;
        state->best = epoch;
        state->accuracy = accuracy;
    }
    return 0;
}

int amc_tuning_folder_state(const amc_tuning_folder *folder, amc_tuning_state *state,
                            amc_error *err) {
    last_epoch last = {.folder = folder};
    each_epoch(folder, find_last, &last);
    *state = (amc_tuning_state){.trained = last.epoch};
    amc_text_lines lines;
    if (amc_text_lines_read(&lines, folder->table, err) < 0) return -1;
    int status = read_table(folder, &lines, state, err);
    amc_text_lines_clear(&lines);
    return status;
}

bool amc_tuning_folder_end(const amc_tuning_folder *folder, int epoch) {
    char *path = weights_path(folder, epoch);
    bool moved = rename(folder->end, path) == 0;
    free(path);
    return moved;
}

static void remove_after(void *context, int epoch, const char *path) {
    if (epoch > *(const int *)context) unlink(path);
}

void amc_tuning_folder_forget(const amc_tuning_folder *folder, int epoch) {
    each_epoch(folder, remove_after, &epoch);
}

static int keep_best(const amc_tuning_folder *folder, const char *path, amc_error *err) {
    size_t length;
    char *bytes = amc_files_read(path, &length, err);
    int status = bytes ? amc_files_write(folder->best, bytes, length, err) : -1;
    free(bytes);
    return status;
}

// The best weights first: whenever this ends early, the epoch counts as not scored.
int amc_tuning_folder_add(amc_tuning_folder *folder, int epoch, double accuracy, bool best,
                          amc_error *err) {
    char *path = weights_path(folder, epoch), line[40];
    int status = best ? keep_best(folder, path, err) : 0;
    free(path);
    snprintf(line, sizeof line, "%d,%.6f\n", epoch, accuracy);
    if (status == 0) status = append(folder, line, err);
    each_epoch(folder, remove_before, &epoch);
    return status;
}
