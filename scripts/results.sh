#!/usr/bin/env bash
# Makes RESULTS.md. The runs behind it (about an hour and a half on 2 cores) are not made again where
# their figures are in scripts/results/ or amc-out/results: an interrupted run goes on. RESULTS.md is
# written from scripts/results/ alone.
#
#   scripts/results.sh           run what is missing, then write RESULTS.md
#   scripts/results.sh -write    only write RESULTS.md
#   scripts/results.sh networks  only run what is missing of the table of networks, then write
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

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
    echo "$1,$(bin/darknet amc eval "$out/fashion-amc.cfg" "$out/full/fashion-amc.weights" -data cfg/fashion.data -json |
        number top1)" >>"$FULL"
}

run_fashion() {
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

# Mean and spread of each criterion, and in how many of the plans bn does better.
criteria_table() {
    awk -F, 'NR > 1 { n[$1]++; x = 100 * $3; sum[$1] += x; squares[$1] += x * x; at[$1, $2] = x }
        END {
            print "| criterion | accuracy, % | standard deviation | plans in which bn is better |"
            print "|---|---|---|---|"
            split("bn l2 l1 random", order, " ")
            for (i = 1; i <= 4; i++) {
                c = order[i]; mean = sum[c] / n[c]; wins = 0
                for (s = 1; s <= n[c]; s++) wins += at["bn", s] > at[c, s]
                printf "| %s | %.2f | %.2f | %s |\n", c, mean, sqrt(squares[c] / n[c] - mean * mean),
                    c == "bn" ? "" : wins " of " n[c]
            }
        }' scripts/results/criteria.csv
}

networks_table() {
    awk -F, 'NR > 1 {
        printf "| %s | %d of %d | %.1f%% | %.2f%% | %.1f | %.2f | %.0f (%.1f) |\n", $1, $3, $2, 100 * $4, 100 * $5,
            $6 / 1e6, $7, $8 * 1024 / 1e6, $8 * 1024 / $6 }' scripts/results/networks.csv
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

## Which channels to keep

\`-criterion\` decides which channels of a group stay. The same $(grep -c ^bn, scripts/results/criteria.csv) random
policies (\`-policy random -flops 0.5\`) were carried out by each on cfg/fashion.cfg, batch normalization re-estimated,
and scored on the held-out training images (\`scripts/criteria.sh\`). \`bn\` is the default.

$(criteria_table)

## Networks

What can be pruned of the networks that come with Darknet and of those in cfg/ (\`scripts/networks.sh\`). Groups: the
prunable ones, of all. Share of MACs: what layers with prunable filters do. Smallest: the MACs left when each group is
cut to one unit. Seconds and memory: \`amc prune -policy uniform -flops 0.5\` with random weights from start to end,
median of three, on $(cat scripts/results/networks.machine); in brackets the memory as a multiple of the weights file.
The recurrent ones (gru, rnn, rnn.train) are refused. The MACs of local layers are counted.

| network | groups | share of MACs | smallest | weights, MB | seconds | memory, MB |
|---|---|---|---|---|---|---|
$(networks_table)
EOF
}

case ${1:-} in
-write) ;;
networks) scripts/networks.sh ;;
'')
    run_fashion
    scripts/criteria.sh
    scripts/networks.sh
    ;;
*)
    echo "usage: scripts/results.sh [-write | networks]" >&2
    exit 1
    ;;
esac
write >RESULTS.md.part
mv RESULTS.md.part RESULTS.md
