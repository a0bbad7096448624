#!/usr/bin/env bash
# Prints the section of RESULTS.md on speed, from the figures that scripts/bench.sh keeps.
#
#   scripts/bench/tables.sh [FOLDER]        (scripts/results)
set -euo pipefail
cd "$(dirname "$0")/../.."
export LC_ALL=C

readonly FOLDER=${1:-scripts/results}

# awk on bench.csv, with what all tables share: value() of a program (with all threads, where it was measured with one
# too), the workloads of each kind in order[], and number(), an empty cell for what wasn't measured.
tables() { # program
    awk -F, '
    function value(kind, workload, program,    key) {
        key = kind SUBSEP workload SUBSEP program
        return key in x ? x[key] : 0
    }
    function number(v, format) {
        if (!format) format = v < 10 ? "%.2f" : v < 100 ? "%.1f" : "%.0f"
        return v ? sprintf(format, v) : ""
    }
    function name(workload) { return sub(/-half$/, "", workload) ? workload " at 50%" : workload }
    NR > 1 {
        if (!(($1, $2, "in") in x)) { order[$1, ++n[$1]] = $2; x[$1, $2, "in"] = 1 }
        if (!(($1, $2, $3) in x) || $5 > 1) x[$1, $2, $3] = $6
        if ($5 == 1) single[$1, $2, $3] = $6
        batch[$1, $2, $3] = $4
        if ($7) macs[$2] = $7
    }
    END { '"$1"' }' "$FOLDER/bench.csv"
}

forward_table() {
    tables '
        peak = value("peak", "sgemm", "OpenBLAS")
        print "| network | batch | **ours** | oneDNN | PyTorch | OpenCV | stock Darknet | ours, GFLOP/s | of sgemm |" \
            " to oneDNN | to PyTorch | to stock | to unpruned |"
        print "|---|---|---|---|---|---|---|---|---|---|---|---|---|"
        for (i = 1; i <= n["forward"]; i++) {
            w = order["forward", i]
            ours = value("forward", w, "ours"); gflops = 2 * macs[w] * ours / 1e9
            line = "| " name(w) " | " batch["forward", w, "ours"] " | " number(ours)
            split("onednn torch opencv stock", peers, " ")
            for (k = 1; k <= 4; k++) line = line " | " number(value("forward", w, peers[k]))
            line = line " | " number(gflops) " | " (peak ? sprintf("%.0f%%", 100 * gflops / peak) : "")
            split("onednn torch stock", peers, " ")
            for (k = 1; k <= 3; k++) {
                v = value("forward", w, peers[k])
                line = line " | " (v ? number(ours / v, "%.2f") : "")
            }
            v = value("forward", w, "whole")
            print line " | " (v ? number(ours / v, "%.2f") : "") " |"
        }'
}

one_table() {
    tables '
        print "| network | **ours**, ms | oneDNN, ms | PyTorch, ms |"
        print "|---|---|---|---|"
        for (i = 1; i <= n["one"]; i++) {
            w = order["one", i]; line = "| " w
            split("ours onednn torch", peers, " ")
            for (k = 1; k <= 3; k++) {
                v = value("one", w, peers[k])
                line = line " | " (v ? number(1000 / v) : "")
            }
            print line " |"
        }'
}

train_table() {
    tables '
        print "| network | **ours** | ours, one thread | PyTorch | stock Darknet | to PyTorch | to stock |" \
            " to one thread | **ours**, images loaded | stock, images loaded |"
        print "|---|---|---|---|---|---|---|---|---|---|"
        for (i = 1; i <= n["train"]; i++) {
            w = order["train", i]; ours = value("train", w, "ours"); one = single["train", w, "ours"]
            torch = value("train", w, "torch"); stock = value("train", w, "stock")
            print "| " w " | " number(ours) " | " number(one) " | " number(torch) " | " number(stock) " | " \
                (torch ? number(ours / torch, "%.2f") : "") " | " (stock ? number(ours / stock, "%.1f") : "") " | " \
                (one ? number(ours / one, "%.2f") : "") " | " number(value("load", w, "ours")) " | " \
                number(value("load", w, "stock")) " |"
        }'
}

search_table() {
    tables '
        w = "plain20"; whole = value("search", w, "whole episode")
        print "| part | ms | share |"
        print "|---|---|---|"
        parts = split("apply the plan,reconstruct,calibrate,score,agent,whole episode", part, ",")
        for (i = 1; i <= parts; i++) {
            v = value("search", w, part[i])
            printf "| %s | %.2f | %.1f%% |\n", part[i], 1000 * v, 100 * v / whole
        }'
}

largest_difference() { tables 'for (i = 1; i <= n["check"]; i++)
    for (k = split("ours onednn torch opencv", peers, " "); k > 0; k--) {
        v = value("check", order["check", i], peers[k]); if (v > largest) largest = v
    }
    printf "%.1g", largest'; }

has() { grep -q "^$1," "$FOLDER/bench.csv"; }

peaks() {
    tables 'printf "%.0f GFLOP/s in sgemm of 2048 × 2048 matrices (OpenBLAS), %.1f GB/s from memory",
        value("peak", "sgemm", "OpenBLAS"), value("peak", "memory", "triad")'
}

cat <<END
## Speed

\`make bench\` on $(<"$FOLDER/bench.machine").

Medians of runs in turns, images/s where nothing else is said. Random weights; at 50%: \`amc prune -policy uniform
-flops 0.5\`, so that channel counts are odd. All programs use all cores, but for stock Darknet (\`AMC_STOCK=1\`), which
has one thread, and the others' weights have batch normalization folded in. PyTorch is the fastest of as it is, channels
last and frozen with \`optimize_for_inference\`; oneDNN runs the network in its own layouts with activations and sums
fused; OpenCV's column is empty where it doesn't read the network. "To" others: ours divided by theirs as measured in
the same turns, so not the quotient of two rows, between which the machine's speed changes. GFLOP/s count
two for each multiply-accumulate of the network: Winograd's algorithm, which our 3×3 layers run, does a quarter of them.
END
if has peak; then printf 'The machine does %s.\n' "$(peaks)"; fi
if has check; then
    printf 'On the same weights and images all compute the same: the largest difference from stock Darknet is %s\n' \
        "$(largest_difference)"
    printf 'of the largest output.\n'
fi
if has forward; then printf '\n### Inference\n\n%s\n' "$(forward_table)"; fi
if has one; then printf '\nOne image at a time:\n\n%s\n' "$(one_table)"; fi
if has train; then printf '\n### Training\n\n%s\n' "$(train_table)"; fi
if has search; then
    printf '\n### An episode of a search\n\ncfg/plain20.cfg, each plan scored on %s held-out images, ' \
        "$(awk -F, '$1 == "search" { print $4; exit }' "$FOLDER/bench.csv")"
    printf 'weights reconstructed and batch\nnormalization re-estimated on 256 images. Medians, so the parts needn'\''t add up.\n\n%s\n' "$(search_table)"
fi
