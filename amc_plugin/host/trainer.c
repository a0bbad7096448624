#include "host/trainer.h"

#include "base/files.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// In the new process, between fork and exec: nothing but system calls. It ends with its parent,
// which may have ended already.
static void become(char *const argv[], pid_t parent, int output, int log) {
    int input = open("/dev/null", O_RDONLY);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    signal(SIGINT, SIG_IGN); // Ctrl-C is for the process that started this one, which ends it
    if (input < 0 || dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        _exit(127);
    execv("/proc/self/exe", argv);
    _exit(127);
}

static pid_t start(char *const argv[], const char *log_path, FILE **output, amc_error *err) {
    int ends[2], log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (log < 0) return amc_error_set(err, "%s: can't be written: %s", log_path, strerror(errno));
    if (pipe2(ends, O_CLOEXEC) < 0) {
        close(log);
        return amc_error_set(err, "training can't be started: %s", strerror(errno));
    }
    pid_t parent = getpid(), child = fork();
    if (child == 0) become(argv, parent, ends[1], log);
    if (child < 0) amc_error_set(err, "training can't be started: %s", strerror(errno));
    close(log);
    close(ends[1]);
    *output = fdopen(ends[0], "r");
    if (child < 0 || !*output) {
        if (*output)
            fclose(*output);
        else
            close(ends[0]);
        return -1;
    }
    return child;
}

// "240, 0.683: 0.412345, 0.456789 avg, 0.049 rate, 0.151 seconds, 30720 images"
static bool parse(const char *line, amc_trainer_step *step) {
    return sscanf(line, "%d, %lf: %lf, %*f avg", &step->batch, &step->epoch, &step->loss) == 3;
}

// Reads what the training prints until it ends or is to end.
static bool follow(FILE *output, amc_trainer_watch *watch, void *context) {
    char *line = NULL;
    size_t room = 0;
    bool go_on = true;
    amc_trainer_step step;
    while (go_on && getline(&line, &room, output) >= 0)
        if (parse(line, &step)) go_on = watch(context, &step);
    free(line);
    return go_on;
}

static char *last_line(char *text) {
    char *newline = strrchr(text, '\n');
    return newline ? newline + 1 : text;
}

char *amc_trainer_last_words(const char *log) {
    amc_error err;
    size_t length;
    char *text = amc_files_read(log, &length, &err);
    if (!text) return amc_memory_text("%s", err.text);
    while (length > 0 && strchr(" \n\r\t", text[length - 1])) text[--length] = '\0';
    char *last = last_line(text);
    char *reason = strncmp(last, "STB Reason: ", strlen("STB Reason: ")) == 0 ? last : NULL;
    if (reason && last > text) {
        last[-1] = '\0';
        last = last_line(text);
    }
    char *words = reason && reason != last
                      ? amc_memory_text("%s: %s", last, reason + strlen("STB Reason: "))
                      : amc_memory_text("%s", last);
    free(text);
    return words;
}

int amc_trainer_run(char *const argv[], const char *log, amc_trainer_watch *watch, void *context,
                    amc_error *err) {
    FILE *output = NULL;
    pid_t child = start(argv, log, &output, err);
    if (child < 0) return -1;
    bool whole = follow(output, watch, context);
    if (!whole) kill(child, SIGTERM);
    fclose(output);
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (!whole) return 1;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    char *words = amc_trainer_last_words(log);
    amc_error_set(err, "Darknet's training ended early: %s", words);
    free(words);
    return -1;
}
