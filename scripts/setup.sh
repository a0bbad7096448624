#!/usr/bin/env bash
# Installs the Debian packages that building, testing, the demo and the figures need, as far as they are missing.
# Silent when all are there.
set -euo pipefail

readonly PACKAGES=(
    build-essential git
    libopenblas-dev       # matrix products
    liblapacke-dev        # headers of LAPACK, which OpenBLAS has: least squares
    libcjson-dev          # policies and -json
    libzstd-dev           # what a file takes when compressed
    libcmocka-dev         # unit tests
    valgrind              # looks for leaks in them
    darknet               # the stock program: reads what this project writes, in the tests
    python3-opencv        # so does this, written by others again
    dataset-fashion-mnist # pictures for the demo
    curl ca-certificates  # CIFAR-10's archive
    zstd                  # the tool, which tests compare with
    gnuplot-nox           # figures
    clang-format cppcheck # make lint
    hyperfine time        # make bench, make results
)

fail() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}

# The ones of PACKAGES that dpkg doesn't hold for installed ('ii' means wanted and installed).
missing_packages() {
    local installed
    # shellcheck disable=SC2016  # dpkg-query's own placeholders
    installed=$(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' "${PACKAGES[@]}" 2>/dev/null | sed -n 's/^.i //p') || :
    printf '%s\n' "${PACKAGES[@]}" | grep -vxF "$installed" || :
}

# Without asking anything, and waiting for another apt-get that may be running.
apt_get() {
    local root=()
    [ "$(id -u)" = 0 ] || root=(sudo)
    "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -oDPkg::Lock::Timeout=300 -oDpkg::Use-Pty=0 "$@"
}

# Package lists that are missing or out of date make the first attempt fail at once; only then are they fetched.
# What apt-get has to say matters if the second attempt fails too.
install() {
    local log
    apt_get install --no-install-recommends "$@" >/dev/null 2>&1 && return
    log=$( (apt_get update && apt_get install --no-install-recommends "$@") 2>&1) && return
    printf '%s\n' "$log" >&2
    return 1
}

main() {
    if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
        printf 'setup: %s\n' "this is no Debian, so install these yourself: a C compiler, make, git, OpenBLAS, cJSON, \
zstd and cmocka (with their headers), curl, gnuplot, clang-format, cppcheck and hyperfine" >&2
        return 0 # what isn't there will be missed by what needs it
    fi
    local missing
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} = 0 ] && return
    [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || fail "install these as root: apt-get install ${missing[*]}"
    printf 'setup: installing %s\n' "${missing[*]}"
    install "${missing[@]}" || fail "apt-get couldn't install all of: ${missing[*]}"
}

main "$@"
