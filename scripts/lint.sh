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

sources() { find amc_plugin tests -name '*.[ch]' | LC_ALL=C sort; }

# A line of clang-format's for each place, without the source that it quotes below it.
check_format() {
    need clang-format || return
    sources | xargs clang-format --dry-run -Werror 2>&1 | sed -n 's/ \[-Wclang-format-violations\]$//p'
}

# -D: cppcheck doesn't read cmocka's headers. ctuuninitvar takes an amc_error that is to be filled for one that is read.
check_c() {
    need cppcheck || return
    cppcheck --quiet --enable=warning,performance,portability --std=c11 --inline-suppr -j "$(nproc)" \
        --suppress=ctuuninitvar -I amc_plugin -I tests -D_GNU_SOURCE -D'assert_non_null(x)=assert(x)' \
        --template='{file}:{line}: {severity}: {message} [{id}]' amc_plugin tests 2>&1
}

# shellcheck is no must: the scripts' own checks run without it.
check_shell() {
    command -v shellcheck >/dev/null || return
    shellcheck -x -f gcc .ci/run $(find scripts tests -name '*.sh' | LC_ALL=C sort)
}

# Every include of another tier's header, as `file:line:tier`.
includes_of() { grep -noE '^#[[:space:]]*include[[:space:]]+"[a-z_]+/' "$1" /dev/null | sed -E 's/#.*"(.*)\//\1/'; }

check_includes() {
    local file line tier own known=" ${!MAY_INCLUDE[*]} "
    for file in amc_plugin/*/*.[ch]; do
        own=$(basename "$(dirname "$file")")
        if [[ $known != *" $own "* ]]; then
            echo "$file:1: error: $own/ is no tier that lint knows"
            continue
        fi
        while IFS=: read -r file line tier; do
            [[ " $own ${MAY_INCLUDE[$own]} " == *" $tier "* ]] ||
                echo "$file:$line: error: $own/ includes $tier/, expected only: ${MAY_INCLUDE[$own]:-nothing}"
        done < <(includes_of "$file")
    done
    grep -nE '^#[[:space:]]*include[[:space:]]+[<"]darknet\.h[>"]' -r amc_plugin --include='*.[ch]' |
        grep -v '^amc_plugin/host/' | sed -E 's/^([^:]*:[0-9]+):.*/\1: error: includes darknet.h, expected only in host\//'
}

main() {
    local found
    found=$(check_format; check_c; check_shell; check_includes)
    [ -z "$found" ] && return
    printf '%s\n' "$found"
    exit 1
}

main
