#!/usr/bin/env bash
# Runs test programs (cmocka, any number of tests each) and shell tests (which run the binary at $DARKNET and print
# `ok NAME` or `not ok NAME: why` for each check), prints what failed and, last, `N passed, N failed`.
#
#   tests/run.sh FILE...        ONLY=WORD takes the files whose path contains the word
#
# A file that crashes, runs for more than TEST_SECONDS (default 600), or ends without the checks that it announced has
# failed once more. Exit status 1 if anything failed.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# Waiting threads give the processor up, and sanitizers know which leaks are Darknet's.
export GOMP_SPINCOUNT=${GOMP_SPINCOUNT-4000}
export CMOCKA_MESSAGE_OUTPUT=TAP
export LSAN_OPTIONS="suppressions=$PWD/tests/lsan.supp:print_suppressions=0${LSAN_OPTIONS:+:$LSAN_OPTIONS}"
export ASAN_OPTIONS="detect_stack_use_after_return=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export UBSAN_OPTIONS="print_stacktrace=1${UBSAN_OPTIONS:+:$UBSAN_OPTIONS}"

passed=0 failed=0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
log=$folder/log

run() { # the file's output goes to $log; its own folder for temporary files is removed after it
    mkdir -p "$folder/tmp"
    local command=("$1")
    case $1 in *.sh) command=(bash "$1") ;; esac
    TMPDIR=$folder/tmp timeout -k 5 "${TEST_SECONDS:-600}" "${command[@]}" >"$log" 2>&1 </dev/null
    local status=$?
    rm -rf "$folder/tmp"
    return $status
}

count() { grep -acE "$1" "$log"; }

# What a run of the file at $1 that ended with status $2 says: adds to passed and failed.
tally() {
    local ok bad skipped planned extra=0 why=''
    ok=$(count '^ok( [^-]|$)')
    skipped=$(count '^not ok [0-9]+ # SKIP') # as cmocka puts it
    bad=$(($(count '^not ok( [^-]|$)') - skipped))
    planned=$(sed -n 's/^1\.\.\([0-9][0-9]*\).*/\1/p' "$log" | awk '{ n += $1 } END { print n + 0 }')
    if [ "$2" = 124 ] || [ "$2" = 137 ]; then
        extra=1 why="ran for more than ${TEST_SECONDS:-600} seconds"
    elif [ $((ok + bad + skipped)) -lt "$planned" ]; then
        extra=1 why="ended after $((ok + bad + skipped)) of $planned checks, exit status $2"
    elif [ $((ok + bad + skipped)) = 0 ]; then
        extra=1 why="made no checks, exit status $2"
    elif [ "$2" != 0 ] && [ "$bad" = 0 ]; then
        extra=1 why="every check passed, but the exit status is $2"
    fi
    passed=$((passed + ok)) failed=$((failed + bad + extra))
    if [ $((bad + extra)) -gt 0 ]; then
        printf -- '---- %s failed%s\n' "$1" "${why:+: $why}"
        grep -av '^ok ' "$log" | tail -n "${TEST_LINES:-60}"
    else
        printf '     %s: %d passed%s\n' "$1" "$ok" "$([ "$skipped" = 0 ] || echo ", $skipped skipped")"
    fi
}

for file in "$@"; do
    case $file in *"${ONLY:-}"*) ;; *) continue ;; esac
    run "$file"
    tally "${file#build/*/}" $?
done
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
