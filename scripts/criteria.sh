#!/usr/bin/env bash
# Which channels to keep: the accuracy of cfg/fashion.cfg on held-out training images when random
# policies of 50% of the FLOPs keep channels by each criterion. Lines of
# scripts/results/criteria.csv, as far as they aren't there yet.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly KEPT=scripts/results/criteria.csv SEEDS=${SEEDS:-20}

score() { # criterion seed
    bin/darknet amc prune cfg/fashion.cfg -policy random -flops 0.5 -seed "$2" -criterion "$1" -calibrate 256 \
        -out "$work" -force >/dev/null
    bin/darknet amc eval "$work/fashion-amc.cfg" "$work/fashion-amc.weights" -data cfg/fashion.data -set search -json |
        number top1
}

scripts/get_fashion_mnist.sh
make -s all
work=$(mktemp -d "${TMPDIR:-/tmp}/amc-criteria-XXXXXX")
trap 'rm -rf "$work"' EXIT
[ -s "$KEPT" ] || echo 'criterion,seed,accuracy' >"$KEPT"
for criterion in bn l1 l2 random; do
    for seed in $(seq "$SEEDS"); do
        grep -q "^$criterion,$seed," "$KEPT" || echo "$criterion,$seed,$(score "$criterion" "$seed")" >>"$KEPT"
    done
done
