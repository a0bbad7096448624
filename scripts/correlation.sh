#!/usr/bin/env bash
# Whether the search's reward predicts what counts: random plans of a network, each scored on the held-out training
# images as it is, with batch normalization re-estimated, and with weights reconstructed besides, by accuracy and by what
# is expected of the outputs' probabilities, then fine-tuned and measured on the test set. Lines of a CSV, as far as they
# aren't there yet.
#
#   scripts/correlation.sh NAME CSV [PLANS] [EPOCHS] [RATE]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

readonly name=$1 csv=$2 plans=${3:-20} epochs=${4:-4} rate=${5:-0.02}
readonly cfg=cfg/$name.cfg data=cfg/$name.data out=amc-out/correlation/$name

# Prints what the plan of a seed, repaired by so many images, scores on held-out images: accuracy,expected.
score() { # seed reconstruct calibrate
    local json
    bin/darknet amc prune "$cfg" -policy random -flops 0.5 -criterion bn -seed "$1" -reconstruct "$2" -calibrate "$3" \
        -out "$out/$1" -force >/dev/null || return 1
    json=$(bin/darknet amc eval "$out/$1/$name-amc.cfg" "$out/$1/$name-amc.weights" -data "$data" -set search -json)
    echo "$(number top1 <<<"$json"),$(number expected <<<"$json")"
}

finetuned() { # seed
    local folder=$out/$1
    bin/darknet amc finetune "$folder/$name-amc.cfg" "$folder/$name-amc.weights" -data "$data" -epochs "$epochs" \
        -rate "$rate" -out "$folder/finetuned.weights" -resume >>"$folder/log" 2>&1 || return 1
    accuracy_of "$folder/$name-amc.cfg" "$folder/finetuned.weights" "$data" test
}

mkdir -p "$out" "$(dirname "$csv")"
[ -s "$csv" ] || echo 'seed,finetuned,plain,plain_expected,calibrated,calibrated_expected,reconstructed,reconstructed_expected' >"$csv"
for seed in $(seq "$plans"); do
    if grep -q "^$seed," "$csv"; then continue; fi
    plain=$(score "$seed" 0 0)
    calibrated=$(score "$seed" 0 256)
    reconstructed=$(score "$seed" 2000 256)
    after=$(finetuned "$seed")
    echo "$seed,$after,$plain,$calibrated,$reconstructed" >>"$csv"
done
