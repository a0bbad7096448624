#!/usr/bin/env bash
# Compares ways to prune one network to the same FLOPs, each measured on the test set before and after the same
# fine-tuning by Darknet's own training loop. Rows go to DIR/results.csv; those that are there already are not made
# again, and a fine-tuning that was interrupted goes on.
#
#   scripts/compare_policies.sh NAME DIR [OPTION=VALUE ...]
#
# NAME      of cfg/NAME.cfg, cfg/NAME.data and weights/NAME.weights
# flops     share of the multiply-accumulates that is left (0.5)
# policies  (all of those below): each makes a row a seed
# seeds     "1 2 3" (1): of the searches, amc and random; the other policies run with the first
# plans     of both searches (200); limit: held-out images that score a plan (0: all)
# epochs    of fine-tuning (0.5; 0: none), which learns from the unpruned network too; rate: its first learning rate
#           (0.02), which falls to 0
#
# Policies. All networks are repaired on the same training images.
#   base      not pruned
#   uniform, shallow, deep
#   fp        filters of least L1 norm go, as many of each layer as cost it the same accuracy (Li et al. 2017)
#   cp        uniform, channels chosen by LASSO (He et al. 2017)
#   greedy    channels go one by one by each layer's sensitivity
#   surgeon   channels go one by one by what reconstruction says: where every search starts
#   lowres    uniform on smaller images, seven eighths as wide and high, and so fewer channels go
#   random    the best of as many random plans as amc tries
#   amc       the search
#   scratch   the network that amc's first seed found, trained from nothing, by the schedule of cfg/NAME.cfg
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh
. scripts/train_lib.sh

name=$1 dir=$2
flops=0.5 seeds=1 plans=200 limit=0 epochs=0.5 rate=0.02
policies="base uniform shallow deep fp cp greedy surgeon lowres random amc scratch"
for setting in "${@:3}"; do
    case $setting in
    flops=* | policies=* | seeds=* | plans=* | limit=* | epochs=* | rate=*) declare "$setting" ;;
    *) echo "compare_policies.sh: $setting, expected flops=, policies=, seeds=, plans=, limit=, epochs= or rate=" >&2
        exit 1 ;;
    esac
done
settings="flops=$flops plans=$plans limit=$limit epochs=$epochs rate=$rate"
data=cfg/$name.data weights=weights/$name.weights csv=$dir/results.csv
readonly REPAIR=(-reconstruct 2000 -calibrate 256 -refit 3000)

say() { printf '%s  %s\n' "$(date +%H:%M:%S)" "$*" >&2; }

fail() {
    printf 'compare_policies.sh: %s\n' "$*" >&2
    exit 1
}

calc() { awk "BEGIN { print $1 }"; }

macs_of() { bin/darknet amc info "$1" -json | number macs; }

# The first value of a key in a .cfg.
value_of() { sed -n "s/^[ \t]*$2[ \t]*=[ \t]*//p" "$1" | head -n 1; }

# What Darknet's loader crops, of images of the size that the network reads, for one of another size.
smaller_images() { # cfg
    awk -F= '/^[ \t]*(height|width|min_crop|max_crop)[ \t]*=/ { print $1 "=" int($2 * 7 / 8 + 0.5); next } { print }' "$1"
}

# Makes out/NAME-amc.cfg and .weights by a policy.
prune() { # policy seed out
    local policy=$1 out=$3 options=() cfg=cfg/$name.cfg share=$flops
    case $policy in
    fp) options=(-policy fp -criterion l1 -limit 1000) ;;
    cp) options=(-policy uniform -criterion lasso) ;;
    greedy) options=(-policy greedy -limit 1000) ;;
    lowres)
        cfg=$out/$name.cfg options=(-policy uniform)
        smaller_images "cfg/$name.cfg" >"$cfg"
        share=$(calc "$flops * $(macs_of "cfg/$name.cfg") / $(macs_of "$cfg")")
        ;;
    amc | random)
        bin/darknet amc search "$cfg" "$weights" -data "$data" -flops "$flops" -seed "$2" -out "$out" -force \
            -agent "$([ "$policy" = amc ] && echo ddpg || echo random)" -episodes "$plans" -limit "$limit" \
            "${REPAIR[@]}" >"$out/log" 2>&1 || fail "the search failed, see $out/log"
        return
        ;;
    *) options=(-policy "$policy") ;;
    esac
    bin/darknet amc prune "$cfg" "$weights" -data "$data" -flops "$share" -seed "$2" "${REPAIR[@]}" "${options[@]}" \
        -out "$out" -force >"$out/log" 2>&1 || fail "pruning failed, see $out/log"
}

# Trains on with what the unpruned network says of the images, which lowres sees smaller, too. Makes out/finetuned.weights.
finetune() { # policy cfg weights out
    local teacher=cfg/$name.cfg
    [ "$1" = lowres ] && teacher=$4/$name.cfg
    [ -f "$4/finetuned.weights" ] ||
        bin/darknet amc finetune "$2" "$3" -data "$data" -epochs "$epochs" -rate "$rate" -teacher "$teacher" \
            -teacher-weights "$weights" -out "$4/finetuned.weights" -resume >>"$4/log" 2>&1 ||
        fail "training failed, see $4/log"
}

row() { # policy seed
    local policy=$1 seed=$2 out=$dir/$1-$2 cfg=cfg/$name.cfg net=$weights before='' after='' share
    if grep -q "^$policy,$seed," "$csv"; then return; fi
    mkdir -p "$out"
    case $policy in
    base) ;;
    scratch) cfg=$dir/amc-$seed/$name-amc.cfg ;;
    *)
        cfg=$out/$name-amc.cfg net=$out/$name-amc.weights
        say "$policy, seed $seed: pruning"
        [ -f "$cfg" ] || prune "$policy" "$seed" "$out"
        ;;
    esac
    [ "$policy" = scratch ] || before=$(accuracy_of "$cfg" "$net" "$data" test)
    say "$policy, seed $seed: ${before:+test accuracy $before, }training"
    if [ "$policy" = scratch ]; then
        train_resumably "$data" "$cfg" "$out/scratch" || fail "training failed, see $out/scratch/log"
        after=$(accuracy_of "$cfg" "$out/scratch/$name-amc.weights" "$data" test)
    elif [ "$policy" != base ] && [ "$epochs" != 0 ]; then
        finetune "$policy" "$cfg" "$net" "$out"
        after=$(accuracy_of "$cfg" "$out/finetuned.weights" "$data" test)
    fi
    share=$(calc "$(macs_of "$cfg") / $(macs_of "cfg/$name.cfg")")
    printf '%s,%s,%s,%s,%s\n' "$policy" "$seed" "$share" "$before" "$after" >>"$csv"
    say "$policy, seed $seed: $share of the FLOPs, test accuracy ${before:--}, trained ${after:--}"
}

mkdir -p "$dir"
[ -f "$dir/settings" ] || echo "$settings" >"$dir/settings"
[ "$(cat "$dir/settings")" = "$settings" ] ||
    fail "$dir has rows made with $(cat "$dir/settings"), expected the same or another folder"
[ -s "$csv" ] || echo 'policy,seed,flops,test_before,test_after' >"$csv"
for policy in $policies; do
    case $policy in
    amc | random) for seed in $seeds; do row "$policy" "$seed"; done ;;
    *) row "$policy" "${seeds%% *}" ;;
    esac
done
