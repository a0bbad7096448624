// What there is to say about the result of search and prune: as JSON, to read, and how to go on
// with it.

#ifndef AMC_CMD_SUMMARY_H
#define AMC_CMD_SUMMARY_H

#include "cmd/output.h"

// As a JSON object (see result_file.h): the command line, the paths, costs before and after, bytes
// of the weights file (of single weights zstd_bytes, when it is compressed), and what each layer
// kept.
cJSON *amc_summary_json(const amc_output *output, const amc_network *pruned);

// Prints what each layer kept, and the totals.
void amc_summary_print(const amc_output *output, const amc_network *pruned);

// Prints the commands that fine-tune and validate the result with this program, or those of
// detectors for a network that ends in one, as the last lines of stdout and as a shell reads them;
// before them one that makes the .data file's backup folder, if that is missing. move: between them
// one that moves what training leaves beside the .cfg, lest the next result's replace it.
void amc_summary_print_commands(const amc_output *output, const char *data_path, bool move);

#endif
