#!/usr/bin/env bash
# A network of one's own from start to end, with what Darknet has and AMC's search between: darknet/cfg/tiny.cfg, made
# for ImageNet, is fitted to CIFAR-10's images of 32x32, trained, pruned to half of its FLOPs, trained on, and tested.
# Twenty minutes on two cores. Shows each command that it runs; all files are in amc-out/example.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly out=amc-out/example
readonly cfg=$out/tiny.cfg data=$out/tiny.data trained=$out/tiny.weights
readonly pruned=$out/pruned/tiny-amc

show() {
    printf '\n$ %s\n' "$*"
    stdbuf -oL "$@" 2>&1 | tr '\r' '\n' | interesting
}

# Of training a line each 500 batches, of testing the last line, of a search each 50th episode; all else whole.
interesting() {
    awk '
        /^(layer +filters|Loading weights|Loaded:|Saving weights|Learning Rate)/ || /^ +[0-9]+ (conv|max|avg|softmax)/ { next }
        /^(tiny|tiny-amc|[0-9]+|[0-9]+ [0-9]+)$/ || /^[^ ]+, [0-9]+, [0-9.]+, / { next }
        /^[0-9]+, [0-9.]+: / { if ($1 % 500 == 0) print; next }
        /^[0-9]+: top 1: / { last = $0; next }
        /^episode / { if (++episodes % 50 != 1) next }
        { print; fflush() }
        END { if (last) print last }'
}

# Ten classes for a thousand, small images, a schedule of 3,000 batches, and Darknet's augmentation at that size.
fitted() {
    sed -e 's/^\(height\|width\)=.*/\1=32/' -e 's/^max_crop=.*/min_crop=28\nmax_crop=40/' \
        -e 's/^angle=.*/angle=0/' -e 's/^\(hue\|saturation\|exposure\|aspect\)=.*//' \
        -e 's/^power=.*/power=1/' -e 's/^max_batches=.*/max_batches=3000/' \
        -e 's/^filters=1000/filters=10/' darknet/cfg/tiny.cfg
}

[ -x bin/darknet ] || make -s all
scripts/get_cifar10.sh
mkdir -p "$out"
fitted >"$cfg"
sed "s#^backup *=.*#backup=$out#" cfg/plain20.data >"$data"

[ -f "$trained" ] || show bin/darknet classifier train "$data" "$cfg"
show bin/darknet classifier valid "$data" "$cfg" "$trained"
show bin/darknet amc search "$cfg" "$trained" -data "$data" -out "$out/pruned" -force
show bin/darknet classifier valid "$data" "$pruned.cfg" "$pruned.weights"
show bin/darknet classifier train "$data" "$pruned.cfg" "$pruned.weights"
show bin/darknet classifier valid "$data" "$pruned.cfg" "$out/tiny-amc.weights"
show bin/darknet classifier predict "$data" "$pruned.cfg" "$out/tiny-amc.weights" "$(head -n 1 data/cifar10/test.list)"
