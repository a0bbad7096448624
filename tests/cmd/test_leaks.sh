#!/usr/bin/env bash
# The commands under valgrind: nothing is lost, and nothing is read that isn't there or was never set. Parsing and
# freeing by Darknet is part of it: of what its free_network leaves behind, host/ frees the rest.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"
case $DARKNET in
*/build/*/bin/darknet) tool=${DARKNET%/bin/darknet}/tests/support/random_weights ;;
*) tool=$root/build/release/tests/support/random_weights ;;
esac
export OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=1
# Else the program starts itself again.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT-4000} OPENBLAS_CORETYPE=${OPENBLAS_CORETYPE-Prescott}
readonly LOST=9 # valgrind's exit status where it found something

watched() { # program argument...
    timeout 120 valgrind -q --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --suppressions="$root/tests/valgrind.supp" \
        --num-callers=30 --error-exitcode=$LOST "$@" >"$work.out" 2>"$work.err" </dev/null
}

# clean NAME STATUS ARGS...: amc ARGS ends with that status, 0 or 1, and valgrind has nothing to say.
clean() {
    watched "$DARKNET" amc "${@:3}"
    local status=$?
    check "$1" "exit status $status: $(grep -m 12 '^==' "$work.err" || tail -n 1 "$work.err")" [ $status = "$2" ]
}

# Layers that cfg/tiny.cfg hasn't, as far as Darknet runs them on the CPU.
write_kinds() {
    cat >cfg/kinds.cfg <<'CFG'
[net]
height=8
width=8
channels=3
[crop]
crop_height=8
crop_width=8
noadjust=1
[convolutional]
filters=8
size=3
pad=1
activation=tanh
[batchnorm]
[activation]
activation=relu
[reorg]
stride=2
[upsample]
stride=2
[l2norm]
[normalization]
size=3
[local]
filters=4
size=3
activation=leaky
[convolutional]
filters=4
size=1
activation=linear
[avgpool]
[logistic]
CFG
    sed 's/^from=-2/from=-20/' cfg/tiny.cfg >cfg/bad.cfg
    "$tool" cfg/kinds.cfg weights/kinds.weights
}

# What valgrind is for: a program that loses its memory.
write_losing() {
    cat >losing.c <<'C'
#include <stdlib.h>
int main(void) {
    char *volatile lost = malloc(100);
    lost = NULL;
    return lost != NULL;
}
C
    gcc -o losing losing.c
}

skip() {
    echo "ok leaks # skip $1"
    exit
}

case $DARKNET in */build/san*) skip 'the sanitizers look for leaks themselves' ;; esac
command -v valgrind >/dev/null || skip "valgrind, Debian's package of that name, is not installed"

fixture_make 16 12 12
write_kinds
write_losing
watched ./losing
check 'valgrind sees what is lost' "exit status $?" grep -q 'definitely lost' "$work.err"
clean 'info' 0 info cfg/tiny.cfg weights/tiny.weights
clean 'info of a .cfg that is refused' 1 info cfg/bad.cfg
clean 'eval' 0 eval cfg/tiny.cfg
clean 'eval of other kinds of layers' 0 eval cfg/kinds.cfg -data cfg/tiny.data
clean 'latency' 0 latency cfg/tiny.cfg -predict -rounds 5
clean 'prune' 0 prune cfg/tiny.cfg -policy uniform -flops .5 -calibrate 8
clean 'search' 0 search cfg/tiny.cfg -episodes 4 -warmup 2 -calibrate 8 -refit 16 -out out
clean 'search that goes on' 0 search cfg/tiny.cfg -episodes 6 -warmup 2 -calibrate 8 -refit 16 -out out -resume
clean 'search that is another' 1 search cfg/tiny.cfg -episodes 6 -warmup 2 -calibrate 8 -refit 16 -out out -resume -seed 2
