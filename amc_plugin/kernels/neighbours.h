// How many neighbouring channels of an image are gone over before the next image of a batch. Small
// maps taken channel by channel would be a line of the cache here and a line there.

#ifndef AMC_KERNELS_NEIGHBOURS_H
#define AMC_KERNELS_NEIGHBOURS_H

#include "kernels/integers.h"

enum { AMC_NEIGHBOURS_MOST = 512 }; // and so many floats, unless one channel has more

static inline int amc_neighbours(int channels, int pixels) {
    return amc_min(amc_max(AMC_NEIGHBOURS_MOST / pixels, 1), channels);
}

#endif
