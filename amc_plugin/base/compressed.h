// How small bytes become: what the zstd tool, without options, would make of a file that holds
// them. Nothing is written, and what is compressed is counted and thrown away, so memory stays
// bounded, whatever the length.

#ifndef AMC_BASE_COMPRESSED_H
#define AMC_BASE_COMPRESSED_H

#include "base/files.h"

// Bytes of one zstd frame, with its checksum, of n parts one after the other; where one ends and
// the next starts makes no difference.
size_t amc_compressed_size(const amc_files_part *parts, int n);

#endif
