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

fail() {
    printf 'train_base.sh: %s\n' "$*" >&2
    exit 1
}

name=${1:?expected the NAME of cfg/NAME.cfg}
readonly cfg=cfg/$name.cfg data=cfg/$name.data out=backup/base/$name
for file in "$cfg" "$data"; do [ -f "$file" ] || fail "expected $file"; done

# The weights of each finished epoch that are there, the last one last.
epochs() { find "$out" -name "${name}_*.weights" | sort -V; }

# Darknet leaves a file an epoch; all but the last are in the way.
drop_old() { epochs | head -n -1 | xargs -r rm -f; }

watch_training() { # pid
    while kill -0 "$1" 2>/dev/null; do
        sleep 60
        drop_old
    done
}

mkdir -p "$out"
if [ ! -f "$out/$name.weights" ]; then
    sed "s#^backup *=.*#backup=$out#" "$data" >"$out/train.data"
    from=$(epochs | tail -1)
    # shellcheck disable=SC2086  # no file: no argument
    bin/darknet classifier train "$out/train.data" "$cfg" $from >>"$out/log" 2>&1 &
    training=$!
    trap 'kill $training 2>/dev/null' INT TERM
    watch_training $training
    wait $training || fail "training failed, see $out/log"
fi
printf '%s: top-1 on the test set %s\n' "$name" \
    "$(bin/darknet amc eval "$cfg" "$out/$name.weights" -data "$data" -set test -json | number top1)"
cp "$out/$name.weights" "weights/$name.weights"
