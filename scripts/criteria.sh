#!/usr/bin/env bash
# Which channels to keep, and what repairing the network brings: the accuracy of cfg/fashion.cfg on held-out training
# images when random policies of 50% of the FLOPs keep channels by each criterion and are repaired in each way. Lines of
# scripts/results/criteria.csv, as far as they aren't there yet.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly KEPT=scripts/results/criteria.csv SEEDS=${SEEDS:-20}

score() { # criterion reconstruct calibrate seed
    bin/darknet amc prune cfg/fashion.cfg -policy random -flops 0.5 -criterion "$1" -reconstruct "$2" -calibrate "$3" \
        -seed "$4" -out "$work" -force >/dev/null
    bin/darknet amc eval "$work/fashion-amc.cfg" "$work/fashion-amc.weights" -data cfg/fashion.data -set search -json |
        number top1
}

# As many lines as seeds.
add() { # criterion reconstruct calibrate
    local seed accuracy
    for seed in $(seq "$SEEDS"); do
        if grep -q "^$1,$2,$3,$seed," "$KEPT"; then continue; fi
        accuracy=$(score "$@" "$seed")
        echo "$1,$2,$3,$seed,$accuracy" >>"$KEPT"
    done
}

scripts/get_fashion_mnist.sh
make -s all
work=$(mktemp -d "${TMPDIR:-/tmp}/amc-criteria-XXXXXX")
trap 'rm -rf "$work"' EXIT
[ -s "$KEPT" ] || echo 'criterion,reconstruct,calibrate,seed,accuracy' >"$KEPT"
for criterion in bn l1 l2 random; do add $criterion 0 256; done
for criterion in bn l1 l2 lasso obs random; do add $criterion 2000 256; done
add bn 0 0
add bn 2000 0
