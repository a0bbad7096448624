#!/usr/bin/env bash
# The commands end to end, on a small network in which channels go together in every way: what info and eval say, what
# prune and search leave behind and print, that it is the same for any number of threads, and that Debian's stock
# Darknet reads it and agrees.
# shellcheck disable=SC2016 # awk's own $1
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"
# shellcheck source=tests/cmd/amc_lib.sh
. "$root/tests/cmd/amc_lib.sh"
readonly STOCK=/usr/bin/darknet

# A value of the section of layer $2 in .cfg $1, key $3.
option_of() {
    awk -v layer="$2" -v key="$3" '
        /^\[/ { n++ }
        n == layer + 2 { gsub(/[ \t]/, ""); split($0, a, "="); if (a[1] == key) { print a[2]; exit } }' "$1"
}

# The .cfg $1 with all that pruning may change made the same.
unpruned() { sed -E 's/^([ \t]*(filters|groups|output)[ \t]*=[ \t]*)[0-9]+/\1N/' "$1"; }

# check_pruned NAME FOLDER BUDGET: the folder holds a result in order, within that share of the multiply-accumulates.
check_pruned() {
    local cfg=$2/tiny-amc.cfg weights=$2/tiny-amc.weights
    amc info "$cfg" "$weights" -json
    check_holds "$1: the budget is kept" "$(number macs "$work.out") <= $3 * 94032"
    check_holds "$1: the weights file has the length that its parameters need" \
        "$(stat -c %s "$weights") == 20 + 4 * $(number params "$work.out")"
    check "$1: only filters, groups and outputs differ in the .cfg" \
        "$(diff <(unpruned cfg/tiny.cfg) <(unpruned "$cfg"))" cmp -s <(unpruned cfg/tiny.cfg) <(unpruned "$cfg")
    check "$1: the weights count no images seen" 'bytes 12 to 19 are not 0' \
        cmp -s <(head -c 20 "$weights") <(printf '\0\0\0\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0')
    check "$1: groups= of the depthwise layer are its filters" "$(option_of "$cfg" 1 groups)" \
        [ "$(option_of "$cfg" 1 groups)" = "$(option_of "$cfg" 0 filters)" ]
    check "$1: nothing but the result is there" "$(ls -A "$2")" \
        [ -z "$(find "$2" -mindepth 1 ! -name 'tiny-amc.*' ! -name policy.json ! -name result.json ! -name episodes.csv ! -name checkpoint)" ]
}

help() {
    local command
    run 'help' -h
    for command in info eval latency prune search; do
        run "$command -h" "$command" -h
        check "$command -h: usage" "$(head -1 "$work.out")" grep -q "^usage: darknet amc $command <cfg>" "$work.out"
    done
    "$DARKNET" amc help search >"$work.help" 2>&1
    "$DARKNET" amc search -h >"$work.out" 2>&1
    check 'help search is search -h' "$(head -1 "$work.help")" cmp -s "$work.out" "$work.help"
    check 'search -h: live defaults' "$(cat "$work.out")" \
        grep -qE -- '-episodes N +plans to try; of several -flops a third more, shared among them \(default 200\)' "$work.out"
}

info() {
    run 'info' info cfg/tiny.cfg weights/tiny.weights
    check 'info: totals' 'no such line' grep -qx 'total: 94.0 k MACs, 8.28 k parameters' "$work.out"
    check 'info: prospects' "$(tail -1 "$work.out")" grep -q '^prunable: 5 of 6 groups; ' "$work.out"
    check 'info: a line a layer' "$(grep -c '^ *[0-9]' "$work.out") lines" \
        [ "$(grep -c '^ *[0-9]' "$work.out")" = 13 ]
    check 'info: what is read by the softmax stays' 'no such line' \
        grep -q '^group 5: 4 channels, not prunable: read by layer 12 (softmax)' "$work.out"
    check 'info: what hands channels on' 'no such line' grep -q '^    passed by .*shortcut [0-9]' "$work.out"
    run 'info -json' info cfg/tiny.cfg -json
    check_json 'info' 'macs params prunable_share smallest_share layers groups'
    check 'info: keys of layers' "$(inner_keys layers)" [ "$(inner_keys layers)" = 'index type line input output macs params groups ' ]
    check 'info: keys of groups' "$(inner_keys groups)" [ "$(inner_keys groups)" = 'layers followers consumers units prunable ' ]
    check_holds 'info: MACs' "$(number macs "$work.out") == 94032"
    check_holds 'info: parameters' "$(number params "$work.out") == ($(stat -c %s weights/tiny.weights) - 20) / 4"
    check_holds 'info: the layers sum up to the totals' "$(sed -n 's/^\t\t\t"macs":[[:space:]]*\([0-9]*\).*/\1/p' \
        "$work.out" | paste -sd+) == 94032"
}

evaluate() {
    local all
    run 'eval' eval cfg/tiny.cfg
    check 'eval: text' "$(cat "$work.out")" grep -qE '^top-1 [0-9.]+%, top-2 [0-9.]+% of 300 images .*, [0-9.e+-]+ ms an image$' "$work.out"
    run 'eval -json' eval cfg/tiny.cfg weights/tiny.weights -data cfg/tiny.data -top 1 -json
    check_json 'eval' 'top1 expected images macs params seconds latency_ms'
    check_holds 'eval: values' "$(number top1 "$work.out") >= 0 && $(number top1 "$work.out") <= 1 &&
        $(number images "$work.out") == 300 && $(number macs "$work.out") == 94032 &&
        $(number seconds "$work.out") > 0 && $(number latency_ms "$work.out") > 0"
    check_holds 'eval: what is expected of the probabilities' "$(number expected "$work.out") > 0 && $(number expected "$work.out") < 1"
    all=$(number top1 "$work.out")
    run 'eval -threads 3' eval cfg/tiny.cfg -threads 3 -top 4 -json
    check_json 'eval -top 4' 'top1 top4 expected images macs params seconds latency_ms'
    check_holds 'eval: the same on any number of threads' "$(number top1 "$work.out") == $all"
    check_holds 'eval: one of four is among four' "$(number top4 "$work.out") == 1"
    run 'eval -limit' eval cfg/tiny.cfg -limit 8 -set train -json
    check_holds 'eval: -limit' "$(number images "$work.out") == 8"
    run 'eval -set search' eval cfg/tiny.cfg -set search -json
    check_holds 'eval: -set search' "$(number images "$work.out") == 60"
    sed '/^search/d' cfg/tiny.data >no_search.data
    run 'eval without search=' eval cfg/tiny.cfg -set search -data no_search.data -json
    check_holds 'eval: a tenth of train= is held out' "$(number images "$work.out") == 6"
    check 'eval: says that images are held out' "$(cat "$work.err")" \
        grep -q '^no_search.data has no search=: 6 images of train= are held out' "$work.err"
}

prune() {
    local policy
    for policy in uniform shallow deep random; do
        run "prune $policy -flops" prune cfg/tiny.cfg -policy $policy -flops .5 -out "out/$policy/flops"
        check_pruned "$policy -flops" "out/$policy/flops" .5
        run "prune $policy -keep" prune cfg/tiny.cfg -policy $policy -keep .5 -out "out/$policy/keep"
        check_pruned "$policy -keep" "out/$policy/keep" 1
    done
    check 'uniform -keep: half of each group' "$(grep -E 'filters|output' out/uniform/keep/tiny-amc.cfg | tr '\n' ' ')" \
        [ "$(sed -nE 's/^[ \t]*(filters|output) *= *//p' out/uniform/keep/tiny-amc.cfg | tr '\n' ' ')" = '6 6 8 8 4 8 10 4 ' ]
    check 'shallow: the last layers stay whole' 'they do not' \
        [ "$(option_of out/shallow/keep/tiny-amc.cfg 9 output)" = 20 ]
    check 'deep: the first layers stay whole' 'they do not' [ "$(option_of out/deep/keep/tiny-amc.cfg 0 filters)" = 12 ]

    run 'prune: defaults' prune cfg/tiny.cfg -policy uniform -flops .4 -round 4 -skip 8,9
    check_pruned 'amc-out/tiny' amc-out/tiny .4
    check 'prune -round: multiples' 'not all are' \
        [ -z "$(sed -nE 's/^[ \t]*filters *= *//p' amc-out/tiny/tiny-amc.cfg | awk '$1 % 4')" ]
    check 'prune -skip: stays whole' "$(option_of amc-out/tiny/tiny-amc.cfg 8 filters)" \
        [ "$(option_of amc-out/tiny/tiny-amc.cfg 8 filters)$(option_of amc-out/tiny/tiny-amc.cfg 9 output)" = 1620 ]

    run 'prune by the policy.json of a result' prune cfg/tiny.cfg -policy out/random/flops/policy.json -out out/again
    check 'policy.json: makes the same result' 'files differ' cmp -s out/random/flops/tiny-amc.weights out/again/tiny-amc.weights
    echo '{"groups": [{"layers": [6], "channels": [0, 3, 5]}, {"layers": [9], "ratio": 0.25}]}' >mine.json
    run 'prune by a policy.json by hand' prune cfg/tiny.cfg -policy mine.json -out out/mine
    check_pruned 'by hand' out/mine 1
    check 'by hand: what it says' 'other counts' \
        [ "$(sed -nE 's/^[ \t]*(filters|output) *= *//p' out/mine/tiny-amc.cfg | tr '\n' ' ')" = '12 12 16 16 3 16 5 4 ' ]

    for policy in fp greedy; do
        run "prune $policy" prune cfg/tiny.cfg -policy $policy -flops .5 -reconstruct 16 -calibrate 16 -out "out/$policy"
        check "prune $policy: shows how far it is" "$(cat "$work.err")" grep -q '^measuring: plan 1 of 46 at most, ' "$work.err"
        check_pruned "$policy" "out/$policy" .5
    done
    run 'prune surgeon' prune cfg/tiny.cfg -policy surgeon -flops .5 -reconstruct 16 -out out/surgeon
    check_pruned 'prune surgeon' out/surgeon .5
    run 'prune, not refitted' prune cfg/tiny.cfg -policy uniform -flops .5 -reconstruct 16 -out out/plain
    run 'prune -refit' prune cfg/tiny.cfg -policy uniform -flops .5 -reconstruct 16 -refit 48 -out out/refit
    check_pruned 'prune -refit' out/refit .5
    check 'prune -refit: other weights' 'the same' bash -c '! cmp -s out/refit/tiny-amc.weights out/plain/tiny-amc.weights'
    run 'prune -criterion lasso' prune cfg/tiny.cfg -policy uniform -flops .5 -reconstruct 16 -criterion lasso -out out/lasso
    check_pruned 'lasso' out/lasso .5

    run 'prune -force -json' prune cfg/tiny.cfg -policy deep -flops .3 -force -json
    check_json 'prune' "$CHANNEL_KEYS"
    check_holds 'prune: values' "$(number macs "$work.out") <= .3 * 94032 && $(number macs_before "$work.out") == 94032 &&
        $(number params "$work.out") < 8276 && $(number params_before "$work.out") == 8276"
    check_pruned 'prune -force' amc-out/tiny .3
}

# Weights of cfg/tiny.cfg's files that aren't zero; 20 bytes are the header.
not_zero() { od -An -v -j 20 -t f4 -w4 "$1" | awk '$1 != 0' | wc -l; }

# The file $1 keeps at most that share of the parameters, in a network of the same shape. Those that are zero before
# (biases and means of the fixture) are none of a plan's.
check_sparse() {
    check "$1: the .cfg is the same" "$(diff cfg/tiny.cfg "$2/tiny-amc.cfg")" cmp -s cfg/tiny.cfg "$2/tiny-amc.cfg"
    check_holds "$1: the budget is kept" "$(not_zero "$2/tiny-amc.weights") <= $3 * 8276"
    check_holds "$1: the file is as long as before" \
        "$(stat -c %s "$2/tiny-amc.weights") == $(stat -c %s weights/tiny.weights)"
}

parameters() {
    run 'prune -params' prune cfg/tiny.cfg -policy uniform -params .4 -out out/params -json
    check_holds 'prune -params: the budget is kept' "$(number params "$work.out") <= .4 * 8276"
    run 'prune -params -flops' prune cfg/tiny.cfg -policy greedy -params .7 -flops .3 -out out/both -json
    check_holds 'prune -params -flops: both are kept' \
        "$(number params "$work.out") <= .7 * 8276 && $(number macs "$work.out") <= .3 * 94032"
    run 'search -params' search cfg/tiny.cfg -params .4 -episodes 6 -warmup 3 -out out/search_params -json
    check_holds 'search -params: the budget is kept' "$(number params "$work.out") <= .4 * 8276"
    run 'search -reward flops' search cfg/tiny.cfg -reward flops -episodes 20 -warmup 12 -out out/reward -json
    check_holds 'search -reward flops: -Error * log(FLOPs)' \
        "($(number reward "$work.out") + (1 - $(number expected_in_search "$work.out")) * log($(number macs "$work.out"))) ^ 2 < 1e-6"
    check 'search -reward flops: plans of all sizes' "$(cut -d, -f4 out/reward/episodes.csv | sort -n | tr '\n' ' ')" \
        awk -F, 'NR > 1 && $4 < .4 { small = 1 } NR > 1 && $4 > .6 { large = 1 } END { exit !(small && large) }' \
        out/reward/episodes.csv
}

max_drop() {
    local base
    amc eval cfg/tiny.cfg -set search -json
    base=$(number top1 "$work.out")
    run 'search -max-drop' search cfg/tiny.cfg -reward params -max-drop 5 -calibrate 0 -episodes 20 -out out/drop -json
    check_holds 'search -max-drop: no more is lost' "$(number accuracy "$work.out") >= $base - .05"
}

fine_grained() {
    run 'prune weights' prune cfg/tiny.cfg -granularity weight -policy uniform -params .5 -out out/weights
    check_sparse 'prune weights' out/weights .5
    check_holds 'prune weights: the budget is used' "$(not_zero out/weights/tiny-amc.weights) > .47 * 8276"
    check 'prune weights: densities' "$(cat "$work.out")" grep -qE '^ +0  convolutional +324 +[45][0-9]\.[0-9]+%$' "$work.out"
    run 'prune weights -keep' prune cfg/tiny.cfg -granularity weight -policy deep -keep .25 -out out/weights_keep
    run 'prune weights by policy.json' prune cfg/tiny.cfg -granularity weight -policy out/weights/policy.json -out out/weights_again
    check 'prune weights: policy.json makes the same result' 'files differ' \
        cmp -s out/weights/tiny-amc.weights out/weights_again/tiny-amc.weights
    run 'search weights' search cfg/tiny.cfg -granularity weight -params .5 -episodes 8 -warmup 4 -out out/search_weights -threads 2 -json
    check_sparse 'search weights' out/search_weights .5
    check_json 'search weights' "$WEIGHT_KEYS $SEARCH_KEYS references"
    check_holds 'search weights: zstd would make of it what is said' "$(number zstd_bytes "$work.out") - $(
        zstd -q -c out/search_weights/tiny-amc.weights | wc -c) < 64 && $(
        zstd -q -c out/search_weights/tiny-amc.weights | wc -c) - $(number zstd_bytes "$work.out") < 64"
    check_holds 'search weights: a compressed file is smaller' \
        "$(number zstd_bytes "$work.out") < .75 * $(number zstd_bytes_before "$work.out")"
    check_holds 'search weights: says what is left' \
        "$(number params "$work.out") <= .5 * 8276 && $(number macs "$work.out") == 94032"
    run 'search weights again' search cfg/tiny.cfg -granularity weight -params .5 -episodes 8 -warmup 4 -out out/search_weights_1 -threads 1
    check 'search weights: one thread, the same result' 'files differ' same_result out/search_weights out/search_weights_1
    run 'search weights -reward params' search cfg/tiny.cfg -granularity weight -reward params -episodes 8 -warmup 4 -skip 0 -out out/skip
    check 'search weights -skip: stays whole' "$(grep '^    0' "$work.out")" grep -qE '^ +0  convolutional +324 +100.00%$' "$work.out"
}

