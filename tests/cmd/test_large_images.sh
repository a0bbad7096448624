#!/usr/bin/env bash
# Images of ImageNet's size, cut from Darknet's own photographs: three thousand of them within a bounded memory,
# Darknet's ImageNet networks by the commands that README gives for them, and a search at 448x448. The weights are random.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"
# shellcheck source=tests/cmd/amc_lib.sh
. "$root/tests/cmd/amc_lib.sh"
readonly IMAGES=3000 CLASSES='dog eagle giraffe horses kite person'
# Debian's modules are there for Debian's Python only.
readonly PYTHON=/usr/bin/python3
case $DARKNET in
*/build/*/bin/darknet) tool=${DARKNET%/bin/darknet}/tests/support/random_weights ;;
*) tool=$root/build/release/tests/support/random_weights ;;
esac
case $DARKNET:${AMC_STOCK:-0} in
*/build/san*:* | *:1)
    echo "ok images of ImageNet's size # skip too slow with sanitizers or Darknet's kernels"
    exit 0
    ;;
esac

amc() { timeout 300 "$DARKNET" amc "$@" >"$work.out" 2>"$work.err" </dev/null; }

# data FILE KEY=VALUE...
data() { printf '%s\n' "${@:2}" >"$1"; }

make_images() {
    local photos=()
    for class in $CLASSES; do photos+=("$root/darknet/data/$class.jpg"); done
    mkdir photos imagenet
    "$PYTHON" "$root/tests/cmd/cut_photos.py" photos $IMAGES "${photos[@]}" || return 1
    # shellcheck disable=SC2086 # one a line
    printf '%s\n' $CLASSES >labels
    find photos -name '*.jpg' | sort -V >all
    sed -n '1~9p' all | head -n 60 >search.list
    sed -n '2~9p' all | head -n 120 >train.list
    data photos.data classes=6 train=train.list search=search.list valid=all labels=labels
}

# The same photographs by the names that ImageNet's have.
make_imagenet() {
    local file label i=0
    while read -r file && read -r label <&3; do
        ln "$file" "imagenet/${label}_$((i++)).jpg"
    done < <(head -n 300 all) 3< <(head -n 300 "$root/darknet/data/imagenet.labels.list")
    find imagenet -name '*.jpg' | sort -V >imagenet.all
    head -n 240 imagenet.all >imagenet.train
    tail -n 60 imagenet.all >imagenet.valid
    data imagenet.data classes=1000 train=imagenet.train valid=imagenet.valid top=5 \
        labels="$root/darknet/data/imagenet.labels.list"
}

# write_small SIDE: a network that takes little time at that size.
write_small() {
    cat >"small-$1.cfg" <<CFG
[net]
batch=16
height=$1
width=$1
channels=3
max_crop=$1
learning_rate=0.1
max_batches=10
[convolutional]
batch_normalize=1
filters=12
size=7
stride=4
pad=1
activation=leaky
[maxpool]
size=2
stride=2
[convolutional]
batch_normalize=1
filters=24
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=6
size=1
stride=1
activation=linear
[avgpool]
[softmax]
CFG
    "$tool" "small-$1.cfg" "small-$1.weights"
}

# Runs amc and adds the most memory that it took, in KiB, to what it prints on stdout.
amc_peak() {
    timeout 300 "$PYTHON" -c '
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print("peak", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)' "$DARKNET" amc "$@" >"$work.out" 2>"$work.err" </dev/null
}

test_memory() {
    write_small 224
    check '3000 images of 500x375: scored' 'eval ended with an error' \
        amc_peak eval small-224.cfg small-224.weights -data photos.data -json
    check_holds '3000 images of 500x375: all of them' "$(number images "$work.out") == $IMAGES"
    # Their centre squares are 1.27 GB.
    check_holds '3000 images of 500x375: 1 GiB of pixels is held, and no more' \
        "$(sed -n 's/^peak //p' "$work.out") > 1024 * 1024 && $(sed -n 's/^peak //p' "$work.out") < 1200 * 1024"
}

# check_half NAME CFG: the last command spoke of a network of at most half of CFG's multiply-accumulates.
check_half() {
    local left
    left=$(number macs "$work.out")
    amc info "$2" -json
    check_holds "$1: half of the FLOPs" "0 < $left && $left <= 0.5 * $(number macs "$work.out")"
}

# What README says to do with a network for ImageNet, shortened, and without the minutes that its repairs take.
test_imagenet() { # NAME
    local cfg=$root/darknet/cfg/$1.cfg
    "$tool" "$cfg" "$1.weights" || return 1
    run "$1: search" search "$cfg" "$1.weights" -data imagenet.data -limit 6 -episodes 4 -warmup 2 -reconstruct 0 \
        -calibrate 2 -refit 0 -out "$1"
    run "$1: eval" eval "$1/$1-amc.cfg" "$1/$1-amc.weights" -data imagenet.data -limit 6 -top 5 -json
    check_half "$1" "$cfg"
    rm -f "$1.weights" "$1"/*
}

test_448() {
    write_small 448
    run 'a search at 448x448' search small-448.cfg small-448.weights -data photos.data -episodes 12 -reconstruct 60 \
        -calibrate 24 -refit 60 -out out
    run 'what it found is read' eval out/small-448-amc.cfg out/small-448-amc.weights -data photos.data -set search
}

if ! make_images || ! make_imagenet; then
    not_ok 'images' "can't be made"
    exit
fi
test_memory
for name in darknet19 resnet50 vgg-16; do test_imagenet $name; done
test_448
