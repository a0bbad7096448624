// What a shortcut adds to the output of the layer before it. Where errors have come in by the
// shortcut, the layer's filters can make up for them as well: it is the sum that has to come out
// right (He, Zhang and Sun 2017, section 3.3, multi-branch networks).

#ifndef AMC_HOST_ADDEND_H
#define AMC_HOST_ADDEND_H

#include "host/calibrator.h"

// The shortcut that adds to what layer l computes, if nothing else reads that and no activation
// comes between; -1 if there is none.
int amc_addend_shortcut(const amc_calibrator *calibrator, const amc_layer_graph *graph, int l);

// What it adds at the places of patch_rows, in the layer's own units: (images * places, out_c), new
// memory. The layer that it adds has to have run; `graph` has the shapes of that run.
float *amc_addend_read(const amc_calibrator *calibrator, const amc_layer_graph *graph, int l,
                       int places);

#endif
