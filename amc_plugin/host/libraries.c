#include "host/libraries.h"

#include <cblas.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Whose kernels OpenBLAS should take; NULL: those that it has taken.
static const char *better_core(void) {
#ifdef __x86_64__
    if (strcmp(openblas_get_corename(), "Prescott") != 0) return NULL;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return "SkylakeX";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
    return NULL;
}

// Whether it is set now and wasn't before; value: NULL for none.
static bool set(const char *name, const char *value) {
    return value && !getenv(name) && setenv(name, value, 0) == 0;
}

static void start_again(char **argv) {
    char path[4096]; // by its own name, which is what ps and killall show
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length < 0) return;
    path[length] = '\0';
    execv(path, argv); // only returns when it fails, which costs speed only
}

void amc_libraries_settle(char **argv) {
    bool spins = set("GOMP_SPINCOUNT", getenv("OMP_WAIT_POLICY") ? NULL : "4000");
    if (set("OPENBLAS_CORETYPE", better_core()) || spins) start_again(argv);
}
