#!/usr/bin/env bash
# Makes RESULTS.md. The runs behind it (about an hour on 2 cores) go to amc-out/results and are not
# made again where they are there: an interrupted run goes on. Their figures are kept in
# scripts/results/, and RESULTS.md is written from those alone.
#
#   scripts/results.sh          run what is missing, then write RESULTS.md
#   scripts/results.sh -write   only write RESULTS.md
set -euo pipefail
cd "$(dirname "$0")/.."

readonly FLOPS=0.5 SEEDS="1 2 3" EPISODES=400 LIMIT=2000 BATCHES=1720 RATE=0.02
readonly KEPT=scripts/results/fashion.csv    # policy,seed,flops,test_before,test_after
readonly FULL=scripts/results/fashion-full.csv # seed,test_after: AMC's networks, fine-tuned fully
readonly RUNS=amc-out/results/fashion

# Fine-tunes the network of a search with the command that the search prints, whose schedule is that
# of cfg/fashion.cfg.
finetune_fully() { # seed
    local out=$RUNS/amc-$1
    grep -q "^$1," "$FULL" && return
    mkdir -p "$out/full"
    sed "s#^backup *=.*#backup=$out/full#" cfg/fashion.data >"$out/full.data"
    bin/darknet classifier train "$out/full.data" "$out/fashion-amc.cfg" "$out/fashion-amc.weights" >"$out/full.log" 2>&1
    bin/darknet amc eval "$out/fashion-amc.cfg" "$out/full/fashion-amc.weights" -data cfg/fashion.data -json |
        sed -n "s/.*\"top1\":[[:space:]]*\([0-9.]*\).*/$1,\1/p" >>"$FULL"
}

run() {
    local seed
    scripts/get_fashion_mnist.sh
    mkdir -p "$RUNS" scripts/results
    scripts/compare_policies.sh fashion "$RUNS" "$FLOPS" "$SEEDS" "$EPISODES" "$LIMIT" "$BATCHES" "$RATE"
    cp "$RUNS/results.csv" "$KEPT"
    [ -s "$FULL" ] || echo 'seed,test_after' >"$FULL"
    for seed in $SEEDS; do finetune_fully "$seed"; done
}

full_table() {
    awk -F, 'NR > 1 { n++; sum += 100 * $2; seeds = seeds (n > 1 ? " " : "") $1
        if (n == 1 || 100 * $2 < low) low = 100 * $2
        if (100 * $2 > high) high = 100 * $2 }
        END { printf "| **AMC**, seeds %s | %.2f (%.2f to %.2f) |\n", seeds, sum / n, low, high }' "$FULL"
}

write() {
    cat <<EOF
# Results

Written by \`make results\` from the figures in \`scripts/results/\`. Accuracy is top-1 on the test set, which no
search, calibration or fine-tuning sees. Where there are several seeds: mean (smallest to largest).

## Fashion-MNIST, cfg/fashion.cfg at 50% of the FLOPs

Searches: $EPISODES plans, each scored on $LIMIT held-out training images; random search has as many. Every policy keeps
channels by the same criterion and re-estimates batch normalization on the same 256 training images. Fine-tuning:
\`darknet classifier train\` for $BATCHES batches of 128 (4 epochs), learning rate $RATE falling to 0. Seeds of the searches:
$SEEDS. FLOPs: the largest of the seeds.

$(scripts/policy_table.sh "$KEPT")

Four epochs are short. With the command that the search prints, that is with the whole schedule of cfg/fashion.cfg (7,200
batches, 17 epochs), AMC's networks reach:

| policy | after full fine-tuning, % |
|---|---|
$(full_table)
EOF
}

[ "${1:-}" = -write ] || run
write >RESULTS.md.part
mv RESULTS.md.part RESULTS.md
