#include "cmd/picture.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

// Large enough to be read when a page shows it at half its size.
static const char LOOK[] = "set terminal pngcairo size 1600,900 font 'DejaVu Sans,22' linewidth 2\n"
                           "set grid lc rgb '#cccccc' lw 0.7\n"
                           "set border 3 lc rgb '#555555'\n"
                           "set tics nomirror\n"
                           "set key above center horizontal samplen 2\n"
                           "set encoding utf8\n";

struct amc_picture {
    char *path, *part; // where it goes, and where gnuplot draws it
    FILE *script;      // writes to text
    char *text;
    size_t length;
};

amc_picture *amc_picture_new(const char *path) {
    amc_picture *picture = amc_memory_alloc(1, sizeof *picture);
    picture->path = amc_memory_text("%s", path);
    picture->part = amc_memory_text("%s.part", path);
    picture->script = amc_memory_stream(&picture->text, &picture->length);
    fputs(LOOK, picture->script);
    return picture;
}

FILE *amc_picture_script(amc_picture *picture) {
    return picture->script;
}

static void free_picture(amc_picture *picture) {
    free(picture->path);
    free(picture->part);
    free(picture->text);
    free(picture);
}

// The file that gnuplot draws to is its stdout: no name has to be quoted.
static int start(const amc_picture *picture, int script, int output, pid_t *child, amc_error *err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, script, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    char *argv[] = {"gnuplot", NULL};
    int reason = posix_spawnp(child, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (reason == 0) return 0;
    return amc_error_set(err, "%s: can't be drawn: gnuplot: %s; expected it installed",
                         picture->path, strerror(reason));
}

static int run_gnuplot(const amc_picture *picture, int output, amc_error *err) {
    int script = memfd_create("script", MFD_CLOEXEC), status = -1;
    pid_t child;
    if (script < 0 || write(script, picture->text, picture->length) != (ssize_t)picture->length ||
        lseek(script, 0, SEEK_SET) != 0)
        amc_error_set(err, "%s: can't be drawn: %s", picture->path, strerror(errno));
    else
        status = start(picture, script, output, &child, err);
    if (script >= 0) close(script);
    if (status < 0) return -1;
    int ended;
    while (waitpid(child, &ended, 0) < 0 && errno == EINTR) continue;
    struct stat info;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0 && fstat(output, &info) == 0 && info.st_size)
        return 0;
    return amc_error_set(err, "%s: gnuplot could not draw it, or the disk is full", picture->path);
}

int amc_picture_draw(amc_picture *picture, amc_error *err) {
    amc_memory_stream_close(picture->script);
    int output = open(picture->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int status =
        output < 0 ? amc_error_set(err, "%s: can't be written: %s", picture->part, strerror(errno))
                   : run_gnuplot(picture, output, err);
    if (output >= 0) close(output);
    if (status == 0 && rename(picture->part, picture->path) < 0)
        status = amc_error_set(err, "%s: can't be written: %s", picture->path, strerror(errno));
    if (status < 0) unlink(picture->part);
    free_picture(picture);
    return status;
}
