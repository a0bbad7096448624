#!/usr/bin/env bash
# Tries the build with GPU=1 on a machine with a GPU: whether networks compute, calibrate, train and are searched there
# as on the CPU. Needs no network access, and no images but those it makes; where Fashion-MNIST is in data/, it is
# scored too, and how fast.
#
#   scripts/try_gpu.sh              builds with GPU=1 first (CUDNN=, NVCC=, ARCH= as for make)
#   DARKNET=FILE scripts/try_gpu.sh tries a binary that was built elsewhere; tests/host/test_gpu beside it, too
#
# Prints `ok NAME` or `not ok NAME: why` for each check, then what it was tried on. Exit status 1 if any failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
root=$PWD
readonly root CLOSE=0.01 # of accuracies: batch normalization differs by an epsilon, and sums by their order

if [ -z "${DARKNET:-}" ]; then
    flavour=release-gpu$([ "${CUDNN:-0}" = 1 ] && echo -cudnn)
    make "-j$(nproc)" GPU=1 bin/darknet "build/$flavour/tests/host/test_gpu" || exit 1
    DARKNET=$root/bin/darknet
    TEST=$root/build/$flavour/tests/host/test_gpu
fi
DARKNET=$(realpath "$DARKNET")
TEST=${TEST:-$(dirname "$DARKNET")/test_gpu}
export DARKNET
# shellcheck source=scripts/json_lib.sh
. scripts/json_lib.sh
# shellcheck source=tests/cmd/fixture.sh
. tests/cmd/fixture.sh # goes to a folder of its own

failed=0
not_ok() {
    printf 'not ok %s: %s\n' "$1" "$2"
    failed=$((failed + 1))
}

# run NAME COMMAND...: the command's output goes to $work.log; says so where it fails.
run() {
    "${@:2}" >"$work.log" 2>&1 && return
    not_ok "$1" "exit status $?, $(tail -n 1 "$work.log")"
    return 1
}

# evaluate KEY CFG WEIGHTS OPTION...: the number under KEY of the test images.
evaluate() { "$DARKNET" amc eval "$2" "$3" -json "${@:4}" 2>"$work.log" | number "$1"; }

is_close() { awk -v a="$1" -v b="$2" -v most="$CLOSE" 'BEGIN { d = a - b; exit a == "" || b == "" || d > most || -d > most }'; }

is_above() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a > b) }'; }

# compare NAME CFG WEIGHTS OPTION...: whether the GPU and the CPU find the same accuracy, which it leaves in $top1.
compare() {
    local cpu
    top1=$(evaluate top1 "${@:2}")
    cpu=$(evaluate top1 "${@:2}" -nogpu)
    check "$1: as accurate as on the CPU ($top1, $cpu)" "$top1 on the GPU, $cpu on the CPU" is_close "$top1" "$cpu"
}

train() { # NAME CFG WEIGHTS: leaves backup/NAME.weights, NAME the .cfg's
    rm -rf backup
    mkdir backup
    run "$1" "$DARKNET" classifier train cfg/tiny.data "${@:2}"
}

# The accuracy that training reaches from random weights; what Darknet saves is read back from the GPU.
try_training() {
    train 'training' cfg/tiny.cfg weights/tiny.weights || return
    cp backup/tiny.weights weights/trained.weights
    compare 'training' cfg/tiny.cfg weights/trained.weights
    check 'training: learns' "$top1 of the test images" is_above "$top1" 0.6
}

try_search() {
    run 'search' "$DARKNET" amc search cfg/tiny.cfg weights/trained.weights -data cfg/tiny.data -flops 0.5 \
        -episodes 30 -warmup 10 -out searched || return
    compare 'search' searched/tiny-amc.cfg searched/tiny-amc.weights -data cfg/tiny.data
    check 'search: better than guessing' "$top1 of the test images" is_above "$top1" 0.3
    train 'fine-tuning' searched/tiny-amc.cfg searched/tiny-amc.weights || return
    compare 'fine-tuning' searched/tiny-amc.cfg backup/tiny-amc.weights -data cfg/tiny.data
    check 'fine-tuning: learns' "$top1 of the test images" is_above "$top1" 0.6
}

try_prune() {
    local prune=(amc prune cfg/tiny.cfg weights/trained.weights -policy uniform -flops 0.5 -calibrate 64) cpu
    run 'prune' "$DARKNET" "${prune[@]}" -out gpu || return
    run 'prune' "$DARKNET" "${prune[@]}" -out cpu -nogpu || return
    check 'prune: the same .cfg' 'it differs' cmp -s gpu/tiny-amc.cfg cpu/tiny-amc.cfg
    top1=$(evaluate top1 gpu/tiny-amc.cfg gpu/tiny-amc.weights -data cfg/tiny.data -nogpu)
    cpu=$(evaluate top1 cpu/tiny-amc.cfg cpu/tiny-amc.weights -data cfg/tiny.data -nogpu)
    check "prune: calibrated alike ($top1, $cpu)" "$top1 and $cpu" is_close "$top1" "$cpu"
}

try_fashion() {
    local option
    cd "$root" || return
    if [ ! -f data/fashion-mnist/test.list ] || [ ! -f weights/fashion.weights ]; then
        ok 'Fashion-MNIST # skip: not in data/'
        return
    fi
    compare 'Fashion-MNIST' cfg/fashion.cfg weights/fashion.weights
    for option in '-i 0' -nogpu; do
        # shellcheck disable=SC2086 # two words
        printf '# %s: %s seconds for the test images\n' "$option" \
            "$(evaluate seconds cfg/fashion.cfg weights/fashion.weights $option)"
    done
}

# Every kind of layer, plan, batch and update, compared number by number.
try_layers() {
    [ -x "$TEST" ] || { ok "layers # skip: no $TEST" && return; }
    run 'layers' "$TEST" || { grep -a 'differ' "$work.log" && return; }
    check 'layers' "$TEST found no GPU" not grep -qai 'skipped' "$work.log"
}

not() { ! "$@"; }

fixture_make 128 64 300
sed -i 's/^max_batches=.*/max_batches=300/' cfg/tiny.cfg # until the rolling averages are those of the weights
if run 'the GPU works' "$DARKNET" amc eval cfg/tiny.cfg; then
    ok 'the GPU works'
    try_layers
    try_training && try_prune
    [ -f weights/trained.weights ] && try_search
    try_fashion
fi
nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | sed 's/^/# /'
if [ $failed = 0 ]; then echo 'passed'; else echo "$failed failed"; fi
[ $failed = 0 ]
