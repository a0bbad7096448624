#!/usr/bin/env bash
# Whether a search's memory grows: its resident memory after EPISODES episodes (default 400) must be within PERCENT
# (default 1) of that after 10. A tenth more episodes are run, so that the last reading, too, is of a search that goes on.
#
#   scripts/bench/memory.sh CFG WEIGHTS DATA [EPISODES] [SEARCH OPTION...]
#
# For example, the search of Plain-20 on 5,000 images:
#
#   scripts/bench/memory.sh cfg/plain20.cfg weights/plain20.weights cfg/plain20.data 400 -limit 5000
#
# $DARKNET is the binary (default bin/darknet). Exit status 1 if memory grew or shrank by more, or the search failed.
set -euo pipefail
readonly FIRST=10 PERCENT=${PERCENT:-1}

fail() {
    printf 'memory.sh: %s\n' "$*" >&2
    exit 1
}

[ $# -ge 3 ] || fail "expected: CFG WEIGHTS DATA [EPISODES] [SEARCH OPTION...]"
readonly cfg=$1 weights=$2 data=$3 episodes=${4:-400}
[[ $episodes =~ ^[1-9][0-9]*0$ && $episodes -gt $FIRST ]] || fail "$episodes episodes, expected a multiple of 10 above 10"
binary=${DARKNET:-$(dirname "${BASH_SOURCE[0]}")/../../bin/darknet}
folder=$(mktemp -d)
process=
trap '[ -z "$process" ] || kill -KILL "$process" 2>/dev/null || :; rm -rf "$folder"' EXIT

# Resident memory of the search in KiB, which stands still meanwhile. Every tenth episode is shown.
resident() {
    kill -STOP "$process" || fail 'the search ended early'
    awk '/^VmRSS:/ { print $2 }' "/proc/$process/status"
    kill -CONT "$process"
}

mkfifo "$folder/shown"
: >"$folder/log"
"$binary" amc search "$cfg" "$weights" -data "$data" -episodes $((episodes + episodes / 10)) -out "$folder/out" "${@:5}" \
    >/dev/null 2>"$folder/shown" &
process=$!
before='' after=''
while IFS= read -r line; do
    printf '%s\n' "$line" >>"$folder/log"
    case $line in
    "episode $FIRST/"*) before=$(resident) ;;
    "episode $episodes/"*)
        after=$(resident)
        break
        ;;
    esac
done <"$folder/shown"
[ -n "$after" ] || fail "the search ended early: $(tail -n 1 "$folder/log")"
change=$(awk -v a="$before" -v b="$after" 'BEGIN { printf "%+.2f", 100 * (b - a) / a }')
printf -v found '%d KiB after %d episodes, %d KiB after %d: %s%%' "$before" $FIRST "$after" "$episodes" "$change"
awk -v x="$change" -v most="$PERCENT" 'BEGIN { exit x > most || x < -most }' ||
    fail "memory grew or shrank by more than $PERCENT%: $found"
printf 'resident memory: %s\n' "$found"
