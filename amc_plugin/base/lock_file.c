#include "base/lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_regular(int file, const char *path, amc_error *err) {
    struct stat info;
    if (fstat(file, &info) == 0 && S_ISREG(info.st_mode)) return 0;
    return amc_error_set(err, "%s: expected a regular file, or none", path);
}

static int lock(int file, const char *path, const char *busy, amc_error *err) {
    if (flock(file, LOCK_EX | LOCK_NB) == 0) return 0;
    if (errno == EWOULDBLOCK) return amc_error_set(err, "%s: %s", path, busy);
    return amc_error_set(err, "%s: can't be locked: %s", path, strerror(errno));
}

bool amc_lock_file_is_at(int file, const char *path) {
    struct stat mine, there;
    return fstat(file, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
           mine.st_dev == there.st_dev;
}

// Who had it locked before may have removed it.
int amc_lock_file_open(const char *path, const char *busy, amc_error *err) {
    for (;;) {
        int file = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
        if (file < 0) return amc_error_set(err, "%s: can't be opened: %s", path, strerror(errno));
        bool locked = check_regular(file, path, err) == 0 && lock(file, path, busy, err) == 0;
        if (locked && amc_lock_file_is_at(file, path)) return file;
        close(file);
        if (!locked) return -1;
    }
}
