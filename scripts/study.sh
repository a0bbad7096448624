#!/usr/bin/env bash
# Runs what RESULTS.md says about one network, as far as it isn't in scripts/results/NAME/ yet: an interrupted study goes
# on. Hours for each part; `make results` then writes the tables and pictures. Without PART: policies, repairs, macs and
# correlation.
#
#   scripts/study.sh NAME [PART ...]
#
# PART      policies     every policy at the network's budgets, before and after fine-tuning
#           macs         the policies at 30 to 90% of the FLOPs, before fine-tuning
#           repairs      what repairing the network brings, and each criterion
#           agents       how soon the agent finds good plans (Plain-20 and fashion)
#           correlation  whether the reward predicts accuracy after fine-tuning
#           budgets      what several budgets in one go cost and find
#           latency      accuracy against time, searched for by FLOPs and by time (on an idle machine only)
#           teacher      what learning from the unpruned network brings
#           weights      fine-grained pruning to two fifths of the parameters or less
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly SEEDS='1 2 3'
readonly name=${1:?expected the NAME of cfg/NAME.cfg}
readonly kept=scripts/results/$name runs=amc-out/results/$name
parts=("${@:2}")

# Of each network: the budgets, the plans of a search, the held-out images that score one (0: all), the epochs of
# fine-tuning for each budget, their first learning rate, and whether they have a teacher.
teacher=1
case $name in
fashion) budgets=(0.5) plans=200 limit=2000 epochs=(4) rate=0.02 teacher=0 ;;
plain20) budgets=(0.5) plans=200 limit=0 epochs=(20) rate=0.02 ;;
resnet56 | resnet50) budgets=(0.5) plans=40 limit=0 epochs=(10) rate=0.02 ;;
vgg16) budgets=(0.2) plans=100 limit=1000 epochs=(40) rate=0.02 teacher=0 ;;
mobilenet) budgets=(0.5 0.4) plans=100 limit=1000 epochs=(24 8) rate=0.01 ;;
mobilenetv2) budgets=(0.5) plans=100 limit=1000 epochs=(4) rate=0.01 ;;
*)
    echo "study.sh: $name, expected fashion, plain20, resnet56, resnet50, vgg16, mobilenet or mobilenetv2" >&2
    exit 1
    ;;
esac

compare() { # budget [OPTION=VALUE ...]
    mkdir -p "$runs/$1"
    [ -f "$runs/$1/results.csv" ] || [ ! -f "$kept/policies-$1.csv" ] || cp "$kept/policies-$1.csv" "$runs/$1/results.csv"
    scripts/compare_policies.sh "$name" "$runs/$1" flops="$1" seeds="$SEEDS" plans=$plans limit=$limit \
        kept="$kept/policies-$1" "${@:2}"
    cp "$runs/$1/results.csv" "$kept/policies-$1.csv"
}

policies() {
    local i more=""
    [ "$name" = plain20 ] && more=scratch
    grep -q '^\[shortcut\]' "cfg/$name.cfg" && more=inner
    for i in "${!budgets[@]}"; do
        compare "${budgets[i]}" epochs="${epochs[i]}" rate="$rate" teacher="$teacher" \
            policies="base amc uniform random greedy surgeon fp cp shallow deep lowres $more"
    done
}

# A CSV of its own: nothing is fine-tuned.
macs() {
    local flops
    if [ -f "$kept/macs.csv" ]; then return; fi
    for flops in 0.3 0.4 0.5 0.6 0.7 0.8 0.9; do
        scripts/compare_policies.sh "$name" "$runs/macs-$flops" flops=$flops seeds=1 epochs=0 plans=$plans limit=$limit \
            policies='base uniform shallow deep greedy amc'
        sed "s/^/$flops,/; 1s/^$flops/budget/" "$runs/macs-$flops/results.csv" >"$kept/macs-$flops.part"
    done
    awk 'FNR > 1 || NR == 1' "$kept"/macs-*.part >"$kept/macs.csv.part"
    mv "$kept/macs.csv.part" "$kept/macs.csv"
    rm "$kept"/macs-*.part
}

agents() { scripts/agents.sh "$name" "$kept/agents.csv" '1 2 3 4 5' 1000; }

repairs() { scripts/criteria.sh "$name" "$kept/criteria.csv" 20; }

correlation() { scripts/correlation.sh "$name" "$kept/correlation.csv" 20 2; }

budgets() { scripts/budgets.sh "$name" "$kept/budgets.csv" "$SEEDS" $limit; }

latency() { scripts/latency_search.sh "$name" "$kept/latency_search.csv"; }

teacher() { scripts/teacher.sh "$name" "$kept/teacher.csv" 3 "${epochs[0]}" "$rate"; }

# Searches with R_Param and single weights: two fifths of them or less, as few as accuracy allows, without training.
weights() {
    local seed csv=$kept/weights.csv out before after params test accuracy zstd zstd_before
    [ -s "$csv" ] || echo 'seed,params,held_out_before,held_out,test_before,test,zstd,zstd_before' >"$csv"
    before=$(accuracy_of "cfg/$name.cfg" "weights/$name.weights" "cfg/$name.data" search)
    test=$(accuracy_of "cfg/$name.cfg" "weights/$name.weights" "cfg/$name.data" test)
    for seed in $SEEDS; do
        if grep -q "^$seed," "$csv"; then continue; fi
        out=$runs/weights-$seed
        mkdir -p "$out"
        bin/darknet amc search "cfg/$name.cfg" -granularity weight -reward params -params 0.4 -episodes 30 \
            -seed "$seed" -out "$out" -force -json >"$out/json" 2>"$out/log"
        after=$(accuracy_of "$out/$name-amc.cfg" "$out/$name-amc.weights" "cfg/$name.data" test)
        params=$(awk "BEGIN { print $(number params <"$out/json") / $(number params_before <"$out/json") }")
        accuracy=$(accuracy_of "$out/$name-amc.cfg" "$out/$name-amc.weights" "cfg/$name.data" search)
        zstd=$(number zstd_bytes <"$out/json") zstd_before=$(number zstd_bytes_before <"$out/json")
        echo "$seed,$params,$before,$accuracy,$test,$after,$zstd,$zstd_before" >>"$csv"
    done
}

[ ${#parts[@]} -gt 0 ] || parts=(policies repairs macs correlation)
[ -x bin/darknet ] || make -s all
mkdir -p "$kept" "$runs"
for part in "${parts[@]}"; do
    case $part in
    policies | repairs | macs | agents | correlation | budgets | latency | teacher | weights) "$part" ;;
    *)
        echo "study.sh: $part, expected policies, repairs, macs, agents, correlation, budgets, latency, teacher or weights" >&2
        exit 1
        ;;
    esac
done
