#!/usr/bin/env bash
# Whole networks that people use, with random weights, as `amc prune` leaves them. On a photograph,
#
#   - Debian's stock Darknet, made by others, computes of the emitted pair what it computes of the original with what
#     reads the removed channels set to zero, and what our binary computes of the emitted pair;
#   - OpenCV's reader of Darknet's files, made by others again, computes of it what our binary does;
#
# and whatever is asked for (-keep, -flops, -round), either it is kept or the command refuses and leaves nothing.
#
# The networks are tested side by side. NETWORKS='yolov3 darknet53' takes some of them.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"
readonly STOCK=/usr/bin/darknet
# Debian's module is there for Debian's Python only.
readonly PYTHON=/usr/bin/python3
# Where the build folder of $DARKNET has it.
case $DARKNET in
*/build/*/bin/darknet) tool=${DARKNET%/bin/darknet}/tests/support/random_weights ;;
*) tool=$root/build/release/tests/support/random_weights ;;
esac
# Two kinds of numbers are the same if |a - b| <= LIMIT * max(|b|, root mean square of b) for each pair.
readonly SAME=1e-4
readonly OTHER=5e-4 # and differ if not even so

# The one that takes longest first; with sanitizers or Darknet's kernels, as many as there is time for.
case $DARKNET:${AMC_STOCK:-0} in
*/build/san*:* | *:1) all='resnext50-stage yolov3-tiny mobilenetv2-224' ;;
*) all='yolov3 darknet53 yolov2 densenet201 resnext50 resnet50 yolov3-tiny mobilenetv2-224 resnext50-stage
    resnet50-stage' ;;
esac
read -rd '' -a networks <<<"${NETWORKS:-$all}"

# ---- what the others have to be told ----

# The .cfg $1 up to its third shortcut, with the last layers behind it: OpenCV adds no layers of different heights in
# [shortcut], as these networks do further on.
first_stage() {
    awk '/^\[/ { on = shortcuts < 3 || $0 == "[avgpool]" || tail }
        $0 == "[shortcut]" { shortcuts++ }
        $0 == "[avgpool]" { tail = 1 }
        on' "$1"
}

# Stock Darknet's commands read a batch of images at a time. The inputs of the two large detectors are made smaller,
# which no weights depend on: their numbers of multiply-accumulates fit a test then.
write_network() {
    local from=$root/darknet/cfg/${1%-stage}.cfg size='s/^//'
    [ -f "$from" ] || from=$root/cfg/$1.cfg
    case $1 in yolov2 | yolov3) size='s/^(width|height)=.*/\1=256/' ;; esac
    if [[ $1 == *-stage ]]; then first_stage "$from"; else cat "$from"; fi |
        sed -E -e 's/^batch=.*/batch=1/' -e 's/^subdivisions=.*/subdivisions=1/' -e "$size" >net.cfg
}

# The layers of a type in the .cfg $2, with commas between them.
layers_of() { grep '^\[' "$2" | awk -v type="[$1]" '$0 == type { print NR - 2 }' | paste -sd,; }

# The .cfg $1 with the outputs of all its yolo layers, where there are several, as the network's.
all_outputs() {
    local yolo
    yolo=$(layers_of yolo "$1")
    cat "$1"
    case $yolo in *,*) printf '\n[route]\nlayers=%s\n' "$yolo" ;; esac
}

write_photographs() {
    local name
    for name in dog eagle giraffe horses; do
        "$tool" -decode "$root/darknet/data/$name.jpg" $name.png
        echo $name.png >>all.list
    done
    # `classifier test` computes all but the last and leaves a thread behind that loads that one, into what was the
    # stack by then. So it waits for ever.
    mkfifo never.png
    printf 'dog.png\nnever.png\n' >dog.list
    printf 'classes=1000\ntest=dog.list\n' >dog.data
}

# ---- numbers ----

# outputs_of BINARY CFG WEIGHTS OUT: what it computes of the photograph, one number a line.
outputs_of() {
    all_outputs "$2" >all.cfg
    timeout 300 "$1" classifier test dog.data all.cfg "$3" 2>err </dev/null | tail -n 1 | cut -f 2- | tr '\t' '\n' >"$4"
}

# The largest relative difference of the numbers in file $1 from those in $2; what is wrong if they can't be compared.
difference() {
    paste "$1" "$2" | awk '
        !/^-?[0-9][-+.e0-9]*\t-?[0-9][-+.e0-9]*$/ { print "line " NR " is " $0; bad = 1; exit }
        { a[NR] = $1; b[NR] = $2; sum += $2 * $2 }
        END {
            if (bad) exit
            if (NR < 1000 || sum == 0) { print "nothing is there to compare"; exit }
            rms = sqrt(sum / NR)
            for (i = 1; i <= NR; i++) {
                d = a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]
                size = b[i] < 0 ? -b[i] : b[i]
                d /= size > rms ? size : rms
                if (d > most) most = d
            }
            printf "%.2g\n", most
        }'
}

