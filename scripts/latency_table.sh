#!/usr/bin/env bash
# How well latency is predicted: 20 random plans of a network, from 20% to 90% of its FLOPs, predicted from times of the
# network's layers, and measured in turn with the whole network. Lines of scripts/results/NAME/latency.csv, as far as
# they aren't there yet, and a table. Shares of the whole network's time are what budgets are about; milliseconds can
# only be right on a machine that does nothing else, so what spreads by more than a quarter between quartiles is measured
# again, twice at most. Without weights/NAME.weights the weights are random: time hardly depends on them.
#
#   scripts/latency_table.sh NAME [THREADS]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly name=$1 threads=${2:-$(nproc)} PLANS=20 TOOL=build/release/tests/support/random_weights
readonly csv=scripts/results/$name/latency.csv

# budget_of PLAN: 0.2 for the first, 0.9 for the last.
budget_of() { awk -v plan="$1" 'BEGIN { printf "%.3f", 0.2 + 0.7 * (plan - 1) / ('$PLANS' - 1) }'; }

# The weights to prune: the trained ones, or random ones.
weights() {
    if [ -f "weights/$name.weights" ]; then
        echo "weights/$name.weights"
        return
    fi
    make -s $TOOL >&2
    $TOOL "cfg/$name.cfg" "$work/$name.weights"
    echo "$work/$name.weights"
}

# Whether quartiles are near each other in that JSON.
is_steady() {
    awk -v low="$(number lower_quartile_ms <<<"$1")" -v high="$(number upper_quartile_ms <<<"$1")" \
        'BEGIN { exit !(high < 1.25 * low) }'
}

# The JSON of a plan's latency, measured and predicted.
measure() { # policy
    local json
    for _ in 1 2 3; do
        json=$(bin/darknet amc latency "cfg/$name.cfg" -policy "$1" -predict -threads "$threads" -json)
        if is_steady "$json"; then break; fi
    done
    echo "$json"
}

row() { # plan weights
    local json budget key line
    budget=$(budget_of "$1")
    grep -q "^$1,$threads," "$csv" && return
    bin/darknet amc prune "cfg/$name.cfg" "$2" -policy random -flops "$budget" -seed "$1" -out "$work/out" -force -quiet >/dev/null
    json=$(measure "$work/out/policy.json")
    line=$1,$threads,$budget
    for key in macs predicted_ms latency_ms lower_quartile_ms upper_quartile_ms predicted_share share; do
        line=$line,$(number $key <<<"$json")
    done
    echo "$line" >>"$csv"
}

print_table() {
    awk -F, -v threads="$threads" '
        # Puts x into the ordered list of n others.
        function insert(list, n, x) {
            for (; n > 0 && list[n] > x; n--) list[n + 1] = list[n]
            list[n + 1] = x
        }
        function size(x) { return x < 0 ? -x : x }
        function middle(list, n) { return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2 }
        NR > 1 && $2 == threads {
            share = 100 * ($9 / $10 - 1)
            ms = 100 * ($5 / $6 - 1)
            printf "plan %2d, %2.0f%% of the FLOPs: predicted %5.1f%% of the time, measured %5.1f%% (%+5.1f%%); " \
                "predicted %.4f ms, measured %.4f (%+5.1f%%)\n", $1, 100 * $3, 100 * $9, 100 * $10, share, $5, $6, ms
            insert(shares, n, size(share))
            insert(times, n, size(ms))
            n++
        }
        END {
            printf "%d plans on %d threads: errors of the share %.1f%% at worst, %.1f%% in the median; of milliseconds " \
                "%.1f%% and %.1f%%\n", n, threads, shares[n], middle(shares, n), times[n], middle(times, n)
        }' "$csv"
}

make -s all
work=$(mktemp -d "${TMPDIR:-/tmp}/amc-latency-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$(dirname "$csv")"
[ -s "$csv" ] || echo 'plan,threads,budget,macs,predicted_ms,measured_ms,lower_quartile_ms,upper_quartile_ms,predicted_share,share' >"$csv"
pruned=$(weights)
for plan in $(seq $PLANS); do row "$plan" "$pruned"; done
print_table
