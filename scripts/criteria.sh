#!/usr/bin/env bash
# Which channels to keep, and what repairing the network brings: the accuracy of a network on held-out training images
# when random policies of 50% of the FLOPs keep channels by each criterion and are repaired in each way. Lines of a CSV,
# as far as they aren't there yet.
#
#   scripts/criteria.sh NAME CSV [PLANS]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly name=$1 csv=$2 plans=${3:-20}

score() { # criterion reconstruct calibrate refit seed
    bin/darknet amc prune "cfg/$name.cfg" -policy random -flops 0.5 -criterion "$1" -reconstruct "$2" -calibrate "$3" \
        -refit "$4" -seed "$5" -out "$work" -force >/dev/null || return 1
    accuracy_of "$work/$name-amc.cfg" "$work/$name-amc.weights" "cfg/$name.data" search
}

# As many lines as plans.
add() { # criterion reconstruct calibrate refit
    local seed accuracy
    for seed in $(seq "$plans"); do
        if grep -q "^$1,$2,$3,$4,$seed," "$csv"; then continue; fi
        accuracy=$(score "$@" "$seed")
        echo "$1,$2,$3,$4,$seed,$accuracy" >>"$csv"
    done
}

work=$(mktemp -d "${TMPDIR:-/tmp}/amc-criteria-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$csv")"
[ -s "$csv" ] || echo 'criterion,reconstruct,calibrate,refit,seed,accuracy' >"$csv"
add bn 0 0 0
add bn 2000 0 0
for criterion in bn l1 l2 random; do add $criterion 0 256 0; done
for criterion in bn obs l1 l2 lasso random; do add $criterion 2000 256 0; done
for criterion in bn obs; do add $criterion 2000 256 3000; done
