#!/usr/bin/env bash
# Compares ways to prune one network to the same FLOPs, each measured on the test set before and after the same
# fine-tuning by Darknet's own training loop. Rows go to DIR/results.csv; those that are there already are not made
# again, and a fine-tuning that was interrupted goes on.
#
#   scripts/compare_policies.sh NAME DIR [OPTION=VALUE ...]
#
# NAME      of cfg/NAME.cfg, cfg/NAME.data and weights/NAME.weights
# flops     share of the multiply-accumulates that is left (0.5)
# policies  (all of those below but inner): each makes a row a seed
# seeds     "1 2 3" (1): of amc, random and greedy, which also draw the images that networks are repaired on; the other
#           policies run with the first
# plans     of both searches (200); limit: held-out images that score a plan (0: all)
# epochs    of fine-tuning (0.5; 0: none); rate: its first learning rate (0.02), which falls to 0; teacher: whether it
#           learns from the unpruned network too (1), or from the truth only (0)
# only      prune: make the networks and no rows; train: fine-tune those that were made, for the rows of a later run
#           (): both, and the rows. jobs: trainings at a time, with only=train (1)
# kept      folder of what was decided, POLICY-SEED.json: it is carried out rather than decided again, and added to ();
#           to be emptied when the network has other weights
#
# Policies. Those of one seed are repaired on the same training images.
#   base      not pruned, fine-tuned all the same
#   uniform, shallow, deep
#   inner     uniform, but for what shortcuts add up, which stays whole
#   fp        filters of least L1 norm go, as many of each layer as cost it the same accuracy (Li et al. 2017)
#   cp        uniform, channels chosen by LASSO (He et al. 2017)
#   greedy    channels go one by one by how far outputs diverge when each layer alone is cut: where every search starts
#   surgeon   channels go one by one by what reconstruction says
#   lowres    uniform on smaller images, seven eighths as wide and high, and so fewer channels go
#   random    the best of as many random plans as amc tries
#   amc       the search
#   scratch   the network that amc's first seed found, trained from nothing, by the schedule of cfg/NAME.cfg
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh
. scripts/train_lib.sh

name=$1 dir=$2
flops=0.5 seeds=1 plans=200 limit=0 epochs=0.5 rate=0.02 teacher=1 only='' jobs=1 kept=''
policies="base uniform shallow deep fp cp greedy surgeon lowres random amc scratch"
for setting in "${@:3}"; do
    case $setting in
    flops=* | policies=* | seeds=* | plans=* | limit=* | epochs=* | rate=* | teacher=* | only=* | jobs=* | kept=*) declare "$setting" ;;
    *) echo "compare_policies.sh: $setting, expected flops=, policies=, seeds=, plans=, limit=, epochs=, rate=, teacher=, only=," \
            'jobs= or kept=' >&2
        exit 1 ;;
    esac
done
settings="flops=$flops plans=$plans limit=$limit epochs=$epochs rate=$rate teacher=$teacher"
data=cfg/$name.data weights=weights/$name.weights csv=$dir/results.csv
readonly REPAIR=(-reconstruct 2000 -calibrate 256 -refit 6000)

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

# The first layer of each group that shortcuts add up, with commas between them.
of_shortcuts() { # cfg
    bin/darknet amc info "$1" | awk '
        function end() { if (added) list = list "," first; added = 0; first = "" }
        /^(group|total)/ { end() }
        /made by/ { first = $4; sub(/,/, "", first) }
        /shortcut [0-9]/ { added = 1 }
        END { print substr(list, 2) }'
}

# Makes out/NAME-amc.cfg and .weights by a policy.
prune() { # policy seed out
    local policy=$1 out=$3 options=() cfg=cfg/$name.cfg share=$flops
    if [ -f "$kept/$1-$2.json" ]; then
        bin/darknet amc prune "$cfg" "$weights" -data "$data" -policy "$kept/$1-$2.json" -seed "$2" "${REPAIR[@]}" \
            -out "$out" -force >"$out/log" 2>&1 || fail "pruning failed, see $out/log"
        return
    fi
    case $policy in
    fp) options=(-policy fp -criterion l1 -limit 1000) ;;
    cp) options=(-policy uniform -criterion lasso) ;;
    greedy) options=(-policy greedy -limit 1000) ;;
    inner) options=(-policy uniform -skip "$(of_shortcuts "$cfg")") ;;
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

