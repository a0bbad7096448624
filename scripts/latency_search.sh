#!/usr/bin/env bash
# Accuracy against inference time, of searches within a share of the FLOPs and within a share of the time: what each found
# is measured in turn with the whole network. Lines of a CSV, as far as they aren't there yet. Means something only on a
# machine that does nothing else.
#
#   scripts/latency_search.sh NAME CSV [LIMIT] [EPISODES] [BUDGETS]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly name=$1 csv=$2 limit=${3:-1000} episodes=${4:-100} budgets=${5:-0.4 0.5 0.6 0.7 0.8}
readonly cfg=cfg/$name.cfg out=amc-out/latency_search/$name

row() { # flops|latency budget
    local folder=$out/$1-$2 share macs test
    if grep -q "^$1,$2," "$csv"; then return; fi
    bin/darknet amc search "$cfg" "-$1" "$2" -limit "$limit" -episodes "$episodes" -out "$folder" -force -quiet >/dev/null
    share=$(bin/darknet amc latency "$cfg" -policy "$folder/policy.json" -json | number share)
    macs=$(awk "BEGIN { print $(number macs <"$folder/result.json") / $(number macs_before <"$folder/result.json") }")
    test=$(accuracy_of "$folder/$name-amc.cfg" "$folder/$name-amc.weights" "cfg/$name.data" test)
    echo "$1,$2,$share,$macs,$test" >>"$csv"
}

mkdir -p "$out" "$(dirname "$csv")"
[ -s "$csv" ] || echo 'by,budget,time,macs,test' >"$csv"
for budget in $budgets; do
    row flops "$budget"
    row latency "$budget"
done
