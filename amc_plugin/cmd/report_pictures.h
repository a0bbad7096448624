// The pictures of a report.

#ifndef AMC_CMD_REPORT_PICTURES_H
#define AMC_CMD_REPORT_PICTURES_H

#include "cmd/episode_table.h"
#include "cmd/result_file.h"

// The files of a report, of which the pictures come first and in this order; those after the first
// need episodes.
enum {
    AMC_REPORT_LAYERS,
    AMC_REPORT_EPISODES,
    AMC_REPORT_FRONT,
    AMC_REPORT_PAGE,
    AMC_REPORT_FILES
};
extern const char *const amc_report_files[AMC_REPORT_FILES];

// What each layer kept, before and after. -1 with err set.
int amc_report_draw_layers(const amc_result_file *result, const char *path, amc_error *err);

// Accuracy of every episode's plan, and of the best so far. -1 with err set.
int amc_report_draw_episodes(const amc_result_file *result, const amc_episode_table *table,
                             const char *path, amc_error *err);

// Accuracy against size of every plan seen, those that none beats in both, and what they are to be
// compared with. -1 with err set.
int amc_report_draw_front(const amc_result_file *result, const amc_episode_table *table,
                          const char *path, amc_error *err);

#endif
