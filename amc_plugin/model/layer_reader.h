// Reads one section of a .cfg into a layer, with every check that Darknet leaves out. What
// layer_graph is built on.

#ifndef AMC_MODEL_LAYER_READER_H
#define AMC_MODEL_LAYER_READER_H

#include "model/layer_graph.h"

#define AMC_MOST_SIDE (1 << 16)         // pixels of an image's side; channels
#define AMC_MOST_FLOATS (INT32_MAX / 4) // in one array: Darknet counts bytes of some in an int

// Reads layer `index` (section index + 1) of `cfg`; graph holds the layers before it. -1 with err
// set ("file:line: ..."); what `layer` holds then is to be freed all the same.
int amc_layer_reader_read(const amc_cfg_text *cfg, int index, const amc_layer_graph *graph,
                          amc_layer *layer, amc_error *err);

// Refuses networks with recurrent layers, whose [net] is of another kind too. -1 with err set.
int amc_layer_reader_refuse_recurrent(const amc_cfg_text *cfg, amc_error *err);

#endif
