#!/usr/bin/env bash
# Compares ways to prune one network to the same FLOPs: the handcrafted policies, a random search
# and AMC, each measured on the test set before and after the same fine-tuning by Darknet's own
# training loop. Rows go to a CSV; those that are there already are not made again.
#
#   scripts/compare_policies.sh NAME DIR [FLOPS] [SEEDS] [EPISODES] [LIMIT] [BATCHES] [RATE]
#
# NAME     of cfg/NAME.cfg, cfg/NAME.data and weights/NAME.weights
# DIR      where results.csv and the pruned networks go
# FLOPS    share of the multiply-accumulates that is left (0.5)
# SEEDS    "1 2 3": the searches run with each, the other policies with the first
# EPISODES of both searches (400); LIMIT: held-out images that score a plan (0: all)
# BATCHES  of fine-tuning; RATE: its first learning rate
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

name=$1 dir=$2 flops=${3:-0.5} seeds=${4:-1} episodes=${5:-400} limit=${6:-0} batches=${7:-215} rate=${8:-0.02}
cfg=cfg/$name.cfg data=cfg/$name.data weights=weights/$name.weights
csv=$dir/results.csv
readonly REPAIR=(-reconstruct 2000 -calibrate 256) # every policy's network, on the same training images

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

macs_of() { bin/darknet amc info "$1" -json | number macs; }

test_accuracy() { bin/darknet amc eval "$1" "$2" -data "$data" -set test -json | number top1; }

# Makes out/NAME-amc.cfg and .weights by a policy.
prune() { # policy seed out
    local policy=$1 seed=$2 out=$3
    case $policy in
    amc | random)
        bin/darknet amc search "$cfg" "$weights" -data "$data" -flops "$flops" -seed "$seed" -out "$out" -force \
            -agent "$([ "$policy" = amc ] && echo ddpg || echo random)" -episodes "$episodes" -limit "$limit" \
            "${REPAIR[@]}" >"$out/log" 2>&1
        ;;
    *)
        bin/darknet amc prune "$cfg" "$weights" -data "$data" -policy "$policy" -flops "$flops" -seed "$seed" \
            "${REPAIR[@]}" -out "$out" -force >"$out/log" 2>&1
        ;;
    esac
}

# Fine-tunes a network in out/ with `darknet classifier train`, a short schedule in a copy of its
# .cfg; what it ends with is out/finetune.weights.
finetune() { # cfg weights out
    local out=$3
    sed -e "s/^learning_rate=.*/learning_rate=$rate/" -e "s/^max_batches=.*/max_batches=$batches/" \
        -e 's/^burn_in=.*/burn_in=0/' -e 's/^policy=.*/policy=poly/' -e 's/^power=.*/power=1/' \
        -e '/^steps=/d' -e '/^scales=/d' "$1" >"$out/finetune.cfg"
    grep -q '^power=' "$out/finetune.cfg" || sed -i 's/^policy=poly/policy=poly\npower=1/' "$out/finetune.cfg"
    sed "s#^backup *=.*#backup=$out#" "$data" >"$out/finetune.data"
    bin/darknet classifier train "$out/finetune.data" "$out/finetune.cfg" "$2" -clear >"$out/finetune.log" 2>&1
}

row() { # policy seed
    local policy=$1 seed=$2 out=$dir/$1-$2 net_cfg=$cfg net_weights=$weights before after share
    grep -q "^$policy,$seed," "$csv" && return
    mkdir -p "$out"
    if [ "$policy" != base ]; then
        say "$policy, seed $seed: pruning"
        prune "$policy" "$seed" "$out"
        net_cfg=$out/$name-amc.cfg net_weights=$out/$name-amc.weights
    fi
    before=$(test_accuracy "$net_cfg" "$net_weights")
    say "$policy, seed $seed: fine-tuning"
    finetune "$net_cfg" "$net_weights" "$out"
    after=$(test_accuracy "$net_cfg" "$out/finetune.weights")
    share=$(awk "BEGIN { printf \"%.6f\", $(macs_of "$net_cfg") / $(macs_of "$cfg") }")
    printf '%s,%s,%s,%s,%s\n' "$policy" "$seed" "$share" "$before" "$after" >>"$csv"
    say "$policy, seed $seed: $share of the FLOPs, test accuracy $before, fine-tuned $after"
}

main() {
    local seed policy
    mkdir -p "$dir"
    [ -s "$csv" ] || echo 'policy,seed,flops,test_before,test_after' >"$csv"
    for seed in $seeds; do
        for policy in amc random; do row "$policy" "$seed"; done
    done
    # These have nothing random but the images that batch normalization is re-estimated on.
    for policy in base uniform shallow deep; do row "$policy" "${seeds%% *}"; done
}

main
