#!/usr/bin/env bash
# Trains a network from nothing by the schedule in its .cfg with `darknet classifier train`, some in a second round from
# half the learning rate, all for some epochs at the scale of validation, and some at last in a round of four times the
# decay (`darknet amc finetune` all of them). What that ends with is weights/NAME.weights. Stopped and started again, it
# goes on at the last epoch that was finished.
#
#   scripts/train_base.sh NAME        (of cfg/NAME.cfg and cfg/NAME.data)
#
# Some weights that are here had another way: of plain20 the first two rounds had decay=0.0003, the first min_crop=32
# besides, no epochs at the scale of validation came between, and the last round had no teacher; of mobilenet and
# mobilenetv2 the first 49 and 41 epochs had no change of colours and of the aspect.
#
# The log and the weights of the last epoch are in backup/base/NAME. On a machine where nothing is there, training goes
# on from weights/unfinished/NAME_EPOCH.weights, which is what another machine got to: the batches that a network has
# seen are in its file. Copy the last epoch there to hand a training over.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/json_lib.sh
. scripts/train_lib.sh

fail() {
    printf 'train_base.sh: %s\n' "$*" >&2
    exit 1
}

name=${1:?expected the NAME of cfg/NAME.cfg}
cfg=cfg/$name.cfg data=cfg/$name.data out=backup/base/$name
for file in "$cfg" "$data"; do [ -f "$file" ] || fail "expected $file"; done
# Epochs of the second round; epochs and first rate of the last one: networks that were held small lose less when pruned.
declare -A again=([plain20]=30 [resnet56]=25 [vgg16]=40 [mobilenet]=30 [mobilenetv2]=8)
declare -A small=([plain20]=30 [resnet56]=8)
declare -A small_rate=([plain20]=0.05 [resnet56]=0.02)
readonly settling=3

# What the other machine got to, under the name that Darknet gives an epoch's file.
take_over() {
    if [ -d "$out" ]; then return; fi
    mkdir -p "$out"
    find weights/unfinished -name "${name}_*.weights" -exec cp {} "$out" \; 2>/dev/null || :
}

# round CFG FILE OPTION...: trains on from $trained, which is FILE then.
round() {
    [ -f "$2" ] ||
        bin/darknet amc finetune "$1" "$trained" -data "$data" -out "$2" -resume "${@:3}" || fail "no $2"
    trained=$2
}

# With more decay, and what the network said before as a teacher.
hold_small() {
    local decay before=$trained
    decay=$(awk -F= '/^decay=/ { print 4 * $2; exit }' "$cfg")
    sed "s/^decay=.*/decay=$decay/" "$cfg" >"$out/$name.cfg"
    round "$out/$name.cfg" "$out/small.weights" -epochs "${small[$name]}" \
        -rate "${small_rate[$name]}" -teacher "$cfg" -teacher-weights "$before"
}

take_over
train_resumably "$data" "$cfg" "$out" || fail "training failed, see $out/log"
trained=$out/$name.weights
[ -z "${again[$name]:-}" ] || round "$cfg" "$out/again.weights" -epochs "${again[$name]}"
round "$cfg" "$out/settled.weights" -epochs $settling -rate 0.002 -settle 1
[ -z "${small[$name]:-}" ] || hold_small
accuracy=$(accuracy_of "$cfg" "$trained" "$data" test)
printf '%s: top-1 on the test set %s\n' "$name" "$accuracy"
cp "$trained" "weights/$name.weights"
