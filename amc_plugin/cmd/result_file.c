#include "cmd/result_file.h"

#include "base/json_file.h"
#include "base/memory.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of(const cJSON *json, const char *key) {
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));
}

static double number_of(const cJSON *json, const char *key) {
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(json, key));
}

// Fills what the file says; what it doesn't say is NULL or NAN.
static void read_values(amc_result_file *r, const cJSON *json) {
    const char *granularity = text_of(json, "granularity");
    r->by_weights = granularity && strcmp(granularity, "weight") == 0;
    const struct {
        const char *key, **to;
    } texts[] = {{"command", &r->command},
                 {"original_cfg", &r->original_cfg},
                 {"original_weights", &r->original_weights},
                 {"finetuned_weights", &r->finetuned_weights},
                 {"cfg", &r->cfg},
                 {"weights", &r->weights}};
    const struct {
        const char *key;
        double *to;
    } numbers[] = {{"macs_before", &r->macs_before},
                   {"macs", &r->macs},
                   {"params_before", &r->params_before},
                   {"params", &r->params},
                   {r->by_weights ? "zstd_bytes_before" : "bytes_before", &r->bytes_before},
                   {r->by_weights ? "zstd_bytes" : "bytes", &r->bytes},
                   {"accuracy_before", &r->accuracy_before},
                   {"accuracy", &r->accuracy},
                   {"accuracy_in_search", &r->accuracy_in_search},
                   {"finetuned_accuracy", &r->finetuned_accuracy},
                   {"test_accuracy", &r->test_accuracy},
                   {"finetuned_test_accuracy", &r->finetuned_test_accuracy},
                   {"latency_ms_before", &r->latency_before_ms},
                   {"latency_ms", &r->latency_ms}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i].to = text_of(json, texts[i].key);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i].to = number_of(json, numbers[i].key);
}

static bool read_layers(amc_result_file *r, const cJSON *layers) {
    r->layers = amc_memory_alloc((size_t)cJSON_GetArraySize(layers), sizeof *r->layers);
    const cJSON *item;
    cJSON_ArrayForEach(item, layers) {
        amc_result_layer *layer = &r->layers[r->n_layers++];
        double number = number_of(item, "layer");
        layer->type = text_of(item, "type");
        layer->before = number_of(item, "before");
        layer->after = number_of(item, "after");
        if (!layer->type || !(number >= 0 && number < 1e6) || !(layer->before > 0) ||
            !(layer->after >= 0))
            return false;
        layer->layer = (int)number;
    }
    return true;
}

static bool read_references(amc_result_file *r, const cJSON *references) {
    r->references = amc_memory_alloc((size_t)cJSON_GetArraySize(references), sizeof *r->references);
    const cJSON *item;
    cJSON_ArrayForEach(item, references) {
        amc_result_reference *reference = &r->references[r->n_references++];
        *reference = (amc_result_reference){text_of(item, "policy"), number_of(item, "macs"),
                                            number_of(item, "params"), number_of(item, "accuracy")};
        if (!reference->policy || isnan(reference->macs) || isnan(reference->params) ||
            isnan(reference->accuracy))
            return false;
    }
    return true;
}

static int read_result(amc_result_file *r, const char *path, amc_error *err) {
    const cJSON *json = r->json;
    read_values(r, json);
    bool whole = r->command && r->original_cfg && r->original_weights && r->cfg && r->weights &&
                 r->macs_before > 0 && r->macs >= 0 && r->params_before > 0 && r->params >= 0 &&
                 r->bytes_before > 0 && r->bytes > 0;
    if (!whole || !read_layers(r, cJSON_GetObjectItemCaseSensitive(json, "layers")) ||
        !read_references(r, cJSON_GetObjectItemCaseSensitive(json, "references")))
        return amc_error_set(err, "%s: lacks what a result has, expected one of search or prune",
                             path);
    return 0;
}

amc_result_file *amc_result_file_load(const char *path, amc_error *err) {
    cJSON *json = amc_json_file_load(path, "a result of search or prune", err);
    if (!json) return NULL;
    amc_result_file *result = amc_memory_alloc(1, sizeof *result);
    result->json = json;
    if (read_result(result, path, err) == 0) return result;
    amc_result_file_free(result);
    return NULL;
}

void amc_result_file_free(amc_result_file *result) {
    if (!result) return;
    cJSON_Delete(result->json);
    free(result->layers);
    free(result->references);
    free(result);
}