# search_to NAME FOLDER ARGS...: a search whose result goes to out/FOLDER succeeds.
search_to() {
    run "$1" search cfg/tiny.cfg -flops .6 -episodes 12 -warmup 5 -out "out/$2" "${@:3}"
}

same_result() {
    cmp -s "$1/episodes.csv" "$2/episodes.csv" && cmp -s "$1/tiny-amc.cfg" "$2/tiny-amc.cfg" &&
        cmp -s "$1/tiny-amc.weights" "$2/tiny-amc.weights" && cmp -s "$1/policy.json" "$2/policy.json"
}

# check_episodes NAME FOLDER ROWS BUDGET ACCURACY: a row an episode, none over the budget, the best one the result's.
check_episodes() {
    local csv=$2/episodes.csv
    check "$1: columns" "$(head -1 "$csv")" \
        grep -qE '^episode,reward,accuracy,flops,macs,params,g[0-9]+_layer0,.*,images$' "$csv"
    check "$1: a row an episode" "$(wc -l <"$csv") lines" [ "$(wc -l <"$csv")" = $(($3 + 1)) ]
    check "$1: every episode is within the budget" 'one is not' awk -F, -v budget="$4" \
        'NR > 1 && ($4 > budget || $5 > budget * 94032) { bad = 1 } END { exit bad }' "$csv"
    check "$1: the result is the best episode" 'its accuracy is another' awk -F, -v best="$5" \
        'NR == 2 || (NR > 2 && $2 > most) { most = $2; of = $3 } END { exit !((of - best) ^ 2 < 1e-12) }' "$csv"
}

