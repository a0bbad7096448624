#!/usr/bin/env bash
# Prints what RESULTS.md says about one network, from the figures of scripts/study.sh in scripts/results/NAME/: a
# section for each of them that is there.
#
#   scripts/study_tables.sh NAME TITLE
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s inherit_errexit

readonly name=$1 title=$2 folder=scripts/results/$1

# Whether there are figures of a kind.
has_rows() { [ -f "$folder/$1.csv" ] && [ "$(wc -l <"$folder/$1.csv")" -gt 1 ]; }

# What is said of figures by hand, where something is.
note() { if [ -f "$folder/$1.note" ]; then printf '\n' && cat "$folder/$1.note"; fi; }

policies() {
    local csv budget
    for csv in "$folder"/policies-*.csv; do
        [ -s "$csv" ] || continue
        budget=$(basename "$csv" .csv)
        budget=${budget#policies-}
        printf '\n### Policies at %.0f%% of the FLOPs\n\n' "$(awk "BEGIN { print 100 * $budget }")"
        scripts/policy_table.sh "$csv" "$name" "$budget"
        note "policies-$budget"
    done
}

# By how many points of the FLOPs a policy stays below its budget at most.
shortest_of_budget() {
    awk -F, 'NR > 1 && $1 - $4 > most { most = $1 - $4 } END { printf "%.0f", 100 * most }' "$folder/macs.csv"
}

macs() {
    has_rows macs || return 0
    cat <<TEXT

### Accuracy against FLOPs

Before fine-tuning, on the test set; searches with one seed. A column is a budget: uniform and shallow, which keep equal
shares, end up to $(shortest_of_budget) points of FLOPs below it, greedy and AMC less than one.

![Accuracy against multiply-accumulates, the unpruned network's as a dashed line]($folder/macs.png)

$(awk -F, 'NR > 1 { x[$2, $1] = 100 * $5; if (!seen[$1]++) budgets[++b] = $1; names[$2] = 1 }
    END {
        line = "| policy |"; rule = "|---|"
        for (i = 1; i <= b; i++) { line = line sprintf(" %.0f%% |", 100 * budgets[i]); rule = rule "---|" }
        print line; print rule
        p = split("uniform shallow deep fp cp greedy surgeon random amc", order, " ")
        for (k = 1; k <= p; k++) {
            if (!(order[k] in names)) continue
            line = "| " (order[k] == "amc" ? "**AMC**" : order[k]) " |"
            for (i = 1; i <= b; i++) line = line ((order[k], budgets[i]) in x ? sprintf(" %.2f |", x[order[k], budgets[i]]) : " |")
            print line
        }
    }' "$folder/macs.csv")
TEXT
}

# Of each variant the mean, smallest and largest of the best plan after so many episodes.
agents_table() {
    awk -F, 'NR > 1 {
            if (!($1 in last)) order[++v] = $1
            if ($3 > last[$1]) last[$1] = $3
            best[$1, $2, $3] = 100 * $5
            if ($2 > seeds[$1]) seeds[$1] = $2
        }
        function cell(name, episode,    s, x, n, sum, low, high) {
            low = 1e9; high = -1e9
            for (s = 1; s <= seeds[name]; s++) {
                if (!((name, s, episode) in best)) continue
                x = best[name, s, episode]; sum += x; n++
                if (x < low) low = x
                if (x > high) high = x
            }
            return n ? sprintf(" %.2f (%.2f to %.2f) |", sum / n, low, high) : " |"
        }
        END {
            print "| agent | 1 episode | 25 | 50 | 100 | 400 |"
            print "|---|---|---|---|---|---|"
            title["ours"] = "**this project**"
            title["paper"] = "the paper, `-paper`"
            title["random"] = "random, `-agent random`"
            for (i = 1; i <= v; i++)
                print "| " (order[i] in title ? title[order[i]] : order[i]) " |" cell(order[i], 1) cell(order[i], 25) \
                    cell(order[i], 50) cell(order[i], 100) cell(order[i], 400)
        }' "$folder/agents.csv"
}

agents() {
    has_rows agents || return 0
    cat <<TEXT

### How soon the agent finds good plans

Accuracy in % of the best plan so far by reward, at 50% of the FLOPs, reconstructed but not refitted, on held-out
training images that rewards are not from: mean (smallest to largest) over the seeds (\`scripts/agents.sh\`). Below the
first three, this project's agent with one thing changed. Only the paper's and the random one had more than 100 episodes.

![The best plan so far over episodes]($folder/agents.png)

$(agents_table)
TEXT
}

# Pearson's correlation of columns 3 to 8 with the second.
correlation_table() {
    awk -F, 'NR > 1 { n++; for (c = 2; c <= 8; c++) { x[c, n] = $c; sum[c] += $c } }
        function r(c,    i, a, b, ab, aa, bb) {
            for (i = 1; i <= n; i++) {
                a = x[c, i] - sum[c] / n; b = x[2, i] - sum[2] / n
                ab += a * b; aa += a * a; bb += b * b
            }
            return aa * bb > 0 ? ab / sqrt(aa * bb) : 0
        }
        END {
            print "| reward from a network that is | accuracy | expected accuracy |"
            print "|---|---|---|"
            printf "| left as it is | %.2f | %.2f |\n", r(3), r(4)
            printf "| re-estimated in its batch normalization | %.2f | %.2f |\n", r(5), r(6)
            printf "| reconstructed in its weights besides | %.2f | %.2f |\n", r(7), r(8)
        }' "$folder/correlation.csv"
}

correlation() {
    has_rows correlation || return 0
    cat <<TEXT

### Whether the reward says what fine-tuning will bring

$(($(wc -l <"$folder/correlation.csv") - 1)) random plans of 50% of the FLOPs, scored on the held-out training images in three ways, then fine-tuned for 2 epochs and
measured on the test set (\`scripts/correlation.sh\`): correlation of both. Expected accuracy is what rewards go by, the mean
probability of the true class. Of random plans, which differ much, accuracy tells as much; it is for plans near a good one.

![Accuracy after fine-tuning against that before]($folder/correlation.png)

$(correlation_table)
TEXT
}

# For awk: the mean and standard deviation of what was summed up by two keys; nothing where there is nothing.
readonly AWK_CELL='
    function cell(a, b,    k, mean, variance) {
        k = a SUBSEP b
        if (!(k in n)) return ""
        mean = sum[k] / n[k]; variance = squares[k] / n[k] - mean * mean
        return sprintf("%.2f ± %.2f", mean, variance > 0 ? sqrt(variance) : 0)
    }'

# Mean and spread of each criterion, without and with reconstruction; and in how many of the plans the default does better.
criteria_table() {
    awk -F, "$AWK_CELL"'
        NR > 1 && $3 && !$4 { x = 100 * $6; n[$1, $2]++; sum[$1, $2] += x; squares[$1, $2] += x * x; at[$1, $2, $5] = x }
        END {
            print "| criterion | accuracy, % | with weights reconstructed, % | plans in which obs is better then |"
            print "|---|---|---|---|"
            split("obs lasso bn l2 l1 random", order, " ")
            for (i = 1; i <= 6; i++) {
                c = order[i]; wins = 0
                if (!n[c, 2000]) continue
                for (s = 1; s <= n[c, 2000]; s++) wins += at["obs", 2000, s] > at[c, 2000, s]
                printf "| %s | %s | %s | %s |\n", c, cell(c, 0), cell(c, 2000),
                    c == "obs" ? "" : wins " of " n[c, 2000]
            }
        }' "$folder/criteria.csv"
}

# What each repair brings, alone and together.
repair_table() {
    awk -F, "$AWK_CELL"'
        NR > 1 && $1 == "bn" { x = 100 * $6; n[$2, $3 + $4]++; sum[$2, $3 + $4] += x; squares[$2, $3 + $4] += x * x }
        END {
            print "| | weights as they were | weights reconstructed |"
            print "|---|---|---|"
            printf "| batch normalization as it was | %s | %s |\n", cell(0, 0), cell(2000, 0)
            printf "| re-estimated | %s | %s |\n", cell(0, 256), cell(2000, 256)
            if (n[2000, 3256]) printf "| and the network refitted | | %s |\n", cell(2000, 3256)
        }' "$folder/criteria.csv"
}

repairs() {
    has_rows criteria || return 0
    cat <<TEXT

### Repairing the network, and which channels to keep

What repairs bring before any fine-tuning. The same $(grep -c '^bn,0,0,0,' "$folder/criteria.csv") random policies
(\`-policy random -flops 0.5 -criterion bn\`) were carried out, repaired in each way and scored on the held-out training
images: accuracy in %, mean and standard deviation over the policies (\`scripts/criteria.sh\`).

$(repair_table)

\`-criterion\` decides which channels of a group stay. The same policies, batch normalization re-estimated; \`obs\` is the
default where weights are reconstructed, else \`bn\`.

$(criteria_table)
TEXT
}

weights() {
    has_rows weights || return 0
    cat <<TEXT

### Single weights, at most two fifths of them

\`darknet amc search cfg/$name.cfg -granularity weight -reward params -params 0.4 -episodes 30\`: R_Param of the paper for at most two
fifths of the parameters, no fine-tuning (\`scripts/study.sh $name weights\`). Rewards are from the 5,000
held-out images.

| seed | parameters left | held-out accuracy, % | before | test accuracy, % | before | compressed with zstd |
|---|---|---|---|---|---|---|
$(awk -F, '
    function line(seed, params, before, held_out, test_before, test, size) {
        printf "| %s | %.1f%% | %.2f | %.2f | %.2f | %.2f | %.0f%% |\n", seed, 100 * params, 100 * held_out, 100 * before,
            100 * test, 100 * test_before, 100 * size
    }
    NR > 1 {
        line($1, $2, $3, $4, $5, $6, $7 / $8)
        n++; params += $2; before += $3; held_out += $4; test_before += $5; test += $6; size += $7 / $8
    }
    END { if (n > 1) line("mean", params / n, before / n, held_out / n, test_before / n, test / n, size / n) }
    ' "$folder/weights.csv")
TEXT
}

budgets() {
    has_rows budgets || return 0
    cat <<TEXT

### Several budgets in one go

\`-flops 0.5\` alone beside \`-flops 0.7,0.5,0.3\` (\`scripts/budgets.sh $name\`), before fine-tuning: what is found at 50%,
and what the second costs, as a share of the first.

| seed | alone: held-out, % | test, % | of three: held-out, % | test, % | images scored | processor time |
|---|---|---|---|---|---|---|
$(sed 's/"\([^"]*\)"/\1/; s/0\.7,0\.5,0\.3/three/' "$folder/budgets.csv" | awk -F, '
    NR > 1 && $3 == 0.5 {
        kind = $2 == "three"; held_out[kind, $1] = 100 * $6; test[kind, $1] = 100 * $7
        images[kind, $1] = $4; seconds[kind, $1] = $5; seeds[$1]
    }
    function line(seed,    k) {
        printf "| %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n", seed, held_out[0, seed], test[0, seed],
            held_out[1, seed], test[1, seed], images[1, seed] / images[0, seed], seconds[1, seed] / seconds[0, seed]
        for (k = 0; k <= 1; k++) {
            held_out[k, "mean"] += held_out[k, seed] / n; test[k, "mean"] += test[k, seed] / n
            images[k, "mean"] += images[k, seed]; seconds[k, "mean"] += seconds[k, seed]
        }
    }
    END {
        for (s in seeds) if ((1, s) in test) n++
        for (s = 1; s <= n; s++) line(s)
        if (n) line("mean")
    }')
TEXT
}

latency_search() {
    has_rows latency_search || return 0
    cat <<TEXT

### Searched for by FLOPs and by time

Searches of 100 plans within a share of the FLOPs (\`-flops\`) and within that share of the time of an image
(\`-latency\`), by \`scripts/latency_search.sh $name\`; time is measured in turn with the whole network, accuracy is on the
test set before fine-tuning.

![Accuracy against inference time]($folder/latency_search.png)

| budget | by FLOPs: FLOPs | time | accuracy, % | by time: FLOPs | time | accuracy, % |
|---|---|---|---|---|---|---|
$(awk -F, 'NR > 1 {
        if (!seen[$2]++) order[++n] = $2
        row[$1, $2] = sprintf("%.1f%% | %.1f%% | %.2f", 100 * $4, 100 * $3, 100 * $5)
    }
    END { for (i = 1; i <= n; i++) printf "| %.0f%% | %s | %s |\n", 100 * order[i], row["flops", order[i]], row["latency", order[i]] }' \
    "$folder/latency_search.csv")
TEXT
}

teacher() {
    has_rows teacher || return 0
    cat <<TEXT

### Learning from the unpruned network

Pruned uniformly to half of the FLOPs, then fine-tuned without and with \`-teacher\` (\`scripts/teacher.sh $name\`): test
accuracy in %, mean ± standard deviation.

| fine-tuning | epochs | runs | before | after |
|---|---|---|---|---|
$(awk -F, "$AWK_CELL"'
    NR > 1 {
        x = 100 * $5; n[$2, $3]++; sum[$2, $3] += x; squares[$2, $3] += x * x
        before = 100 * $4; if (!seen[$3]++) epochs[++e] = $3
    }
    END {
        for (i = 1; i <= e; i++)
            for (t = 0; t <= 1; t++)
                if ((t, epochs[i]) in n)
                    printf "| %s | %s | %d | %.2f | %s |\n", t ? "with a teacher" : "without", epochs[i], n[t, epochs[i]], before,
                        cell(t, epochs[i])
    }' "$folder/teacher.csv")
TEXT
}

latency() {
    has_rows latency || return 0
    cat <<TEXT

### Latency, predicted and measured

Twenty random plans of 20% to 90% of the FLOPs (\`scripts/latency_table.sh $name\`): how far the predicted time of an
image is from the measured one, as a share of the whole network's, which \`-latency\` is about, and in milliseconds,
which depend on what else the machine does.

| threads | share: worst | median | milliseconds: worst | median |
|---|---|---|---|---|
$(sort -t, -k2,2n "$folder/latency.csv" | awk -F, '
    function size(x) { return x < 0 ? -x : x }
    function insert(list, n, x) { for (; n > 0 && list[n] > x; n--) list[n + 1] = list[n]; list[n + 1] = x }
    function middle(list, n) { return n % 2 ? list[(n + 1) / 2] : (list[n / 2] + list[n / 2 + 1]) / 2 }
    function row() { if (n) printf "| %s | %.1f%% | %.1f%% | %.1f%% | %.1f%% |\n", threads, shares[n], middle(shares, n),
        times[n], middle(times, n); n = 0 }
    $1 + 0 > 0 {
        if ($2 != threads) row()
        threads = $2
        insert(shares, n, size(100 * ($9 / $10 - 1)))
        insert(times, n, size(100 * ($5 / $6 - 1)))
        n++
    }
    END { row() }')
TEXT
}

[ -d "$folder" ] || exit 0
scripts/plots.sh "$folder"
printf '\n## %s\n' "$title"
policies
for section in macs agents repairs correlation budgets teacher weights latency latency_search; do
    $section
    note $section
done
