#include "cmd/device.h"

#include "base/memory.h"
#include "host/gpu.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void take_out(int *argc, char **argv, int i, int n) {
    memmove(argv + i, argv + i + n, (size_t)(*argc - i - n + 1) * sizeof *argv);
    *argc -= n;
}

static int take_index(int *argc, char **argv, int i, int *index, amc_error *err) {
    const char *text = i + 1 < *argc ? argv[i + 1] : "";
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < -1 || number > 1023)
        return amc_error_set(err, "-i \"%s\", expected the number of a GPU, or -1 for none", text);
    *index = (int)number;
    take_out(argc, argv, i, 2);
    return 0;
}

int amc_device_take(int *argc, char **argv, amc_error *err) {
    int index = 0;
    bool none = false;
    for (int i = 1; i < *argc;) {
        if (strcmp(argv[i], "-nogpu") == 0) {
            none = true;
            take_out(argc, argv, i, 1);
        } else if (strcmp(argv[i], "-i") == 0) {
            if (take_index(argc, argv, i, &index, err) < 0) return -1;
        } else {
            i++;
        }
    }
    amc_gpu_choose(none ? -1 : index);
    return 0;
}

int amc_device_start(int argc, char **argv, amc_error *err) {
    if (!amc_gpu_built()) return 0;
    char **copy = amc_memory_copy(argv, (size_t)argc + 1, sizeof *argv);
    int status = amc_device_take(&argc, copy, err);
    free(copy);
    return status < 0 ? -1 : amc_gpu_start(err);
}