search() {
    local accuracy
    search_to 'search' first -threads 2 -json
    check 'search: shows where it is' "$(cat "$work.err")" grep -qE '^episode 10/12: reward -0\.[0-9]+ \([0-9.]+%\), [0-9.]+% FLOPs, best [0-9.]+%, [0-9]+:[0-9]{2} left$' "$work.err"
    check_json 'search' "$CHANNEL_KEYS $SEARCH_KEYS references"
    accuracy=$(number accuracy "$work.out")
    check 'search: refits the best plans' "$(cat "$work.err")" \
        [ "$(grep -cE '^refitted plan [1-6] of 6 on 64 images: reward -[0-9.]+, accuracy [0-9.]+% of 60, [0-9]+:[0-9]{2} left$' "$work.err")" = 6 ]
    check_holds 'search: never for the worse' "$(number expected "$work.out") >= $(number expected_in_search "$work.out")"
    check_holds 'search: values' "$(number macs "$work.out") <= .6 * 94032 && $(number macs_before "$work.out") == 94032 &&
        $(number episodes "$work.out") == 12 && ($(number reward "$work.out") + 1 - $(number expected_in_search "$work.out")) ^ 2 < 1e-10 &&
        $(number images_scored "$work.out") <= 12 * 60 && $(number images_scored "$work.out") % 60 == 0"
    check_pruned 'search' out/first .6
    amc eval out/first/tiny-amc.cfg out/first/tiny-amc.weights -data cfg/tiny.data -set search -json
    check_holds 'search: eval agrees on the reward' "($(number top1 "$work.out") - $accuracy) ^ 2 < 1e-10"
    search_to 'search -limit' limited -threads 2 -limit 10
    check 'search -limit: compares the best plans on more images' "$(cat "$work.err")" \
        [ "$(grep -cE '^refitted plan [1-5] of 5 on 64 images: reward -[0-9.]+, accuracy [0-9.]+% of 50, [0-9]+:[0-9]{2} left$' "$work.err")" = 5 ]
    search_to 'search -refit 0' unfitted -threads 2 -refit 0 -json
    check 'search -refit 0: refits nothing' "$(cat "$work.err")" [ "$(grep -c refitted "$work.err")" = 0 ]
    check_holds 'search -refit 0: as in its episode' "$(number accuracy "$work.out") == $(number accuracy_in_search "$work.out")"
    check_episodes 'search -refit 0' out/unfitted 12 .6 "$(number accuracy "$work.out")"

    search_to 'search again' second -threads 2
    check 'search: the same seed, the same result' 'files differ' same_result out/first out/second
    search_to 'search -threads 1' one_thread -threads 1
    check 'search: one thread, the same result' 'files differ' same_result out/first out/one_thread
    search_to 'search -seed 2' seed_2 -threads 2 -seed 2
    check 'search: another seed, another search' 'the same episodes' \
        eval '! cmp -s out/first/episodes.csv out/seed_2/episodes.csv'
    search_to 'search -force' second -threads 2 -force
    check 'search -force: the same result again' "$(cat "$work.err")" same_result out/first out/second
    search_to 'search -agent random' random -agent random -calibrate 0 -data no_search.data -json
    check 'search: says once that images are held out' "$(cat "$work.err")" \
        [ "$(grep -c 'images of train= are held out' "$work.err")" = 1 ]

    run 'search -paper: as many episodes as in the paper' search cfg/tiny.cfg -paper -flops .6 -limit 4 -calibrate 0 \
        -reconstruct 0 -out out/paper_400
    check_episodes 'search -paper: 400' out/paper_400 400 .6 "$(awk -F, 'NR > 1 && $3 > m { m = $3 } END { print m }' \
        out/paper_400/episodes.csv)"
    search_to 'search -paper' paper -threads 2 -paper
    check 'search -paper: another agent, other episodes' 'the same episodes' \
        eval '! cmp -s out/first/episodes.csv out/paper/episodes.csv'
    check_pruned 'search -paper' out/paper .6

    run 'search: defaults' search cfg/tiny.cfg -episodes 3 -force
    check_pruned 'search: defaults' amc-out/tiny .5
}

