#!/usr/bin/env bash
# Draws the pictures of RESULTS.md from the CSVs of a folder, as far as they are there:
#
#   scripts/plots.sh FOLDER       (scripts/results/NAME)
#
# agents.png       the best plan so far over episodes, mean and spread over seeds
# macs.png         accuracy before fine-tuning against the share of the multiply-accumulates, for each policy
# latency_search.png  accuracy against the share of the time, searched for by FLOPs and by time
# correlation.png  accuracy after fine-tuning against that before, repaired in each way
set -euo pipefail

folder=$1
name=$(basename "$folder")
work=$(mktemp -d "${TMPDIR:-/tmp}/amc-plots-XXXXXX")
trap 'rm -rf "$work"' EXIT

readonly LOOK="
    set terminal pngcairo size 900,560 font 'DejaVu Sans,12' linewidth 1.5
    set datafile separator ','
    set grid lc rgb '#dddddd' lw 0.7
    set border 3 lc rgb '#555555'
    set tics nomirror
    set key bottom right samplen 2 spacing 1.2"
readonly COLOURS=('#c0392b' '#2c6fbb' '#7f8c8d' '#27ae60' '#8e44ad' '#e67e22' '#16a085' '#b7950b' '#34495e')

# Mean, smallest and largest over seeds of a variant's best plan so far: episode,mean,low,high.
over_seeds() { # variant
    awk -F, -v variant="$1" '$1 == variant {
            x = 100 * $5; sum[$3] += x; n[$3]++
            if (n[$3] == 1 || x < low[$3]) low[$3] = x
            if (x > high[$3]) high[$3] = x
            if ($3 > last) last = $3
        }
        END { for (e = 1; e <= last; e++) print e "," sum[e] / n[e] "," low[e] "," high[e] }' "$folder/agents.csv"
}

agents() {
    local i=0 variant plot='' title
    local -A titles=([ours]='this project' [paper]='paper' [random]='random')
    for variant in ours paper random; do
        over_seeds "$variant" >"$work/$variant"
        [ -s "$work/$variant" ] || continue
        title=${titles[$variant]}
        plot+="'$work/$variant' using 1:3:4 with filledcurves fc rgb '${COLOURS[$i]}' fs transparent solid 0.12 notitle, "
        plot+="'$work/$variant' using 1:2 with lines lw 2 lc rgb '${COLOURS[$i]}' title '$title', "
        i=$((i + 1))
    done
    gnuplot <<<"$LOOK
        set output '$folder/agents.png'
        set title '$name at 50% of the FLOPs: best plan so far (mean and range over seeds)'
        set xlabel 'episodes'
        set ylabel 'accuracy on held-out training images, %'
        plot ${plot%, }"
}

# From 5 points below the worst that AMC, greedy or uniform do: with policies that guess, these would be one line.
macs() {
    local i=0 policy plot='' low base
    low=$(awk -F, '$2 ~ /^(amc|greedy|uniform)$/ && (!low || $5 < low) { low = $5 } END { print 5 * int(20 * low) - 5 }' "$folder/macs.csv")
    base=$(awk -F, '$2 == "base" { print 100 * $5; exit }' "$folder/macs.csv")
    for policy in amc random greedy surgeon cp fp uniform shallow deep; do
        awk -F, -v policy=$policy '$2 == policy { print 100 * $4 "," 100 * $5 }' "$folder/macs.csv" | sort -t, -g >"$work/$policy"
        [ -s "$work/$policy" ] || continue
        plot+="'$work/$policy' using 1:2 with linespoints pt 7 ps 0.8 lw $([ $policy = amc ] && echo 2.5 || echo 1.2)"
        plot+=" lc rgb '${COLOURS[$i]}' title '$([ $policy = amc ] && echo AMC || echo "$policy")', "
        i=$((i + 1))
    done
    gnuplot <<<"$LOOK
        set output '$folder/macs.png'
        set title '$name: accuracy before fine-tuning'
        set xlabel 'multiply-accumulates left, %'
        set ylabel 'accuracy on the test set, %'
        set yrange [$low:*]
        plot $base with lines dashtype 2 lc rgb '#555555' title 'not pruned', ${plot%, }"
}

correlation() {
    gnuplot <<<"$LOOK
        set output '$folder/correlation.png'
        set title '$name: random plans of 50% of the FLOPs'
        set xlabel 'held-out accuracy before fine-tuning, %'
        set ylabel 'test accuracy after fine-tuning, %'
        plot '$folder/correlation.csv' every ::1 using (100*\$3):(100*\$2) with points pt 7 lc rgb '${COLOURS[2]}' title 'as it is', \
            '' every ::1 using (100*\$5):(100*\$2) with points pt 7 lc rgb '${COLOURS[1]}' title 'batch normalization re-estimated', \
            '' every ::1 using (100*\$7):(100*\$2) with points pt 7 lc rgb '${COLOURS[0]}' title 'weights reconstructed besides'"
}

latency_search() {
    local by
    for by in flops latency; do
        awk -F, -v by=$by '$1 == by { print 100 * $3 "," 100 * $5 }' "$folder/latency_search.csv" | sort -t, -g >"$work/by-$by"
    done
    gnuplot <<<"$LOOK
        set output '$folder/latency_search.png'
        set title '$name: searches of 100 plans, before fine-tuning'
        set xlabel 'time of an image, % of the whole network'
        set ylabel 'accuracy on the test set, %'
        plot '$work/by-flops' using 1:2 with linespoints pt 7 ps 0.8 lc rgb '${COLOURS[1]}' title 'by FLOPs', \
            '$work/by-latency' using 1:2 with linespoints pt 7 ps 0.8 lw 2.5 lc rgb '${COLOURS[0]}' title 'by time'"
}

for picture in agents macs latency_search correlation; do
    if [ -f "$folder/$picture.csv" ] && [ "$(wc -l <"$folder/$picture.csv")" -gt 1 ]; then "$picture"; fi
done
