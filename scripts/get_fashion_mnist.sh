#!/usr/bin/env bash
# Makes data/fashion-mnist: Fashion-MNIST as grey 28x28 PNG files with lists for Darknet (see images_lib.sh).
#
# The raw files come from Debian's package dataset-fashion-mnist where it is installed, else from the authors' public
# archive; either way their SHA-256 must be right. Silent when the set is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly SET=fashion-mnist
# In the order of the class numbers. The set's own names won't do: Darknet looks for labels anywhere in a path, and
# 't-shirt' holds 'shirt'.
readonly CLASSES=(tee trouser pullover dress coat sandal shirt sneaker bag boot)
readonly TRAIN_PER_CLASS=6000 TEST_PER_CLASS=1000

readonly DEBIAN=/usr/share/datasets/fashion-mnist
readonly ARCHIVE=https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion
readonly FILES=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)

. scripts/images_lib.sh

make_raw() {
    local file
    for file in "${FILES[@]}"; do
        if [ -f "$DEBIAN/$file.gz" ]; then
            gzip -dc "$DEBIAN/$file.gz" >"$part/raw/$file"
        else
            curl -fsSL --connect-timeout 15 "$ARCHIVE/$file.gz" 2>/dev/null | gzip -dc >"$part/raw/$file" 2>/dev/null ||
                fail "install Debian's package dataset-fashion-mnist (scripts/setup.sh does), for $ARCHIVE can't be reached"
        fi
    done
    check_raw <<'SUMS'
c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888  train-images-idx3-ubyte
bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9  train-labels-idx1-ubyte
5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b  t10k-images-idx3-ubyte
0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34  t10k-labels-idx1-ubyte
SUMS
}

make_pictures() {
    local raw=$part/raw
    build/make_images idx "$part/labels.txt" "$part/train" "$raw/${FILES[0]}" "$raw/${FILES[1]}"
    build/make_images idx "$part/labels.txt" "$part/test" "$raw/${FILES[2]}" "$raw/${FILES[3]}"
}

get_set
