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
readonly KEPT=scripts/results/fashion.csv

run() {
    scripts/get_fashion_mnist.sh
    mkdir -p amc-out/results/fashion scripts/results
    [ -f amc-out/results/fashion/results.csv ] || ! [ -f "$KEPT" ] || cp "$KEPT" amc-out/results/fashion/results.csv
    scripts/compare_policies.sh fashion amc-out/results/fashion "$FLOPS" "$SEEDS" "$EPISODES" "$LIMIT" "$BATCHES" "$RATE"
    cp amc-out/results/fashion/results.csv "$KEPT"
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
EOF
}

[ "${1:-}" = -write ] || run
write >RESULTS.md.part
mv RESULTS.md.part RESULTS.md