# Images on which the plans of a folder's episodes were scored, each with how many there are of it.
images_of() { awk -F, 'NR > 1 { n[$NF]++ } END { for (i in n) print i, n[i] }' "$1/episodes.csv" | sort -n | tr '\n' ' '; }

# Of 300 images there is one look, at 250. A plan that was stopped is behind, and the result isn't one.
early_stop() {
    sed 's/^search.*/search=test.list/; s/^valid.*/valid=search.list/' cfg/tiny.data >many.data
    search_to 'search: off' off -data many.data
    check 'search: all images score each plan' "$(images_of out/off)" [ "$(images_of out/off)" = '300 12 ' ]
    search_to 'search -early-stop' early -data many.data -early-stop .1 -threads 2
    check 'search -early-stop: says how many' "$(cat "$work.out")" \
        grep -qE '^[0-9]+ of [0-9]+ plans were stopped early; images scored: (9[0-9]|8[4-9])\.[0-9]%$' "$work.out"
    check 'search -early-stop: some plans are stopped, some not' "$(images_of out/early)" \
        grep -qE '^250 [0-9]+ 300 [0-9]+ $' <(images_of out/early)
    check 'search -early-stop: who is stopped is behind' "$(cut -d, -f 1-3 out/early/episodes.csv)" awk -F, '
        NR == 1 { next }
        $NF == 250 && $3 >= best { bad = 1 }
        $NF == 300 && $3 > best { best = $3 }
        END { exit bad }' out/early/episodes.csv
    search_to 'search -early-stop again' early_1 -data many.data -early-stop .1 -threads 1 -json
    check 'search -early-stop: one thread, the same result' 'files differ' same_result out/early out/early_1
    check_episodes 'search -early-stop' out/early 12 .6 "$(number accuracy "$work.out")"
    amc eval out/early/tiny-amc.cfg out/early/tiny-amc.weights -data many.data -set search -json
    check_holds 'search -early-stop: eval agrees' "($(number top1 "$work.out") - $(awk -F, \
        '$3 > best { best = $3 } END { print best }' <(sed 1d out/early/episodes.csv))) ^ 2 < 1e-10"
}

