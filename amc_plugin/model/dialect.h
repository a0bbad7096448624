// The dialects of .cfg: what other forks of Darknet, AlexeyAB's and those that follow it above all,
// read and this one doesn't. Darknet ignores a key that it doesn't know ("Unused field", and not a
// word in [net]) and takes relu for an activation that it doesn't know: it would compute another
// network than the file's author did. Nothing else is checked here: what no fork reads passes, and
// so do the mistakes that layer_graph refuses.

#ifndef AMC_MODEL_DIALECT_H
#define AMC_MODEL_DIALECT_H

#include "model/cfg_text.h"

// -1 with err set to the first line that holds a section, key or value that only other forks read,
// whether or not it is their default ("mosaic=0"), and whether it matters in training only. 0 if
// there is none.
int amc_dialect_check(const amc_cfg_text *cfg, amc_error *err);

// The first line from `from` on, an index, whose key this Darknet reads in no section, "strid=2"
// say: it computes what it would without. cfg->n_lines if there is none.
int amc_dialect_unread(const amc_cfg_text *cfg, int from);

#endif
