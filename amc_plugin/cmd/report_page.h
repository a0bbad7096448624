// The page of a report: one HTML file that needs no other, its pictures in it.

#ifndef AMC_CMD_REPORT_PAGE_H
#define AMC_CMD_REPORT_PAGE_H

#include "cmd/result_file.h"

typedef struct amc_report_picture {
    const char *path; // of a PNG file
    const char *what; // says what is to be seen
} amc_report_picture;

// Writes the page to `path`. -1 with err set.
int amc_report_page_write(const amc_result_file *result, const amc_report_picture *pictures,
                          int n_pictures, const char *path, amc_error *err);

#endif
