#include "base/files.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *path, const char *what, amc_error *err) {
    return amc_error_set(err, "%s: %s: %s", path, what, strerror(errno));
}

int amc_files_open(const char *path, size_t *length, amc_error *err) {
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a pipe without writer would block
    if (file < 0) return fail(path, "can't be opened", err);
    struct stat info;
    if (fstat(file, &info) == 0 && S_ISREG(info.st_mode)) {
        *length = (size_t)info.st_size;
        return file;
    }
    close(file);
    return amc_error_set(err, "%s: expected a regular file", path);
}

int amc_files_take(int file, const char *path, void *bytes, size_t length, amc_error *err) {
    for (size_t done = 0; done < length;) {
        ssize_t got = read(file, (char *)bytes + done, length - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(path, "can't be read", err);
        if (got == 0) return amc_error_set(err, "%s: became shorter while it was read", path);
        done += (size_t)got;
    }
    return 0;
}

char *amc_files_read(const char *path, size_t *length, amc_error *err) {
    int file = amc_files_open(path, length, err);
    if (file < 0) return NULL;
    char *bytes = amc_memory_alloc(*length + 1, 1);
    if (amc_files_take(file, path, bytes, *length, err) < 0) {
        free(bytes);
        bytes = NULL;
    }
    close(file);
    return bytes;
}

static int write_all(int file, const char *bytes, size_t length) {
    for (size_t done = 0; done < length;) {
        ssize_t put = write(file, bytes + done, length - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return -1;
        done += (size_t)put;
    }
    return 0;
}

int amc_files_put(int file, const char *path, const void *bytes, size_t length, amc_error *err) {
    return write_all(file, bytes, length) < 0 ? fail(path, "can't be written", err) : 0;
}

static int write_parts(int file, const amc_files_part *parts, int n) {
    for (int i = 0; i < n; i++)
        if (write_all(file, parts[i].bytes, parts[i].length) < 0) return -1;
    return fsync(file);
}

int amc_files_write_parts(const char *path, const amc_files_part *parts, int n, amc_error *err) {
    char *temporary = amc_memory_text("%s.XXXXXX", path);
    int status = 0, file = mkostemp(temporary, O_CLOEXEC);
    if (file < 0) {
        status = fail(path, "can't be written", err);
    } else {
        mode_t mask = umask(0);
        umask(mask);
        bool written = write_parts(file, parts, n) == 0 && fchmod(file, 0666 & ~mask) == 0;
        if (close(file) < 0) written = false;
        if (!written || rename(temporary, path) < 0) {
            status = fail(path, "can't be written", err);
            unlink(temporary);
        }
    }
    free(temporary);
    return status;
}

int amc_files_write(const char *path, const void *bytes, size_t length, amc_error *err) {
    return amc_files_write_parts(path, &(amc_files_part){bytes, length}, 1, err);
}

int amc_files_make_folder(const char *path, amc_error *err) {
    char *part = amc_memory_text("%s", path);
    int status = 0;
    for (char *end = part; status == 0 && *end;) {
        end += strspn(end, "/");
        end += strcspn(end, "/");
        char kept = *end;
        *end = '\0';
        if (mkdir(part, 0777) < 0 && errno != EEXIST)
            status = fail(part, "the folder can't be made", err);
        *end = kept;
    }
    free(part);
    struct stat info;
    if (status == 0 && (stat(path, &info) < 0 || !S_ISDIR(info.st_mode)))
        status = amc_error_set(err, "%s: expected a folder", path);
    if (status == 0 && access(path, W_OK | X_OK) < 0)
        status = fail(path, "the folder can't be written to", err);
    return status;
}

bool amc_files_exists(const char *path) {
    return access(path, F_OK) == 0;
}

char *amc_files_stem(const char *path) {
    const char *slash = strrchr(path, '/');
    char *stem = amc_memory_text("%s", slash ? slash + 1 : path);
    char *dot = strrchr(stem, '.');
    if (dot && dot != stem) *dot = '\0';
    return stem;
}
