#!/usr/bin/env bash
# Latency and memory end to end: what `latency` says, that times are kept between runs and survive a file that is none,
# and that searches and prunings keep their budgets. How fast anything is is none of a test's business.
# shellcheck disable=SC2016 # awk's own $1
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"
# shellcheck source=tests/cmd/amc_lib.sh
. "$root/tests/cmd/amc_lib.sh"
readonly KEYS='latency_ms lower_quartile_ms upper_quartile_ms images_per_s'

# The file that times are kept in, as far as it is there.
cache() { find "$work/cache" -name 'latency-*.json' 2>/dev/null; }

# Whether the last command measured a table of times.
measured() { grep -q '^measuring how long the layers of cfg/tiny.cfg take on . thread' "$work.err"; }

latency() {
    run 'latency' latency cfg/tiny.cfg weights/tiny.weights -rounds 7
    check 'latency: a line a layer' "$(grep -c '^ *[0-9]' "$work.out") lines" \
        [ "$(grep -c '^ *[0-9]' "$work.out")" = 13 ]
    check 'latency: total' "$(tail -n 1 "$work.out")" grep -qE \
        '^an image takes [0-9.e-]+ ms \(quartiles [0-9.e-]+ to [0-9.e-]+, 7 rounds\) on [0-9]+ threads?: [0-9]+ images/s, [0-9.]+ GFLOP/s$' \
        "$work.out"
    run 'latency without weights' latency cfg/tiny.cfg -rounds 9 -threads 2 -json
    check_json 'latency' "$KEYS rounds threads macs layers"
    check_holds 'latency: values' "$(number lower_quartile_ms "$work.out") <= $(number latency_ms "$work.out") &&
        $(number latency_ms "$work.out") <= $(number upper_quartile_ms "$work.out") &&
        $(number rounds "$work.out") == 9 && $(number threads "$work.out") == 2 && $(number macs "$work.out") == 94032"
    check_holds 'latency: images a second' \
        "($(number images_per_s "$work.out") * $(number latency_ms "$work.out") / 1000 - 1) ^ 2 < 1e-8"
    check 'latency: nothing is kept that nobody asked for' "$(cache)" [ ! -e "$work/cache" ]
    run 'latency of a policy' latency cfg/tiny.cfg -policy half.json -rounds 5 -json
    check_json 'latency of a policy' "$KEYS whole_ms share rounds threads macs layers"
    check_holds 'latency of a policy: of the smaller network' "$(number macs "$work.out") < 94032"
}

kept() {
    local first
    run 'latency -predict' latency cfg/tiny.cfg -predict -rounds 5 -threads 1 -json
    check_json 'latency -predict' "$KEYS predicted_ms rounds threads macs layers"
    check_holds 'latency -predict: a time' "$(number predicted_ms "$work.out") > 0"
    check 'latency -predict: says that it measures' "$(cat "$work.err")" measured
    check 'latency -predict: times are kept' "$(find "$work/cache")" [ "$(cache | wc -l)" = 1 ]
    check 'what is kept is JSON' "$(head -c 300 "$(cache)")" is_json "$(cache)"
    first=$(number predicted_ms "$work.out")

    run 'latency -predict again' latency cfg/tiny.cfg -predict -rounds 5 -threads 1 -json
    check 'what was kept is used' "$(cat "$work.err")" [ ! -s "$work.err" ]
    check_holds 'the same prediction' "$(number predicted_ms "$work.out") == $first"
    run 'latency -predict of a policy' latency cfg/tiny.cfg -predict -policy half.json -rounds 5 -threads 1 -json
    check_json 'latency -predict of a policy' "$KEYS predicted_ms whole_ms share predicted_share rounds threads macs layers"
    check 'a policy needs no times of its own' "$(cat "$work.err")" [ ! -s "$work.err" ]
    check_holds 'a policy: predicted' "$(number predicted_ms "$work.out") < $first &&
        ($(number predicted_share "$work.out") * $first / $(number predicted_ms "$work.out") - 1) ^ 2 < 1e-8"

    run 'latency -predict on two threads' latency cfg/tiny.cfg -predict -rounds 5 -threads 2
    check 'other threads, another file' "$(cache)" [ "$(cache | wc -l)" = 2 ]
    rm "$(cache | grep -- '-2.json$')"
    run 'latency -remeasure' latency cfg/tiny.cfg -predict -remeasure -rounds 5 -threads 1
    check '-remeasure: measures' "$(cat "$work.err")" measured
}

# spoilt NAME: the cache's file is done without, and replaced.
spoilt() {
    local file
    file=$(cache)
    run "$1" latency cfg/tiny.cfg -predict -rounds 5 -threads 1
    check "$1: measured anew" "$(cat "$work.err")" measured
    check "$1: replaced" "$(head -c 100 "$file")" is_json "$file"
}

