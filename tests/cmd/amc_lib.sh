# shellcheck shell=bash
# How tests of the commands call them and read what they say; to be sourced after fixture.sh.

: "${DARKNET:?the binary to test}" "${work:?a folder of the test}"

# Keys of a result of channels and of single weights, and what a search says besides.
# shellcheck disable=SC2034 # read by tests
readonly RESULT_KEYS='command original_cfg original_weights cfg weights granularity macs macs_before params params_before'
# shellcheck disable=SC2034
readonly CHANNEL_KEYS="$RESULT_KEYS bytes bytes_before layers" \
    WEIGHT_KEYS="$RESULT_KEYS zstd_bytes zstd_bytes_before layers" \
    SEARCH_KEYS='data accuracy_before accuracy expected accuracy_in_search expected_in_search reward episodes images_scored'

# amc ARGS...: runs the command; its stdout goes to $work.out, its stderr to $work.err.
amc() { timeout 60 "$DARKNET" amc "$@" >"$work.out" 2>"$work.err" </dev/null; }

# run NAME ARGS...: amc ARGS succeeds.
run() {
    if amc "${@:2}"; then ok "$1"; else not_ok "$1" "exit status $?: $(cat "$work.err")"; fi
}

# The number that key $1 of a JSON object has, the first one in file $2.
number() { sed -n "s/^.*\"$1\":[[:space:]]*\([-0-9.e+]*\).*/\1/p" "$2" | head -n 1; }

# Keys of the JSON object in file $1, as cJSON prints it: one a line, its own indented by one tab.
keys() { sed -n 's/^\t"\([^"]*\)":.*/\1/p' "$1" | tr '\n' ' '; }

# Keys of the first object of the array at key $1 of what the last command printed.
inner_keys() { sed -n "/^\t\"$1\":/,/^\t\t}/s/^\t\t\t\"\([^\"]*\)\":.*/\1/p" "$work.out" | tr '\n' ' '; }

# Whether an independent reader takes file $1 for JSON.
is_json() {
    if command -v jq; then
        jq . "$1"
    elif command -v python3; then
        python3 -m json.tool "$1"
    else
        echo 'neither jq nor python3 is there to parse JSON' >&2
    fi >/dev/null
}

# holds EXPRESSION: whether it is true of numbers, as awk reads them.
holds() { awk "BEGIN { exit !($1) }"; }

check_holds() { check "$1" "$2" holds "$2"; }

# check_json NAME KEYS: what the last command printed is one JSON object with exactly these keys, in this order.
check_json() {
    check "$1: JSON" "$(head -c 300 "$work.out")" is_json "$work.out"
    check "$1: keys" "found $(keys "$work.out")" [ "$(keys "$work.out")" = "$2 " ]
}