# The top-1 that a `classifier valid` ended with.
valid_top1() { tr '\r' '\n' <"$1" | sed -n 's/^[0-9]*: top 1: \([0-9.]*\),.*/\1/p' | tail -n 1; }

# check_stock NAME DATA CFG WEIGHTS: Debian's stock Darknet gives the top-1 of eval.
check_stock() {
    "$STOCK" classifier valid "$2" "$3" "$4" >"$work.stock" 2>&1 </dev/null
    amc eval "$3" "$4" -data "$2" -json
    local stock ours
    stock=$(valid_top1 "$work.stock") ours=$(number top1 "$work.out")
    check_holds "$1: stock Darknet gives the same top-1" "${stock:-99} - ${ours:--99} < .0005 && ${ours:--99} - ${stock:-99} < .0005"
}

stock() {
    if [ ! -x $STOCK ]; then
        echo "# skipped: $STOCK, Debian's package darknet, is not installed"
        return
    fi
    check_stock 'the network' cfg/tiny.data cfg/tiny.cfg weights/tiny.weights
    check_stock 'search' cfg/tiny.data out/first/tiny-amc.cfg out/first/tiny-amc.weights
    check_stock 'prune' cfg/tiny.data out/mine/tiny-amc.cfg out/mine/tiny-amc.weights
    if [ ! -f "$root/weights/fashion.weights" ] || [ ! -f "$root/data/fashion-mnist/test.list" ]; then
        echo '# skipped: fashion, whose weights or images are not there'
        return
    fi
    ln -s "$root/data" data
    awk 'NR % 40 == 0' data/fashion-mnist/test.list >few.list
    sed 's/^valid=.*/valid=few.list/' "$root/cfg/fashion.data" >fashion.data
    run 'prune fashion' prune "$root/cfg/fashion.cfg" "$root/weights/fashion.weights" -data fashion.data \
        -policy uniform -flops .5 -calibrate 128 -out out/fashion
    check_stock 'fashion' fashion.data out/fashion/fashion-amc.cfg out/fashion/fashion-amc.weights

    # A network that knows something can't lose nine tenths of its FLOPs for nothing.
    if amc search "$root/cfg/fashion.cfg" "$root/weights/fashion.weights" -data fashion.data -reward params -max-drop 0 \
        -flops .1 -reconstruct 0 -limit 100 -episodes 1 -out out/none; then
        not_ok 'search -max-drop 0: says that no plan will do' "$(cat "$work.err")"
    else
        check 'search -max-drop 0: says that no plan will do' "$(cat "$work.err")" \
            grep -qE 'none of 1 plans lost at most 0 points of [0-9.]+%, the best lost [0-9.]+; expected' "$work.err"
        check 'search -max-drop 0: leaves what it scored' "$(ls out/none)" [ "$(ls -A out/none)" = checkpoint ]
    fi
}

