#!/usr/bin/env bash
# Kills searches and resumes them: RUNS times (default 20) a search is killed (SIGKILL) at a random moment, is resumed
# and killed at another, and is resumed. What its folder holds in the end must be, byte for byte, what a search leaves
# that nobody killed. Last line: `N of N resumed searches ended in the same files`; exit status 1 if some didn't.
#
#   scripts/crash_test.sh [RUNS [CFG WEIGHTS DATA [SEARCH OPTION...]]]
#
# Without CFG, cfg/fashion.cfg and a search of seconds. $SEED (default 1) is of the moments, $DARKNET the binary (default
# bin/darknet).
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binary=${DARKNET:-$root/bin/darknet}
runs=${1:-20}
[[ $runs =~ ^[1-9][0-9]*$ ]] || {
    echo "crash_test.sh: $runs, expected how many searches to kill" >&2
    exit 1
}
if [ $# -lt 2 ]; then
    cd "$root"
    set -- "$runs" cfg/fashion.cfg weights/fashion.weights cfg/fashion.data -episodes 40 -limit 200 -reconstruct 200 \
        -calibrate 64 -refit 200
fi
search=("$binary" amc search "$2" "$3" -data "$4" "${@:5}")
RANDOM=${SEED:-1}
work=$(mktemp -d)
process=
trap '[ -z "$process" ] || kill -KILL "$process" 2>/dev/null || :; rm -rf "$work"' EXIT

now() { date +%s.%N; }

# Files of a result; what else a folder holds is a fault but for the checkpoint.
same_files() { # folder
    local file
    [ "$(ls -A "$1")" = "$(ls -A "$work/whole")" ] || return
    for file in "$work"/whole/*; do
        case $file in
        */checkpoint) ;;
        */result.json) cmp -s <(sed "s#$work/whole#$1#" "$file") "$1/result.json" || return ;; # names its folder
        *) cmp -s "$file" "$1/${file##*/}" || return ;;
        esac
    done
}

# Resumes the search in the folder and kills it at a random moment, if it is still at work then; 0 if it was.
killed() { # folder
    local share=$RANDOM # not drawn in the $(...) below, which has random numbers of its own
    "${search[@]}" -out "$1" -resume >"$work/out" 2>>"$work/err" &
    process=$!
    sleep "$(awk "BEGIN { print $seconds * $share / 32768 }")"
    local status=0
    kill -KILL "$process" 2>/dev/null || :
    { wait "$process" || status=$?; } 2>/dev/null
    process=
    [ $status = 137 ]
}

start=$(now)
"${search[@]}" -out "$work/whole" >"$work/out" 2>"$work/err" || {
    tail -n 1 "$work/err" >&2
    exit 1
}
seconds=$(awk "BEGIN { print $(now) - $start }")

same=0 kills=0
for ((run = 1; run <= runs; run++)); do
    folder=$work/run-$run
    : >"$work/err"
    for ((i = 0; i < 2; i++)); do
        if killed "$folder"; then kills=$((kills + 1)); fi
    done
    if "${search[@]}" -out "$folder" -resume >"$work/out" 2>>"$work/err" && same_files "$folder"; then
        same=$((same + 1))
    else
        printf 'run %d: %s; there are %s\n' "$run" "$(tail -n 1 "$work/err")" "$(find "$folder" -mindepth 1 -printf '%P ')"
    fi
    rm -rf "$folder"
done
printf 'killed %d times\n%d of %d resumed searches ended in the same files\n' "$kills" "$same" "$runs"
[ "$same" = "$runs" ]
