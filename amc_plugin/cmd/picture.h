// Pictures as PNG files, drawn by gnuplot.

#ifndef AMC_CMD_PICTURE_H
#define AMC_CMD_PICTURE_H

#include "base/error.h"

#include <stdio.h>

typedef struct amc_picture amc_picture;

// A picture that is going to be a file at `path`, in the look that all of them share.
amc_picture *amc_picture_new(const char *path);

// What gnuplot is told: commands, and data as named blocks ($name << END ... END).
FILE *amc_picture_script(amc_picture *picture);

// Draws it and frees it. -1 with err set if gnuplot is missing or fails; a file that was there is
// as it was then.
int amc_picture_draw(amc_picture *picture, amc_error *err);

#endif