# The printed commands, as a person would paste them, for a folder whose name needs quotes.
printed() {
    local train valid folder="out/it's here"
    rmdir backup
    run 'search into a folder with blanks' search cfg/tiny.cfg -episodes 2 -out "$folder"
    check 'a missing backup folder is made first' "$(tail -n 3 "$work.out")" \
        [ "$(tail -n 3 "$work.out" | head -n 1)" = 'mkdir -p backup' ]
    sed '/^backup=/d' cfg/tiny.data >cfg/nowhere.data
    run 'prune without backup=' prune cfg/tiny.cfg -policy uniform -flops .5 -data cfg/nowhere.data -out out/nowhere
    check 'where Darknet trains into then is tested' "$(tail -n 1 "$work.out")" grep -q ' /backup/tiny-amc.weights$' "$work.out"
    sed '/^valid=/d' cfg/tiny.data >cfg/untested.data
    run 'prune without valid=' prune cfg/tiny.cfg -policy uniform -flops .5 -data cfg/untested.data -out out/untested
    check 'nothing is tested then' "$(cat "$work.out")" [ "$(grep -c 'classifier train' "$work.out"; grep -c 'classifier valid' "$work.out")" = "1
0" ]
    run 'the search again' search cfg/tiny.cfg -episodes 2 -out "$folder" -force
    mkdir backup
    train=$(tail -n 2 "$work.out" | head -n 1) valid=$(tail -n 1 "$work.out")
    check 'the last but one line trains' "$train" [ "${train#"$DARKNET" classifier train }" != "$train" ]
    check 'the last line validates' "$valid" [ "${valid#"$DARKNET" classifier valid }" != "$valid" ]

    eval "timeout 60 $train" >"$work.train" 2>&1 </dev/null
    check 'the printed train command runs all batches of the .cfg' "$(tail -n 3 "$work.train")" \
        [ "$(grep -cE '^[0-9]+, [0-9.]+: ' "$work.train")" = 60 ]
    check 'training starts at batch 1' "$(grep -E -m1 '^[0-9]+, ' "$work.train")" \
        grep -qE '^1, 0.250: ' "$work.train"
    check 'training makes the loss smaller' "$(grep -E '^[0-9]+, ' "$work.train" | cut -c1-40 | tail -n 3)" \
        awk '/^[0-9]+, / { if (!first) first = $3; loss = $4 } END { exit !(loss + 0 < .8 * first) }' "$work.train"
    eval "timeout 60 $valid" >"$work.valid" 2>&1 </dev/null
    run 'what was trained is a network' eval "$folder/tiny-amc.cfg" backup/tiny-amc.weights -data cfg/tiny.data -json
    check_holds 'the printed valid command tests what was trained, as eval does' \
        "($(valid_top1 "$work.valid") - $(number top1 "$work.out")) ^ 2 < 2.5e-7"
}

# A detector: its images need no labels to repair it on, and Darknet names what it trained in another way.
detector() {
    sed '/^# 9/,$d' cfg/tiny.cfg >cfg/boxes.cfg
    printf '[convolutional]\nfilters=18\nsize=1\nactivation=linear\n\n' >>cfg/boxes.cfg
    printf '[yolo]\nmask=0,1,2\nanchors=1,1, 2,2, 3,3\nclasses=1\nnum=3\n' >>cfg/boxes.cfg
    head -c $((20 + 4 * (6832 + 18 + 18 * 16))) weights/tiny.weights >cfg/boxes.weights
    printf 'classes=1\ntrain=train.list\nvalid=test.list\nnames=labels.txt\nbackup=backup/\n' >cfg/boxes.data
    run 'prune a detector' prune cfg/boxes.cfg -policy uniform -flops .5 -reconstruct 16 -calibrate 16 -refit 16
    check 'its commands' "$(tail -n 2 "$work.out")" [ "$(tail -n 2 "$work.out" | sed "s|^$DARKNET ||")" = \
        "detector train cfg/boxes.data amc-out/boxes/boxes-amc.cfg amc-out/boxes/boxes-amc.weights
detector valid cfg/boxes.data amc-out/boxes/boxes-amc.cfg backup/boxes-amc_final.weights" ]
    check 'what takes its time is said' "$(cat "$work.err")" [ "$(grep -c '^loading 16 training images to' "$work.err")" = 3 ]
    run 'quietly' prune cfg/boxes.cfg -policy uniform -flops .5 -calibrate 16 -refit 16 -force -quiet
    check 'or not' "$(cat "$work.err")" [ ! -s "$work.err" ]
    rm cfg/boxes.data
    run 'prune without a .data file' prune cfg/boxes.cfg -policy uniform -flops .5 -force
    check 'that it repairs nothing is said' "$(cat "$work.err")" grep -q -- '-reconstruct 2000 .* repairs' "$work.err"
    check 'no commands that read it' "$(cat "$work.out")" [ "$(grep -c boxes.data "$work.out")" = 0 ]
}

# Several budgets in one search: a result each, a third more plans than for one.
several() {
    run 'several budgets' search cfg/tiny.cfg -flops .5,.8,.65 -episodes 10 -warmup 4 -out out/several
    check 'several budgets: a table of them' "$(tail -n 4 "$work.out")" \
        [ "$(tail -n 3 "$work.out" | sed 's/^ *\([0-9.]*%\).* \(out.*\)/\1 \2/' | tr '\n' ' ')" = \
        '80.0% out/several/flops-0.8/tiny-amc.cfg 65.0% out/several/flops-0.65/tiny-amc.cfg 50.0% out/several/flops-0.5/tiny-amc.cfg ' ]
    check 'several budgets: what is trained for one is not lost to the next' "$(grep '^mv' "$work.out")" \
        [ "$(grep -A1 '^mv ' "$work.out" | sed "s|^$DARKNET ||" | head -n 2 | tr '\n' ' ')" = \
        'mv backup/tiny-amc.weights out/several/flops-0.8/tiny-amc-trained.weights classifier valid cfg/tiny.data out/several/flops-0.8/tiny-amc.cfg out/several/flops-0.8/tiny-amc-trained.weights ' ]
    check_pruned 'several budgets: 80%' out/several/flops-0.8 .8
    check_pruned 'several budgets: 65%' out/several/flops-0.65 .65
    check_pruned 'several budgets: 50%' out/several/flops-0.5 .5
    check 'several budgets: 15 plans' "$(cat out/several/*/episodes.csv | grep -c '^[0-9]')" \
        [ "$(cat out/several/*/episodes.csv | grep -c '^[0-9]')" = 15 ]
    cp -r out/several out/kept
    run 'several budgets, -resume' search cfg/tiny.cfg -flops .8,.65,.5 -episodes 10 -warmup 4 -out out/several -resume -json
    check 'several budgets, -resume: the same' "$(diff -rq out/kept out/several | head -n 3)" \
        [ "$(diff -rq out/kept out/several | grep -vc result.json)" = 0 ]
    check_json 'several budgets' results
    check 'several budgets: three results' "$(grep -c '"accuracy_before"' "$work.out")" \
        [ "$(grep -c '"accuracy_before"' "$work.out")" = 3 ]
}

# Ctrl-C: the best plan so far is exported.
interrupt() {
    rm -f "$work.err" # or an earlier search's progress would be waited for
    "$DARKNET" amc search cfg/tiny.cfg -episodes 1000000 -out out/interrupted -json >"$work.out" 2>"$work.err" </dev/null &
    local process=$! tries=0
    until grep -qs '^episode 10/' "$work.err" || [ $tries = 200 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
    kill -INT $process
    check 'Ctrl-C: exit status 0' "$(tail -n 2 "$work.err")" wait $process
    check_json 'Ctrl-C' "$CHANNEL_KEYS $SEARCH_KEYS references"
    check_episodes 'Ctrl-C' out/interrupted "$(number episodes "$work.out")" .5 "$(number accuracy "$work.out")"
    check_pruned 'Ctrl-C' out/interrupted .5
}

fixture_make 64 60 300
# What Darknet ignores is told with its line, once, and done without.
misspelt() {
    sed 's/^stride=/strid=/' cfg/tiny.cfg >cfg/typo.cfg
    sed 's/^search/serch/' cfg/tiny.data >cfg/typo.data
    local line
    line=$(grep -n '^strid=' cfg/typo.cfg | head -n 1 | cut -d: -f1)
    "$DARKNET" amc info cfg/typo.cfg >"$work.out" 2>"$work.err"
    check 'a misspelt key of a .cfg' "$(head -n 1 "$work.err")" \
        [ "$(head -n 1 "$work.err")" = "cfg/typo.cfg:$line: warning: strid= is no key that Darknet reads; it is ignored" ]
    "$DARKNET" amc eval cfg/tiny.cfg -data cfg/typo.data >"$work.out" 2>"$work.err"
    check 'a misspelt key of a .data file' "$(cat "$work.err")" \
        grep -qx 'cfg/typo.data:[0-9]*: warning: serch= is no key that Darknet reads; it is ignored' "$work.err"
    "$DARKNET" amc info cfg/tiny.cfg >"$work.out" 2>"$work.err"
    check 'keys that are read are not told' "$(cat "$work.err")" [ ! -s "$work.err" ]
    rm cfg/typo.*
}

# A pruning that takes a search's place takes its checkpoint away: nothing can go on over it.
replaced() {
    "$DARKNET" amc search cfg/tiny.cfg -episodes 4 -out out/replaced -quiet >/dev/null 2>&1
    "$DARKNET" amc prune cfg/tiny.cfg -policy out/replaced/policy.json -out out/replaced -force >/dev/null 2>&1
    check 'prune -force: the search that was there is gone' "$(ls out/replaced)" [ ! -e out/replaced/checkpoint ]
    "$DARKNET" amc eval out/replaced/tiny-amc.cfg -data cfg/tiny.data >"$work.out" 2>&1
    check 'eval: weights beside the .cfg' "$(cat "$work.out")" grep -q '^top-1' "$work.out"
}

# An unfinished search is work that a pruning would take away.
searched_meanwhile() {
    local plans
    "$DARKNET" amc search cfg/tiny.cfg -episodes 4 -out out/begun -quiet >/dev/null 2>&1
    rm out/begun/*.* # as if it had been killed
    plans=$((4 + $(grep -c ^measured out/begun/checkpoint)))
    "$DARKNET" amc prune cfg/tiny.cfg -policy uniform -keep .5 -out out/begun >"$work.out" 2>"$work.err"
    check 'prune: an unfinished search is there' "$(cat "$work.err")" \
        grep -q "out/begun/checkpoint: an unfinished search of $plans plans is there; expected another -out folder" "$work.err"
    check 'it stays' "$(ls out/begun)" [ "$(ls out/begun)" = checkpoint ]
    "$DARKNET" amc search cfg/tiny.cfg -episodes 100000 -out out/begun -force -quiet >/dev/null 2>&1 &
    process=$!
    for _ in $(seq 300); do # until it records plans of its own
        if [ "$(grep -c . out/begun/checkpoint)" -gt 60 ]; then break; fi
        sleep 0.1
    done
    "$DARKNET" amc prune cfg/tiny.cfg -policy uniform -keep .5 -out out/begun -force >"$work.out" 2>"$work.err"
    kill -9 $process
    check 'prune: a search is at work there' "$(cat "$work.err")" grep -q 'another search is at work in this folder' "$work.err"
}

# Fine-tuned weights that are pruned further are not what a result replaces.
own_input() {
    run 'prune, to be pruned further' prune cfg/tiny.cfg -policy uniform -params .8 -granularity weight -out out/own
    local name
    for name in tiny-amc tiny-amc-finetuned; do
        cp out/own/tiny-amc.weights "$work.kept"
        [ -e out/own/$name.weights ] || cp "$work.kept" out/own/$name.weights
        "$DARKNET" amc prune cfg/tiny.cfg out/own/$name.weights -policy uniform -params .5 -granularity weight -out out/own -force \
            >"$work.out" 2>"$work.err"
        check "prune: into the folder of its own $name.weights" "$(cat "$work.err")" \
            grep -q "out/own/$name.weights: is what is to be pruned, expected another -out folder" "$work.err"
        check "$name.weights is as it was" 'it changed' cmp -s out/own/$name.weights "$work.kept"
    done
}

# A folder in which one of the files can't be replaced: the others aren't either.
all_or_none() {
    run 'prune, to be replaced' prune cfg/tiny.cfg -policy uniform -keep .5 -out out/half
    cp -r out/half "$work.half"
    rm out/half/policy.json
    mkdir out/half/policy.json
    "$DARKNET" amc prune cfg/tiny.cfg -policy uniform -keep .8 -out out/half -force >/dev/null 2>"$work.err"
    check 'prune: a folder in the place of a file' "$(cat "$work.err")" grep -q 'policy.json: expected a regular file' "$work.err"
    rmdir out/half/policy.json
    # As somebody else, who can run the program.
    if [ "$(id -u)" = 0 ] && setpriv --reuid=65534 --clear-groups "$DARKNET" amc help >/dev/null 2>&1; then
        echo '{}' >out/half/policy.json
        chmod 1777 out/half # in which others can replace their own files alone
        chown 65534 out/half/*.weights out/half/*.cfg out/half/result.json
        chmod a+rwx "$work" "$work/home" out
        setpriv --reuid=65534 --regid=65534 --clear-groups "$DARKNET" amc prune cfg/tiny.cfg -policy uniform -keep .8 \
            -out out/half -force >/dev/null 2>"$work.err"
        check 'prune: a file that is somebody else.s' "$(cat "$work.err")" grep -q 'policy.json: can.t be written' "$work.err"
        check 'the files before it are as they were' "$(ls -a out/half)" cmp -s out/half/tiny-amc.weights "$work.half/tiny-amc.weights"
        check 'and so is the .cfg' "$(ls -a out/half)" cmp -s out/half/tiny-amc.cfg "$work.half/tiny-amc.cfg"
        check 'nothing else is left' "$(ls -A out/half)" [ "$(find out/half -mindepth 1 | wc -l)" = 4 ]
    fi
    run 'prune -out with ..' prune cfg/tiny.cfg -policy uniform -keep .5 -out out/new/../other
    check 'its files are where they are said to be' "$(cat "$work.out")" [ -f out/new/../other/tiny-amc.weights ]
}

# Whose kernels OpenBLAS has taken when the command runs.
core() { env "$@" OPENBLAS_VERBOSE=2 "$DARKNET" amc info cfg/tiny.cfg 2>&1 | sed -n 's/^Core: //p' | tail -n 1; }

openblas() {
    local taken
    if ! grep -qw avx2 /proc/cpuinfo; then return; fi # it is no newer than OpenBLAS
    taken=$(core -u OPENBLAS_CORETYPE)
    check 'OpenBLAS takes this processor for no older one' "$taken" [ "${taken:-Prescott}" != Prescott ]
    taken=$(core OPENBLAS_CORETYPE=Prescott)
    check 'OpenBLAS: what OPENBLAS_CORETYPE says is left' "$taken" [ "$taken" = Prescott ]
}

help
openblas
info
misspelt
evaluate
prune
parameters
max_drop
fine_grained
search
several
early_stop
stock
printed
detector
replaced
searched_meanwhile
own_input
all_or_none
interrupt
