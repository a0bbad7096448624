#!/usr/bin/env bash
# How far each network of darknet/cfg and cfg/ can be pruned, and what that costs: a line of
# scripts/results/networks.csv for each that isn't there yet. Its weights are random, of the right
# size; pruned to half of the FLOPs uniformly, three times, on an otherwise idle machine please.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly KEPT=scripts/results/networks.csv
readonly HEADER=network,groups,prunable_groups,prunable_share,smallest_share,weights_bytes,seconds,peak_kib
readonly TOOL=build/release/tests/support/random_weights

# SECONDS PEAK of pruning, the median of three runs.
measure() { # cfg weights
    local i
    for i in 1 2 3; do
        command time -f '%e %M' -o "$work/time$i" bin/darknet amc prune "$1" "$2" -policy uniform -flops 0.5 -quiet \
            -out "$work/out" -force >/dev/null
    done
    sort -n "$work"/time? | sed -n 2p
}

network() { # cfg
    local name weights=$work/random.weights info seconds peak
    name=$(basename "$1" .cfg)
    [ "${1%/*}" = cfg ] || name=darknet/$name
    grep -q "^$name," "$KEPT" && return
    info=$(bin/darknet amc info "$1" -json 2>/dev/null) || return 0 # recurrent
    printf '%s\n' "$name"
    "$TOOL" "$1" "$weights"
    read -r seconds peak < <(measure "$1" "$weights")
    printf '%s,%s,%s,%s,%s,%s,%s,%s\n' "$name" "$(grep -c '"units":' <<<"$info")" \
        "$(grep -c '"prunable":[[:space:]]*true' <<<"$info")" "$(number prunable_share <<<"$info")" \
        "$(number smallest_share <<<"$info")" "$(stat -c %s "$weights")" "$seconds" "$peak" >>"$KEPT"
}

make -s all "$TOOL"
work=$(mktemp -d "${TMPDIR:-/tmp}/amc-networks-XXXXXX")
trap 'rm -rf "$work"' EXIT
[ -s "$KEPT" ] || echo $HEADER >"$KEPT"
printf '%s cores, %s\n' "$(nproc)" "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)" \
    >scripts/results/networks.machine
for cfg in cfg/*.cfg darknet/cfg/*.cfg; do network "$cfg"; done
