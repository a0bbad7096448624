#include "cmd/interrupt.h"

#include <signal.h>

static volatile sig_atomic_t came;

static void remember(int number) {
    came = 1;
    signal(number, SIG_DFL);
}

static void handle(void (*handler)(int)) {
    signal(SIGINT, handler);
    signal(SIGTERM, handler);
}

void amc_interrupt_catch(void) {
    handle(remember);
}

void amc_interrupt_release(void) {
    handle(SIG_DFL);
}

bool amc_interrupt_came(void) {
    return came;
}
