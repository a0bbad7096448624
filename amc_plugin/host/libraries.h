// What OpenMP and OpenBLAS read from the environment before main.

#ifndef AMC_HOST_LIBRARIES_H
#define AMC_HOST_LIBRARIES_H

// First thing in main: starts the program once more where a variable has to be set that nobody has
// set.
//
// GOMP_SPINCOUNT (unless there is OMP_WAIT_POLICY) makes waiting threads sleep: by default they
// spin for milliseconds, which halves the speed wherever Darknet's image loaders or anybody else
// want the processor too.
//
// OPENBLAS_CORETYPE: what OpenBLAS takes a processor for that is newer than itself has vectors of
// four floats, Prescott, a fifth of the speed of kernels for the vectors that there are.
void amc_libraries_settle(char **argv);

#endif
