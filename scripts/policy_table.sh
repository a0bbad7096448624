#!/usr/bin/env bash
# Prints the table of a results.csv that compare_policies.sh made, as Markdown: a row for each policy with the mean over
# seeds and, where there are several, the smallest and largest. With the name of a network and a budget, what He et al.
# 2018 report for them stands beside (scripts/paper.csv).
#
#   scripts/policy_table.sh CSV [NAME BUDGET]
set -euo pipefail

awk -F, -v network="${2:-}" -v budget="${3:-}" '
FNR == 1 { file++; next }
file == 1 {
    if ($1 == network && $2 == budget) { known = 1; paper[$3] = $4 " | " $5 }
    next
}
{
    if (!($1 in n)) most[$1] = 0
    i = ++n[$1]
    if ($3 > most[$1]) most[$1] = $3
    before[$1, i] = $4; after[$1, i] = $5 # "" where there is none
}
function cell(values, policy,    i, x, seeds, sum, low, high, text) {
    low = 1e9; high = -1e9
    for (i = 1; i <= n[policy]; i++) {
        if (values[policy, i] == "") continue # not made yet
        x = 100 * values[policy, i]
        sum += x
        seeds++
        if (x < low) low = x
        if (x > high) high = x
    }
    if (!seeds) return ""
    text = sprintf("%.2f", sum / seeds)
    if (seeds > 1) text = text sprintf(" (%.2f to %.2f)", low, high)
    return seeds < n[policy] ? text sprintf(", %d of %d seeds", seeds, n[policy]) : text
}
END {
    title["base"] = "not pruned"; title["random"] = "random search"; title["amc"] = "**AMC**"
    title["inner"] = "uniform, shortcuts whole"; title["lowres"] = "uniform, smaller images"; title["scratch"] = "the network of AMC, from nothing"
    policies = split("base uniform inner shallow deep lowres fp cp greedy surgeon random amc scratch", order, " ")
    print "| policy | FLOPs | test accuracy, % | after fine-tuning, % |" (known ? " paper: before | after |" : "")
    print "|---|---|---|---|" (known ? "---|---|" : "")
    for (p = 1; p <= policies; p++) {
        name = order[p]
        if (!(name in n)) continue
        printf "| %s | %.2f%% | %s | %s |%s\n", (name in title ? title[name] : name), 100 * most[name],
            cell(before, name), cell(after, name), known ? " " (name in paper ? paper[name] : " | ") " |" : ""
    }
}' scripts/paper.csv "$1"
