// One sentence about what went wrong. A function that can fail because of the user's file, option
// or data takes an `amc_error *err`, fills it, and returns -1 or NULL; only cmd/ prints it.

#ifndef AMC_BASE_ERROR_H
#define AMC_BASE_ERROR_H

typedef struct amc_error {
    char text[1024]; // "cfg/net.cfg:12: filters=-3, expected a positive integer"; "" when unset
} amc_error;

// Fills `err` (printf-style) and returns -1, so that callers can `return amc_error_set(...)`.
// A text that is too long is cut. `err` may not be NULL.
int amc_error_set(amc_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
