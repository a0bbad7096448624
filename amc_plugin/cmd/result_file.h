// The result.json that search and prune leave beside a pruned network, and print with -json: what
// was pruned, to what, and how.

#ifndef AMC_CMD_RESULT_FILE_H
#define AMC_CMD_RESULT_FILE_H

#include "base/error.h"

#include <stdbool.h>

typedef struct amc_result_layer {
    const char *type; // "convolutional"
    int layer;        // its number
    double before;    // channels, or weights that aren't zero
    double after;
} amc_result_layer;

// A plan to compare with.
typedef struct amc_result_reference {
    const char *policy; // "uniform"
    double macs, params;
    double accuracy; // on the same images, as a share
} amc_result_reference;

// Texts belong to it; NULL, and numbers NAN, where the file doesn't say.
typedef struct amc_result_file {
    void *json; // what texts point into
    const char *command;
    const char *original_cfg, *original_weights, *cfg, *weights, *finetuned_weights;
    bool by_weights; // single weights were pruned
    double macs_before, macs, params_before, params, bytes_before, bytes;
    double accuracy_before, accuracy;              // on held-out training images
    double accuracy_in_search;                     // the same before the result was refitted
    double finetuned_accuracy;                     // the same after fine-tuning
    double test_accuracy, finetuned_test_accuracy; // on the test set
    double latency_before_ms, latency_ms;          // measured, an image
    int n_layers, n_references;
    amc_result_layer *layers;         // (n_layers)
    amc_result_reference *references; // (n_references)
} amc_result_file;

// NULL with err set if the file is missing or lacks what every result has.
amc_result_file *amc_result_file_load(const char *path, amc_error *err);
void amc_result_file_free(amc_result_file *result);

#endif
