#!/usr/bin/env bash
# What `amc search -early-stop` saves and what it costs: searches on cfg/fashion.cfg with and without
# it, over three seeds, weights not reconstructed. Lines of scripts/results/early_stop.csv, as far as they aren't there yet:
# accuracies of the network found on the held-out training images and on the test set, the images that
# the search scored, and its processor seconds, which depend less than time on what else runs.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly KEPT=scripts/results/early_stop.csv SEEDS=${SEEDS:-1 2 3} EPISODES=200 LIMIT=2000
readonly ERRORS=${ERRORS:-0 0.05 0.01}

# Idle threads give the processor up: waiting isn't counted as work.
export GOMP_SPINCOUNT=1000

row() { # error seed
    local json seconds test
    grep -q "^$1,$2," "$KEPT" && return
    json=$(command time -f '%U %S' -o "$work/time" bin/darknet amc search cfg/fashion.cfg -episodes $EPISODES \
        -limit $LIMIT -reconstruct 0 -seed "$2" -early-stop "$1" -out "$work/out" -force -json 2>/dev/null)
    seconds=$(awk '{ print $1 + $2 }' "$work/time")
    test=$(accuracy_of "$work/out/fashion-amc.cfg" "$work/out/fashion-amc.weights" cfg/fashion.data test)
    echo "$1,$2,$(number accuracy <<<"$json"),$test,$(number images_scored <<<"$json"),$seconds" | tee -a "$KEPT"
}

scripts/get_fashion_mnist.sh
make -s all
work=$(mktemp -d "${TMPDIR:-/tmp}/amc-early-stop-XXXXXX")
trap 'rm -rf "$work"' EXIT
[ -s "$KEPT" ] || echo 'error,seed,accuracy,test_accuracy,images_scored,cpu_seconds' >"$KEPT"
for error in $ERRORS; do
    for seed in $SEEDS; do row "$error" "$seed"; done
done
