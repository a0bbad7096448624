// How small bytes become: what `zstd -19` would make of a file that holds them. Nothing is written,
// and what is compressed is counted and thrown away, so memory stays bounded (some 90 MB, whatever
// the length). It is slow: a second for 1 or 2 MB of weights.

#ifndef AMC_BASE_COMPRESSED_H
#define AMC_BASE_COMPRESSED_H

#include "base/files.h"

// Bytes of one zstd frame, with its checksum, of n parts one after the other; where one ends and
// the next starts makes no difference.
size_t amc_compressed_size(const amc_files_part *parts, int n);

#endif
