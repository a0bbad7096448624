#!/usr/bin/env bash
# Makes RESULTS.md. The runs behind it (about an hour and a half on 2 cores) are not made again where
# their figures are in scripts/results/ or amc-out/results: an interrupted run goes on. RESULTS.md is
# written from scripts/results/ alone.
#
#   scripts/results.sh           run what is missing, then write RESULTS.md
#   scripts/results.sh -write    only write RESULTS.md, with the figures of make bench if there are any
#   scripts/results.sh networks  only run what is missing of the table of networks, then write
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/json_lib.sh

# In this order; those without figures are left out.
readonly STUDIES=(
    'plain20:Plain-20 on CIFAR-10' 'resnet56:ResNet-56 on CIFAR-10' 'vgg16:VGG-16 on CIFAR-10'
    'mobilenet:MobileNet on CIFAR-10' 'mobilenetv2:MobileNet-V2 on CIFAR-10' 'resnet50:ResNet-50 on CIFAR-10'
    'fashion:cfg/fashion.cfg on Fashion-MNIST')

run_fashion() {
    scripts/get_fashion_mnist.sh
    scripts/study.sh fashion policies repairs agents
}

# What there is of each network.
studies() {
    local study
    for study in "${STUDIES[@]}"; do scripts/study_tables.sh "${study%%:*}" "${study#*:}"; done
}

# A row for each error: every seed's accuracies, their mean, and what was saved.
early_stop_table() {
    awk -F, '
        function join(old, x) { return old == "" ? x : old " / " x }
        NR > 1 {
            e = $1
            if (!n[e]++) order[++errors] = e
            held_out[e] = join(held_out[e], sprintf("%.2f", 100 * $3)); held_out_sum[e] += 100 * $3
            test[e] = join(test[e], sprintf("%.2f", 100 * $4)); test_sum[e] += 100 * $4
            images[e] += $5; seconds[e] += $6
        }
        END {
            print "| -early-stop | held-out accuracy, % | mean | test accuracy, % | mean | images scored | processor time |"
            print "|---|---|---|---|---|---|---|"
            for (i = 1; i <= errors; i++) {
                e = order[i]
                printf "| %s | %s | %.2f | %s | %.2f | %.0f%% | %.0f s, %.0f%% |\n", e ? e : "off", held_out[e],
                    held_out_sum[e] / n[e], test[e], test_sum[e] / n[e], 100 * images[e] / n[e] * n[0] / images[0],
                    seconds[e] / n[e], 100 * seconds[e] / n[e] * n[0] / seconds[0]
            }
        }' scripts/results/early_stop.csv
}

# The smallest share is rounded up, so that it can be a budget.
networks_table() {
    awk -F, 'function up(x) { return int(x) + (int(x) < x) }
        NR > 1 {
            printf "| %s | %d of %d | %.1f%% | %.2f%% | %.1f | %.2f | %.0f (%.1f) |\n", $1, $3, $2, 100 * $4,
                up(1e4 * $5) / 100, $6 / 1e6, $7, $8 * 1024 / 1e6, $8 * 1024 / $6
        }' scripts/results/networks.csv
}

write() {
    cat <<EOF
# Results

Written by \`make results\` from the figures in \`scripts/results/\`. Accuracy is top-1 on the test set, which no
search, calibration or fine-tuning sees. Where there are several seeds: mean (smallest to largest).

\`scripts/study.sh NAME\` makes the figures of one network. Every policy has its network repaired on the same training
images (2,000 to reconstruct weights, 256 for batch normalization, 6,000 to refit the result) and fine-tuned alike by
\`darknet amc finetune\`: so many epochs of Darknet's training loop with a learning rate that falls to 0 (the script has
the numbers), the last quarter at the scale of validation; the epoch that is best on held-out training images is taken.
Where no note says otherwise, half of what is learnt is what the unpruned network says of the image. The unpruned network is
trained on alike, for comparison. A search is 30 to 200 plans, each scored on 1,000 to 5,000 held-out training images
(the script says which); random search has as many. FLOPs: the largest of the seeds. The policies:
uniform cuts all layers to the same share, shallow only the first half of them, deep only the second; fp cuts filters of
least L1 norm, where it costs each layer the same accuracy (Li et al. 2017); cp is uniform with channels chosen by LASSO
(He et al. 2017); greedy gives up channels one by one by how far the outputs diverge when a layer alone is cut, which is
where searches start; surgeon by what reconstruction says that each channel is worth. Random search draws plans around the
uniform one.

## What was aimed at

Set before the runs; where it was missed, the notes below say what was tried (\`scripts/aims.sh\`).

$(scripts/aims.sh)
$(studies)

## Early stopping

\`-early-stop P\` scores a plan no further once it is behind the best so far; P bounds the chance that a plan that is better
is stopped. Searches for 50% of the FLOPs of cfg/fashion.cfg, 200 plans on 2000 held-out training images, seeds 1 / 2 / 3
(\`scripts/early_stop.sh\`), weights not reconstructed. Accuracies are before fine-tuning; images and processor time (of the whole search) are means,
as shares of those without it. A search that stops plans early takes another way than the one of the same seed that
doesn't; of these seeds some gain by it and some lose, so it is off by default.

$(early_stop_table)

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
    if [ -s scripts/results/bench.csv ]; then
        echo
        scripts/bench/tables.sh
    fi
}

case ${1:-} in
-write) ;;
networks) scripts/networks.sh ;;
'')
    run_fashion
    scripts/early_stop.sh
    scripts/networks.sh
    ;;
*)
    echo "usage: scripts/results.sh [-write | networks]" >&2
    exit 1
    ;;
esac
text=$(write) # all of it, or an error
printf '%s\n' "$text" >RESULTS.md.part
mv RESULTS.md.part RESULTS.md
