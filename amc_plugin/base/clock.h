// Wall time, for what is measured and shown to people; nothing is decided by it.

#ifndef AMC_BASE_CLOCK_H
#define AMC_BASE_CLOCK_H

// Seconds since some fixed moment, never running backwards.
double amc_clock_seconds(void);

#endif
