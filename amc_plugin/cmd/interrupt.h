// Ctrl-C and SIGTERM during long work: the first is remembered, so that the work ends well; the
// second ends the program at once.
#ifndef AMC_CMD_INTERRUPT_H
#define AMC_CMD_INTERRUPT_H

#include <stdbool.h>

// From here on they are remembered, until amc_interrupt_release.
void amc_interrupt_catch(void);

void amc_interrupt_release(void);

// One came since the program began.
bool amc_interrupt_came(void);

#endif
