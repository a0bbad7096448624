#!/usr/bin/env bash
# Trains a network from nothing by the schedule in its .cfg with `darknet classifier train`, and keeps what that ends
# with as weights/NAME.weights. Stopped and started again, it goes on at the last epoch that was finished.
#
#   scripts/train_base.sh NAME        (of cfg/NAME.cfg and cfg/NAME.data)
#
# The log and the weights of the last epoch are in backup/base/NAME.
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
train_resumably "$data" "$cfg" - "$out" || fail "training failed, see $out/log"
accuracy=$(accuracy_of "$cfg" "$out/$name.weights" "$data" test)
printf '%s: top-1 on the test set %s\n' "$name" "$accuracy"
cp "$out/$name.weights" "weights/$name.weights"
