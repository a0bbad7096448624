#!/usr/bin/env bash
# Whether it pays to learn from the unpruned network: one network, pruned uniformly to half of its FLOPs, is fine-tuned
# with it as a teacher and without, several times, since Darknet's training draws its images by the clock. Lines of a
# CSV, as far as they aren't there yet.
#
#   scripts/teacher.sh NAME CSV [RUNS] [EPOCHS] [RATE]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly name=$1 csv=$2 runs=${3:-3} epochs=${4:-4} rate=${5:-0.02}
readonly cfg=cfg/$name.cfg data=cfg/$name.data out=amc-out/teacher/$name
readonly pruned=$out/$name-amc

finetuned() { # run teacher
    local result=$out/$2-$1.weights teacher=()
    [ "$2" = 0 ] || teacher=(-teacher "$cfg")
    bin/darknet amc finetune "$pruned.cfg" "$pruned.weights" -data "$data" -epochs "$epochs" -rate "$rate" \
        "${teacher[@]}" -out "$result" -resume >>"$out/log" 2>&1 || return 1
    accuracy_of "$pruned.cfg" "$result" "$data" test
}

mkdir -p "$out" "$(dirname "$csv")"
[ -s "$csv" ] || echo 'run,teacher,epochs,test_before,test_after' >"$csv"
[ -f "$pruned.cfg" ] ||
    bin/darknet amc prune "$cfg" -policy uniform -flops 0.5 -reconstruct 2000 -refit 3000 -out "$out" >/dev/null
before=$(accuracy_of "$pruned.cfg" "$pruned.weights" "$data" test)
for run in $(seq "$runs"); do
    for teacher in 0 1; do
        if grep -q "^$run,$teacher,$epochs," "$csv"; then continue; fi
        after=$(finetuned "$run" $teacher)
        echo "$run,$teacher,$epochs,$before,$after" >>"$csv"
    done
done