# compares DIFFERENCE SIGN LIMIT: whether it is a number that lies on that side of the limit.
compares() { awk -v d="$1" "BEGIN { exit !(d ~ /^[0-9]/ && d + 0 $2 $3) }"; }

# ---- our own command ----

amc() { timeout 300 "$DARKNET" amc "$@" >out 2>err </dev/null; }

# run NAME ARGS...: amc ARGS succeeds.
run() {
    if amc "${@:2}"; then ok "$1"; else not_ok "$1" "exit status $?: $(cat err)"; fi
}

# check_none NAME WHY: nothing is wrong.
check_none() {
    if [ -z "$2" ]; then ok "$1"; else not_ok "$1" "$2"; fi
}

# The number that key $1 of the JSON object in file $2 has, the first one.
number() { sed -n "s/^.*\"$1\":[[:space:]]*\([-0-9.e+]*\).*/\1/p" "$2" | head -n 1; }

# What is wrong with the counts in a result: awk's files are `info -json` of the original, policy.json and `info -json`
# of the result. keep, round: as given; flops=1 where no share of each group was asked for. refused=1 with the first
# file only: what is wrong with a refusal.
# shellcheck disable=SC2016 # awk's own $0
readonly COUNTS='
    function wrong(text) { print text; failed = 1; exit }
    function each(l, g,    ids) { return split(made_of[l], ids, " ") == 1 ? made[l] / units[g] : 1 }
    # The least count of units that are a multiple of channels in every layer.
    function step_of(g,    ls, n, i, s, fits) {
        n = split(made_by[g], ls, " ")
        for (s = 1; ; s++) {
            fits = 1
            for (i = 1; i <= n; i++) fits = fits && s * each(ls[i], g) % round == 0
            if (fits) return s
        }
    }
    function check_group(g, count,    step) {
        step = step_of(g)
        if (count < 1 || count > units[g]) wrong("group " g " keeps " count " of " units[g])
        if (flops && count == units[g]) return
        if (count % step) wrong("group " g " keeps " count ", no multiple of " step)
        if (!flops && count > keep * units[g] + 1e-6) wrong("group " g " keeps " count " of " units[g])
        if (!flops && count + step <= keep * units[g]) wrong("group " g " keeps only " count " of " units[g])
    }
    function check_layer(l,    ids, n, i, sum, before) {
        n = split(made_of[l], ids, " ")
        for (i = 1; i <= n; i++) {
            sum += each(l, ids[i]) * count[ids[i]]
            before += each(l, ids[i]) * units[ids[i]]
        }
        if (n && before != made[l]) wrong("layer " l " makes " made[l] " channels, its groups have " before)
        if (n && sum != left[l]) wrong("layer " l " is left " left[l] " channels, its groups " sum)
        if (left[l] < 1) wrong("layer " l " is empty")
    }
    FNR == 1 { file++ }
    match($0, /"[a-z_]+":/) {
        key = substr($0, RSTART + 1, RLENGTH - 3)
        value = substr($0, RSTART + RLENGTH)
        gsub(/[][{}, \t]+/, " ", value)
        some = value != " "
        split(value, item, " ")
        if (key == "index") l = item[1]
        if (key == "output") { if (file == 1) { made[l] = item[1]; layers = l + 1 } else left[l] = item[1] }
        if (file == 1 && key == "groups" && some) made_of[l] = value
        if (file == 1 && key == "layers" && some) made_by[groups++] = value
        if (file == 1 && key == "units") { units[groups - 1] = item[1]; count[groups - 1] = item[1] }
        if (file == 1 && key == "prunable" && item[1] == "true") { prunable[++n_prunable] = groups - 1 }
        if (file == 2 && key == "layers" && some && value != made_by[prunable[++entry]])
            wrong("policy.json: entry " entry " has layers" value)
        if (file == 2 && key == "channels") count[prunable[entry]] = split(value, item, " ")
    }
    END {
        if (failed) exit
        if (!groups || !n_prunable) wrong("no groups")
        if (refused) {
            for (i = 1; i <= n_prunable; i++) if (step_of(prunable[i]) > keep * units[prunable[i]] + 1e-6) exit
            wrong("refused what can be done")
        }
        if (entry != n_prunable) wrong("policy.json has " entry " groups, expected " n_prunable)
        for (i = 1; i <= n_prunable; i++) { check_group(prunable[i], count[prunable[i]]); if (failed) exit }
        for (l = 0; l < layers; l++) { check_layer(l); if (failed) exit }
    }'

