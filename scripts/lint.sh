#!/usr/bin/env bash
# Checks the sources: their format (clang-format; `make format` mends it), what cppcheck and shellcheck find, and that
# includes go down only, from tier to tier. One line for each violation; exit status 1 if there is one.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

# The tiers that each tier of amc_plugin/ may include besides itself.
declare -rA MAY_INCLUDE=(
    [base]=''
    [kernels]='base'
    [model]='base'
    [agent]='kernels base'
    [host]='model kernels base'
    [search]='agent model base'
    [cmd]='search host agent model kernels base'
)

# The tool, or a line that it is missing: what couldn't be checked has not passed.
need() {
    command -v "$1" >/dev/null && return
    echo "lint: $1 is not installed (scripts/setup.sh installs it)"
    return 1
}

sources() { find amc_plugin tests scripts/bench -name '*.[ch]' -o -name '*.cu' | LC_ALL=C sort; }

# A line of clang-format's for each place, without the source that it quotes below it.
check_format() {
    need clang-format || return
    sources | xargs clang-format --dry-run -Werror 2>&1 | sed -nE -e 's/ \[-Wclang-format-violations\]$//' -e '/^[^ ]+: error: /p'
}

# ctuuninitvar takes an amc_error that is to be filled for one that is read.
check_c() {
    need cppcheck || return
    cppcheck --quiet --enable=warning,performance,portability --std=c11 --inline-suppr -j "$(nproc)" \
        --suppress=ctuuninitvar -I amc_plugin -I tests -D_GNU_SOURCE \
        --template='{file}:{line}: {severity}: {message} [{id}]' amc_plugin tests scripts/bench 2>&1
}

# Not a must: setup.sh doesn't install it.
check_shell() {
    command -v shellcheck >/dev/null || return
    find .ci/run scripts tests -name run -o -name '*.sh' | LC_ALL=C sort | xargs shellcheck -x -f gcc
}

# What is wrong with an include of the header $2 (with its quotes or brackets) in a file of tier $1; nothing if it is fine.
include_fault() {
    local tier=${2%%/*}
    tier=${tier#\"}
    case $2 in
    [\"\<]darknet.h[\"\>] | [\"\<]stb_image.h[\"\>])
        [ "$1" = host ] || echo "expected it only in host/"
        ;;
    \"[a-z]*/*)
        [[ " $1 ${MAY_INCLUDE[$1]} " == *" $tier "* ]] || echo "expected only: $1 ${MAY_INCLUDE[$1]}"
        ;;
    \"*) # Darknet's other headers lie in no folder
        [[ $1 == host && $2 != *..* ]] || echo 'expected "tier/file.h"'
        ;;
    esac
}

check_includes() {
    local file line header tier fault tiers=" ${!MAY_INCLUDE[*]} "
    while IFS=: read -r file line header; do
        tier=$(basename "$(dirname "$file")")
        if [[ $tiers != *" $tier "* ]]; then
            fault='which is no tier that lint knows'
        else
            fault=$(include_fault "$tier" "$header")
        fi
        [ -z "$fault" ] || echo "$file:$line: error: $tier/ includes $header, $fault"
    done < <(grep -rnE --include='*.[ch]' --include='*.cu' '^[[:space:]]*#[[:space:]]*include' amc_plugin |
        sed -E 's/^([^:]*:[0-9]+:)[[:space:]]*#[[:space:]]*include[[:space:]]*([^[:space:]]*).*/\1\2/')
}

main() {
    local found
    found=$(check_format; check_c; check_shell; check_includes)
    [ -z "$found" ] && return
    printf '%s\n' "$found"
    exit 1
}

main
