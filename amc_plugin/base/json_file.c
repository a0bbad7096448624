#include "base/json_file.h"

#include "base/files.h"
#include "base/memory.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int line_of(const char *text, const char *at) {
    int line = 1;
    for (; text < at; text++) line += *text == '\n';
    return line;
}

cJSON *amc_json_file_load(const char *path, const char *expected, amc_error *err) {
    size_t length;
    char *text = amc_files_read(path, &length, err);
    if (!text) return NULL;
    const char *end = text;                                                // of what is JSON
    cJSON *json = cJSON_ParseWithLengthOpts(text, length + 1, &end, true); // with its NUL
    if (!json)
        amc_error_set(err, "%s:%d: is not JSON, expected %s", path, line_of(text, end), expected);
    free(text);
    return json;
}

int amc_json_file_save(const char *path, const cJSON *json, amc_error *err) {
    char *printed = cJSON_Print(json), *text = amc_memory_text("%s\n", printed);
    int status = amc_files_write(path, text, strlen(text), err);
    cJSON_free(printed);
    free(text);
    return status;
}

void amc_json_add_float(cJSON *object, const char *key, float value) {
    char text[32];
    double number = value;
    for (int digits = 1; digits <= FLT_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        number = strtod(text, NULL);
        if ((float)number == value) break;
    }
    cJSON_AddNumberToObject(object, key, number);
}