# What is wrong with the refusal by the last command, which ended with status $1 and was asked for $2 of each group in
# multiples of $3; nothing if nothing is.
bad_refusal() {
    if [ "$1" != 1 ] || [ "$(wc -l <err)" != 1 ] || [ "$(head -c 5 err)" != 'amc: ' ]; then
        echo "exit status $1, stderr: $(cat err)"
    elif [ -s out ] || [ -e small ]; then
        echo "refused, but printed on stdout: $(head -c 200 out), left: $(ls -A small 2>&1)"
    else
        awk -v refused=1 -v keep="$2" -v round="$3" "$COUNTS" net.json
    fi
}

# What is wrong with the result in small/, whose .cfg and .weights are read once more. $@: for awk.
bad_counts() {
    if ! amc info small/net-amc.cfg small/net-amc.weights -json; then
        echo "info ends with $?: $(cat err)"
        return
    fi
    awk "$@" "$COUNTS" net.json small/policy.json out
}

# reach NAME: whatever is asked for is kept, or refused.
reach() {
    local keep round why status refusals=0
    for keep in .5 .25 .1; do
        for round in 1 4 8; do
            amc prune net.cfg net.weights -policy uniform -keep $keep -round $round -out small
            status=$?
            if [ $status = 0 ]; then
                why=$(bad_counts -v keep=$keep -v round=$round)
            else
                refusals=$((refusals + 1))
                why=$(bad_refusal $status $keep $round)
            fi
            check_none "$1: -keep $keep -round $round is kept or refused" "$why"
            rm -rf small
        done
    done
    echo "# $1: $refusals of 9 are refused"
    run "$1: -flops .5 -round 8" prune net.cfg net.weights -policy uniform -flops .5 -round 8 -out small
    check_none "$1: -flops .5 -round 8 is kept" "$(bad_counts -v flops=1 -v round=8)"
    check "$1: at most half of the MACs" "$(number macs out) of $(number macs net.json)" \
        compares "$(number macs out)" '<=' ".5 * $(number macs net.json)"
    rm -rf small
}

# ---- the readers ----

has_stock() { [ -x $STOCK ]; }

has_opencv() { $PYTHON -c 'import cv2, numpy' 2>/dev/null; }

# same NAME DIFFERENCE, differs NAME DIFFERENCE: each prints its figure too.
same() {
    echo "# $1: $2"
    check "$1" "they differ by $2" compares "$2" '<=' $SAME
}

differs() {
    echo "# $1: $2"
    check "$1" "they differ by $2" compares "$2" '>' $OTHER
}

# zeroed POLICY: zeroed.weights, the original with zeros where the policy.json says.
zeroed() { "$tool" -zeroed net.cfg net.weights "$1" zeroed.weights 2>err; }

# stock NAME: of the original zeroed, of the result in small/, and our own.
stock() {
    outputs_of $STOCK net.cfg zeroed.weights zeroed
    outputs_of $STOCK small/net-amc.cfg small/net-amc.weights theirs
    outputs_of "$DARKNET" small/net-amc.cfg small/net-amc.weights ours
    same "$1: stock Darknet computes what it does of the original with zeros" "$(difference theirs zeroed)"
    same "$1: stock Darknet computes what our program does" "$(difference theirs ours)"
}

# boxes_of BINARY CFG WEIGHTS OUT: the boxes on four photographs through every yolo layer, as they are written for an
# evaluation, in images small enough for their number.
boxes_of() {
    sed -E 's/^(width|height)=.*/\1=160/' "$2" >boxes.cfg
    printf '%s\n' classes=80 valid=all.list "names=$root/darknet/data/coco.names" results=boxes >boxes.data
    mkdir boxes
    timeout 300 "$1" detector valid boxes.data boxes.cfg "$3" >out 2>err </dev/null
    grep -r . boxes | LC_ALL=C sort >"$4"
    rm -r boxes
}

# stock_boxes NAME: see stock.
stock_boxes() {
    boxes_of $STOCK net.cfg zeroed.weights zeroed.boxes
    boxes_of $STOCK small/net-amc.cfg small/net-amc.weights their.boxes
    boxes_of "$DARKNET" small/net-amc.cfg small/net-amc.weights our.boxes
    echo "# $1: $(wc -l <their.boxes) boxes, $(wc -l <zeroed.boxes) of the original with zeros," \
        "$(wc -l <our.boxes) by our program"
    check "$1: stock Darknet finds boxes" 'few' [ "$(wc -l <their.boxes)" -gt 1000 ]
    check "$1: stock Darknet finds those of the original with zeros" "$(diff their.boxes zeroed.boxes | head -n 4)" \
        cmp -s their.boxes zeroed.boxes
    check_close "$1: our program finds as many" "$(wc -l <our.boxes)" "$(wc -l <their.boxes)"
}

