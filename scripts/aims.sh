#!/usr/bin/env bash
# Prints what was asked of AMC beforehand (scripts/aims.csv) and what came out, as Markdown: the mean over seeds of the
# figures in scripts/results/. Asked is a test accuracy in %, or what the unpruned network has (base), or so many points
# below that (base-0.5).
#
#   scripts/aims.sh
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s inherit_errexit

# The mean in % of a column where the first is as it should be, of rows that have it.
mean() { # csv column row
    awk -F, -v column="$2" -v row="$3" '
        NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) c = i; next }
        $1 ~ "^(" row ")$" && $c != "" { sum += 100 * $c; n++ }
        END { if (!n) exit 1; printf "%.2f", sum / n }' "$1"
}

row() { # figures column asked aim
    local csv=scripts/results/$1.csv base found asked
    case $1 in
    */weights) base=$(mean "$csv" "$2_before" '[0-9]+') found=$(mean "$csv" "$2" '[0-9]+') ;;
    *) base=$(mean "$csv" test_before base) found=$(mean "$csv" "test_$2" amc) ;;
    esac
    asked=$(awk "BEGIN { base = $base; printf \"%.2f\", $3 }")
    awk -v aim="$4" -v asked="$asked" -v found="$found" 'BEGIN {
        printf "| %s | %s | %s | %s |\n", aim, asked, found,
            (found >= asked ? "met" : sprintf("missed by %.2f", asked - found))
    }'
}

echo '| test accuracy of AMC, % | asked | found | |'
echo '|---|---|---|---|'
while IFS=, read -r figures column asked aim; do row "$figures" "$column" "$asked" "$aim"; done < <(tail -n +2 scripts/aims.csv)
