#!/usr/bin/env bash
# What several budgets in one go cost and find beside a single one: a search for half of the FLOPs alone, and one for
# 70, 50 and 30%. Lines of a CSV, as far as they aren't there yet; those of one search share what it cost.
#
#   scripts/budgets.sh NAME CSV [SEEDS] [LIMIT]     (LIMIT held-out images score a plan, 0: all)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly name=$1 csv=$2 seeds=${3:-1 2 3} limit=${4:-0}
readonly data=cfg/$name.data out=amc-out/budgets/$name

# The value that a key has in each result on stdin.
numbers() { sed -n "s/.*\"$1\":[[:space:]]*\([-0-9.e+]*\).*/\1/p"; }

search() { # seed budgets
    local folder=$out/$1-$2 seconds images budget accuracy cfg
    local TIMEFORMAT='%U %S'
    if grep -q "^$1,\"$2\"," "$csv"; then return; fi
    mkdir -p "$folder"
    { time bin/darknet amc search "cfg/$name.cfg" -flops "$2" -seed "$1" -limit "$limit" -out "$folder" -force -json -quiet \
        >"$folder/json"; } 2>"$folder/time"
    seconds=$(tail -n 1 "$folder/time" | awk '{ print $1 + $2 }')
    images=$(numbers images_scored <"$folder/json" | awk '{ n += $1 } END { print n }')
    for budget in ${2//,/ }; do
        cfg=$folder/$name-amc.cfg
        [ "$2" = "$budget" ] || cfg=$folder/flops-$budget/$name-amc.cfg
        accuracy=$(accuracy_of "$cfg" "${cfg%.cfg}.weights" "$data" search)
        printf '%s,"%s",%s,%s,%s,%s,%s\n' "$1" "$2" "$budget" "$images" "$seconds" "$accuracy" \
            "$(accuracy_of "$cfg" "${cfg%.cfg}.weights" "$data" test)"
    done >"$folder/rows"
    cat "$folder/rows" >>"$csv"
}

mkdir -p "$out" "$(dirname "$csv")"
[ -s "$csv" ] || echo 'seed,budgets,budget,images,seconds,held_out,test' >"$csv"
for seed in $seeds; do
    search "$seed" 0.5
    search "$seed" 0.7,0.5,0.3
done