# check_close NAME A B: whether the counts are the same but for one in a thousand, which rounding may decide.
check_close() {
    check "$1" "$2 and $3" awk -v a="$2" -v b="$3" 'BEGIN { exit !(a - b <= b / 1000 && b - a <= b / 1000) }'
}

# with_opencv MODE FILES ARGS...: two files or one, then the network's size.
with_opencv() {
    local width height files=2
    width=$(sed -n 's/^width=//p' net.cfg) height=$(sed -n 's/^height=//p' net.cfg)
    [ "$1" = blob ] && files=1
    $PYTHON "$root/tests/cmd/read_with_opencv.py" "${@:1:files+1}" "$width" "$height" "${@:files+2}" 2>err
}

# opencv NAME CHECK CFG WEIGHTS: what OpenCV computes of the result in small/ against what our program computes of the
# .cfg and .weights, by CHECK (same or differs).
opencv() {
    local layer d
    [ ! -e beyond_opencv ] || return
    with_opencv blob dog.png blob || not_ok "$1: OpenCV reads the photograph" "$(tail -n 1 err)"
    "$tool" -outputs "$3" "$4" blob outputs 2>err
    if ! with_opencv compare small/net-amc.cfg small/net-amc.weights blob outputs >layers; then
        if with_opencv compute net.cfg net.weights blob; then
            not_ok "$1: OpenCV computes it" "not, but the original: $(tail -n 1 err)"
        else
            echo "# skipped: $1: it computes neither the result nor the original: $(tail -n 1 err)"
            touch beyond_opencv
        fi
        return
    fi
    while read -r layer d; do $2 "$1, layer $layer" "$d"; done <layers
    check "$1: all its outputs" 'none' [ -s layers ]
}

# The policy.json $1 with the channels that its first group keeps moved on by one.
shifted() {
    awk -v units="$(number units net.json)" '
        /"channels":/ && !done++ {
            n = split($0, part, /[][]/)
            m = split(part[2], channel, ",")
            for (i = 1; i <= m; i++) list = list (i > 1 ? ", " : "") (channel[i] + 1) % units
            $0 = part[1] "[" list "]" part[3]
        }
        { print }' "$1"
}

# notice NAME: the comparisons can fail: not even one group of channels may be another than those that were kept. Of
# `theirs`, see stock.
notice() {
    shifted small/policy.json >shifted.json
    zeroed shifted.json
    if has_stock; then
        outputs_of $STOCK net.cfg zeroed.weights zeroed
        differs "$1: stock Darknet notices channels that are shifted by one" "$(difference theirs zeroed)"
    fi
    if has_opencv; then opencv "$1: OpenCV notices channels that are shifted by one" differs net.cfg zeroed.weights; fi
}

# read_result NAME POLICY: prunes by the policy, and has the result read.
read_result() {
    run "$1 $2: prune" prune net.cfg net.weights -policy "$2" -keep .5 -out small
    zeroed small/policy.json
    if has_stock; then
        stock "$1 $2"
        if [ "$1" = yolov3-tiny ]; then stock_boxes "$1 $2"; fi
    fi
    if has_opencv; then
        opencv "$1 $2: OpenCV computes what our program does" same small/net-amc.cfg small/net-amc.weights
    fi
    if [ "$2" = uniform ]; then notice "$1"; fi
    rm -rf small zeroed.weights
}

# ---- all of it ----

# test_network NAME: in a folder of its own, which is gone when it is done.
test_network() {
    mkdir "$1" && cd "$1" || return
    write_photographs
    write_network "$1"
    "$tool" net.cfg net.weights 2>err
    check "$1: random weights" "$(cat err)" [ -s net.weights ]
    amc info net.cfg -json
    mv out net.json
    [[ $1 == *-stage ]] || reach "$1"
    read_result "$1" uniform
    read_result "$1" random
    cd .. && rm -rf "$1"
}

has_stock || echo "# skipped: $STOCK, Debian's package darknet, is not installed"
has_opencv || echo "# skipped: OpenCV for $PYTHON, Debian's package python3-opencv, is not installed"
for network in "${networks[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
    test_network "$network" >"$work.$network" 2>&1 &
done
wait
for network in "${networks[@]}"; do cat "$work.$network"; done