spoilt_files() {
    local file
    file=$(cache)
    echo 'nonsense' >"$file"
    spoilt 'a cache that is none'
    check 'a cache that is none: one sentence' "$(cat "$work.err")" [ "$(grep -c 'expected a table of latencies' "$work.err")" = 1 ]
    head -c 1000 "$file" >"$work.cut" && cp "$work.cut" "$file"
    spoilt 'a cache that was cut'
    sed -i 's/"made_by":"[^"]*"/"made_by":"another program"/' "$file"
    spoilt 'a cache of other kernels'
    check 'a cache of other kernels: nothing is wrong with it' "$(cat "$work.err")" \
        [ "$(grep -c 'expected' "$work.err")" = 0 ]
    rm -r "$work/cache"
    echo 'a file' >"$work/cache"
    run 'no folder for the cache' latency cfg/tiny.cfg -predict -rounds 5 -threads 1
    check 'no folder for the cache: says so' "$(cat "$work.err")" grep -q 'what was measured is not kept' "$work.err"
    rm "$work/cache"
}

# Times by which any machine can keep the same budgets: of each layer they grow with channels, in equal steps.
make_times_up() {
    local file
    rm -rf "$work/cache"
    run 'times to be replaced' latency cfg/tiny.cfg -predict -rounds 5
    file=$(cache)
    awk '
        BEGIN { RS = "\"ns\":"; ORS = "" }
        NR == 1 { print; next }
        {
            end = index($0, "]")
            n = split(substr($0, 1, end - 1), ns, ",")
            print "\"ns\":["
            for (i = 1; i <= n; i++) print (i > 1 ? "," : "") 1000 * i
            print substr($0, end)
        }' "$file" >"$work.times"
    cp "$work.times" "$file"
}

budgets() {
    local csv=out/search/episodes.csv
    make_times_up
    run 'prune -latency' prune cfg/tiny.cfg -policy uniform -latency .6 -out out/latency -json
    check_json 'prune -latency' "$CHANNEL_KEYS latency_ms latency_ms_before"
    run 'prune -memory' prune cfg/tiny.cfg -policy uniform -memory .6 -out out/memory -json
    check_json 'prune -memory' "$CHANNEL_KEYS memory_bytes memory_bytes_before"
    check_holds 'prune -memory: the budget is kept' \
        "$(number memory_bytes "$work.out") <= .6 * $(number memory_bytes_before "$work.out")"
    # Image 3x64, then 12x64 twice at a time, 12x64 and 16x64, or that and its pooled quarter.
    check_holds 'prune -memory: before' "$(number memory_bytes_before "$work.out") == 4 * 64 * (12 + 16)"
    run 'prune: all budgets' prune cfg/tiny.cfg -policy random -memory .8 -latency .8 -flops .7 -params .9 -out out/all
    check 'prune: prints what was measured' "$(cat "$work.out")" grep -qE \
        '^milliseconds an image [0-9.e-]+ -> [0-9.e-]+, [0-9.]+ times as fast \(measured in turn\)$' "$work.out"
    check 'prune: prints memory' "$(cat "$work.out")" grep -qE '^bytes of activations 7.17 k -> [0-9.]+ k \([0-9.]+%\)$' "$work.out"
    run 'prune surgeon -memory -latency' prune cfg/tiny.cfg -policy surgeon -memory .7 -latency .8 -reconstruct 16 -out out/surgeon -json
    check_holds 'prune surgeon: the budget is kept' \
        "$(number memory_bytes "$work.out") <= .7 * $(number memory_bytes_before "$work.out")"

    run 'search -latency' search cfg/tiny.cfg -latency .7 -episodes 8 -warmup 4 -out out/search -json
    check_json 'search -latency' "$CHANNEL_KEYS $SEARCH_KEYS latency_ms latency_ms_before references"
    check 'search -latency: says so' "$(cat "$work.err")" grep -q 'within 70.00% of the latency$' "$work.err"
    check 'search -latency: shows it' "$(cat "$work.err")" grep -qE '^episode 1/8: .*, [0-9.]+% latency, best' "$work.err"
    check 'search -latency: a column of it' "$(head -n 1 $csv)" grep -q ',params,latency_ms,g0_layer0,' $csv
    run 'latency of the best' latency cfg/tiny.cfg -predict -policy out/search/policy.json -rounds 5 -json
    check_holds 'search -latency: the budget is kept' "$(number predicted_share "$work.out") <= .7"
    check 'search -latency: no episode is over it' "$(cut -d, -f 7 $csv)" awk -F, -v share="$(number predicted_share "$work.out")" \
        -v ms="$(number predicted_ms "$work.out")" 'NR > 1 && $7 > .7 * ms / share + 1e-6 { bad = 1 } END { exit bad }' $csv
    run 'search -memory' search cfg/tiny.cfg -memory .7 -flops .7 -episodes 4 -warmup 2 -threads 2 -out out/search_memory -json
    check_json 'search -memory' "$CHANNEL_KEYS $SEARCH_KEYS memory_bytes memory_bytes_before references"
    check 'search without a budget on latency: no column of it' "$(head -n 1 out/search_memory/episodes.csv)" \
        grep -q ',params,g0_layer0,' out/search_memory/episodes.csv
}

fixture_make 64 60 20
echo '{"groups": [{"layers": [0], "ratio": 0.5}, {"layers": [8], "ratio": 0.5}]}' >half.json
latency
kept
spoilt_files
budgets