# Trains on, with what the unpruned network says of the images, which lowres sees smaller, too, if that is asked for.
# Makes out/finetuned.weights.
finetune() { # policy cfg weights out
    local from=cfg/$name.cfg options=()
    [ "$1" = lowres ] && from=$4/$name.cfg
    [ "$teacher" = 0 ] || options=(-teacher "$from" -teacher-weights "$weights")
    [ -f "$4/finetuned.weights" ] ||
        bin/darknet amc finetune "$2" "$3" -data "$data" -epochs "$epochs" -rate "$rate" "${options[@]}" \
            -out "$4/finetuned.weights" -resume >>"$4/log" 2>&1 ||
        fail "training failed, see $4/log"
}

# Sets out, and cfg and net: the network of a policy and a seed.
locate() { # policy seed
    out=$dir/$1-$2 cfg=$dir/$1-$2/$name-amc.cfg net=$dir/$1-$2/$name-amc.weights
    case $1 in
    base) cfg=cfg/$name.cfg net=$weights ;;
    scratch) cfg=$dir/amc-$2/$name-amc.cfg net='' ;;
    esac
}

make_network() { # policy seed
    local out cfg net
    locate "$@"
    if [ -f "$cfg" ]; then return; fi
    mkdir -p "$out"
    say "$1, seed $2: pruning"
    prune "$1" "$2" "$out"
    if [ -n "$kept" ] && [ "$1" != lowres ] && [ ! -f "$kept/$1-$2.json" ]; then # lowres: of another network
        mkdir -p "$kept"
        cp "$out/policy.json" "$kept/$1-$2.json"
    fi
}

train_network() { # policy seed
    local out cfg net
    locate "$@"
    if [ "$epochs" = 0 ]; then return; fi
    mkdir -p "$out"
    say "$1, seed $2: training"
    if [ "$1" = scratch ]; then
        train_resumably "$data" "$cfg" "$out/scratch" || fail "training failed, see $out/scratch/log"
        cp "$out/scratch/$name-amc.weights" "$out/finetuned.weights"
    else
        finetune "$1" "$cfg" "$net" "$out"
    fi
}

row() { # policy seed
    local out cfg net before='' after='' share
    if grep -q "^$1,$2,.*,.*[^,]$" "$csv" || { [ "$epochs" = 0 ] && grep -q "^$1,$2," "$csv"; }; then return; fi
    make_network "$@"
    train_network "$@"
    locate "$@"
    [ -z "$net" ] || before=$(accuracy_of "$cfg" "$net" "$data" test)
    [ ! -f "$out/finetuned.weights" ] || after=$(accuracy_of "$cfg" "$out/finetuned.weights" "$data" test)
    share=$(calc "$(macs_of "$cfg") / $(macs_of "cfg/$name.cfg")")
    sed -i "/^$1,$2,/d" "$csv" # what it was before training
    printf '%s,%s,%s,%s,%s\n' "$1" "$2" "$share" "$before" "$after" >>"$csv"
    say "$1, seed $2: $share of the FLOPs, test accuracy ${before:--}, trained ${after:--}"
}

# Each policy's networks by a function, policy and seed as its arguments.
each() { # function
    local policy seed
    for policy in $policies; do
        case $policy in
        amc | random | greedy) for seed in $seeds; do "$1" "$policy" "$seed"; done ;;
        *) "$1" "$policy" "${seeds%% *}" ;;
        esac
    done
}

# Those that are there, jobs at a time; a training that fails leaves the others be.
start_training_of() { # policy seed
    local out cfg net
    locate "$@"
    if [ ! -f "$cfg" ]; then return; fi
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do sleep 0.2; done
    (train_network "$@") &
}

mkdir -p "$dir"
[ -f "$dir/settings" ] || echo "$settings" >"$dir/settings"
[ "$(cat "$dir/settings")" = "$settings" ] ||
    fail "$dir has rows made with $(cat "$dir/settings"), expected the same or another folder"
[ -s "$csv" ] || echo 'policy,seed,flops,test_before,test_after' >"$csv"
case $only in
prune) each make_network ;;
train)
    each start_training_of
    wait
    ;;
'') each row ;;
*) fail "only=$only, expected prune or train" ;;
esac
