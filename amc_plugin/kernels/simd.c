#include "kernels/simd.h"

bool amc_simd_stays_narrow;
