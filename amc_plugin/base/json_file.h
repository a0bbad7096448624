// JSON files of ours, which anybody may have edited.

#ifndef AMC_BASE_JSON_FILE_H
#define AMC_BASE_JSON_FILE_H

#include "base/error.h"

#include <cjson/cJSON.h>

// What the file holds, to be freed by cJSON_Delete(). NULL with err set if it can't be read or is
// not one JSON value and nothing more; `expected` says what it should hold ("a policy").
cJSON *amc_json_file_load(const char *path, const char *expected, amc_error *err);

// Replaces the file at `path`, as amc_files_write does; -1 with err set.
int amc_json_file_save(const char *path, const cJSON *json, amc_error *err);

// Adds the shortest decimal number that is this float, 0.92 and not 0.9200000166893005.
void amc_json_add_float(cJSON *object, const char *key, float value);

#endif
