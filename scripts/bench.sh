#!/usr/bin/env bash
# Measures speed side by side: our kernels, stock Darknet's, and PyTorch, oneDNN and OpenCV's dnn as far as they are
# installed. Programs take turns, ROUNDS times for about SECONDS_EACH, so that what else the machine does hits all
# alike; a figure is the median of its samples. Weights are random: speed doesn't depend on them.
#
#   scripts/bench.sh [check|forward|train|search] [WORKLOAD...]        (make bench: everything, about 25 minutes)
#
#   check     what each program computes, compared with stock Darknet: max|a - b| / max|b| of an output
#   forward   inference, in batches and, of the larger networks, of one image
#   train     training, on images in memory and with Darknet's loading of images
#   search    what an episode of a search spends its time on
#
# A workload is a network below, or NAME-half: the same without half of its MACs, its channel counts as they fall.
# Figures go to bench.csv and bench.machine in RESULTS (scripts/results); those of another machine are dropped.
# RESULTS.md is written from them by scripts/results.sh -write. Exit status 1 if a program fails or computes something
# else.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/json_lib.sh

readonly ROUNDS=${ROUNDS:-5} SECONDS_EACH=${SECONDS_EACH:-0.5} RESULTS=${RESULTS:-scripts/results}
readonly TOOLS=build/release/scripts/bench RANDOM_WEIGHTS=build/release/tests/support/random_weights
readonly TOLERANCE=1e-4
readonly TRAINED=128 STOCK_TRAINED=16 # images in a batch; Darknet's own kernels are as fast with few
readonly BATCHES=3                    # of training with images loaded, in a turn; the first isn't counted
readonly EPISODES=12 WARMUP=6         # of a search; the first WARMUP aren't counted
readonly HEADER=kind,workload,program,batch,threads,value,macs
export LC_ALL=C PYTHONDONTWRITEBYTECODE=1

# Workload, .cfg and images in a batch. The .cfg of vgg16-224 is made of Darknet's.
readonly NETWORKS='plain20 cfg/plain20.cfg 64
resnet56 cfg/resnet56.cfg 64
vgg16 cfg/vgg16.cfg 64
vgg16-224 darknet/cfg/vgg-16.cfg 8
mobilenet-224 cfg/mobilenet-224.cfg 8
darknet19 darknet/cfg/darknet19.cfg 8
yolov3-tiny darknet/cfg/yolov3-tiny.cfg 8'

threads=$(nproc)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
log=$folder/log
kept=$RESULTS/bench.csv
failed=0

fail() {
    printf 'bench.sh: %s\n' "$*" >&2
    [ ! -f "$log" ] || tail -n 5 "$log" >&2
    exit 1
}

# ---- programs: ours, stock (Darknet), torch, onednn, opencv; whole is ours on NAME in place of NAME-half -----------

declare -A python # the interpreter that has the module

# Sets python[MODULE] to the first interpreter that has it.
find_python() { # module
    local candidate
    for candidate in python3 /usr/bin/python3; do
        "$candidate" -c "import $1" >/dev/null 2>&1 || continue
        python[$1]=$candidate
        return 0
    done
    return 1
}

peers=(ours stock)

# Finds the peers that are installed; a line for each that isn't.
find_peers() {
    if find_python torch; then peers+=(torch); else echo 'PyTorch: skipped, not installed (Debian: python3-torch)'; fi
    if [ -x $TOOLS/onednn ]; then peers+=(onednn); else echo 'oneDNN: skipped, not installed (Debian: libdnnl-dev)'; fi
    if find_python cv2; then peers+=(opencv); else echo 'OpenCV: skipped, not installed (Debian: python3-opencv)'; fi
}

# Runs one (peer.h says how it is started); its last line of output goes to $said. Status 3: it doesn't read the
# network.
run() { # program mode cfg weights batch threads seconds|out
    local status=0 out=$folder/said
    case $1 in
    ours) AMC_STOCK=0 $TOOLS/darknet "${@:2}" ;;
    whole) AMC_STOCK=0 $TOOLS/darknet "$2" "${3/-half.cfg/.cfg}" "${4/-half.weights/.weights}" "${@:5}" ;;
    stock) AMC_STOCK=1 $TOOLS/darknet "${@:2}" ;;
    torch) "${python[torch]}" scripts/bench/torch_peer.py "${@:2}" ;;
    onednn) $TOOLS/onednn "${@:2}" ;;
    opencv) "${python[cv2]}" scripts/bench/opencv_peer.py "${@:2}" ;;
    esac >"$out" 2>"$log" || status=$?
    said=$(tail -n 1 "$out")
    case $status in 0 | 3) return $status ;; esac
    fail "failed: $*"
}

# ---- figures ------------------------------------------------------------------------------------------------------

median() { # file
    sort -g "$1" | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'
}

# Adds a sample, and a name for what it is of.
sample() { # kind workload program batch threads value
    awk -v x="$6" 'BEGIN { exit !(x > 0) }' || fail "$1 $2: $3 says '$6', expected a number above 0"
    printf '%s\n' "$6" >>"$folder/sample,$1,$2,$3,$4,$5"
}

# Replaces a line of bench.csv.
keep() { # kind workload program batch threads value macs
    [ -s "$kept" ] || echo $HEADER >"$kept"
    awk -F, -v k="$1" -v w="$2" -v p="$3" -v b="$4" -v t="$5" \
        '!($1 == k && $2 == w && $3 == p && $4 == b && $5 == t)' "$kept" >"$folder/kept"
    printf '%s,%s,%s,%s,%s,%s,%s\n' "$@" >>"$folder/kept"
    cp "$folder/kept" "$kept"
}

print_head() { # title figure
    printf '\n%-38s %7s %7s %12s %9s %9s\n' "$1" batch threads "$2" GFLOP/s ours/it
}

# Keeps and prints the medians of a workload, in the order of its programs; the first is what others are compared with.
print_samples() { # kind workload macs, FLOPs of an image as a multiple of its MACs, program:batch:threads...
    local program batch count value first=''
    for program in "${@:5}"; do
        IFS=: read -r program batch count <<<"$program"
        [ -f "$folder/sample,$1,$2,$program,$batch,$count" ] || continue
        value=$(median "$folder/sample,$1,$2,$program,$batch,$count")
        first=${first:-$value}
        keep "$1" "$2" "$program" "$batch" "$count" "$value" "$3"
        awk -v p="$program" -v b="$batch" -v t="$count" -v x="$value" -v f="$first" -v flops="$(($4 * $3))" 'BEGIN {
            printf "  %-36s %7s %7s %12s %9s %9.2f\n", p, b, t, sprintf(x < 10 ? "%.3f" : "%.1f", x),
                p == "whole" ? "" : sprintf("%.1f", x * flops / 1e9), f / x }'
    done
}

# Gives each program a turn, ROUNDS times.
take_turns() { # kind workload mode cfg weights program:batch:threads...
    local round program batch count
    for ((round = 0; round < ROUNDS; round++)); do
        for program in "${@:6}"; do
            IFS=: read -r program batch count <<<"$program"
            if run "$program" "$3" "$4" "$5" "$batch" "$count" "$SECONDS_EACH"; then
                sample "$1" "$2" "$program" "$batch" "$count" "$said"
            elif [ $round = 0 ]; then
                printf "  %s doesn't read %s\n" "$program" "$2"
            fi
        done
    done
}

# ---- the machine --------------------------------------------------------------------------------------------------

version() { # package
    dpkg-query -W -f '${Version}' "$1" 2>/dev/null | sed 's/^[0-9]*://; s/[+-].*//' || :
}

module_version() { # module
    "${python[$1]}" -c "import $1; print($1.__version__)"
}

describe_machine() {
    local model
    model=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -1)
    printf '%s cores, %s; gcc %s' "$threads" "$model" "$(gcc -dumpfullversion)"
    printf ', OpenBLAS %s' "$(version libopenblas-dev)"
    [ -z "${python[torch]:-}" ] || printf ', PyTorch %s' "$(module_version torch)"
    [ ! -x $TOOLS/onednn ] || printf ', oneDNN %s' "$(version libdnnl-dev)"
    [ -z "${python[cv2]:-}" ] || printf ', OpenCV %s' "$(module_version cv2)"
    printf '\n'
}

# Notes the machine; figures of another one are dropped.
note_machine() {
    mkdir -p "$RESULTS"
    describe_machine >"$folder/machine"
    cat "$folder/machine"
    printf 'load %s before\n' "$(cut -d ' ' -f 1 /proc/loadavg)"
    cmp -s "$folder/machine" "$RESULTS/bench.machine" && return
    rm -f "$kept"
    cp "$folder/machine" "$RESULTS/bench.machine"
}

measure_peak() {
    local round product bandwidth
    for ((round = 0; round < ROUNDS; round++)); do
        read -r product bandwidth < <($TOOLS/sgemm "$threads" "$SECONDS_EACH")
        sample peak sgemm OpenBLAS 1 "$threads" "$product"
        sample peak memory triad 1 "$threads" "$bandwidth"
    done
    product=$(median "$folder/sample,peak,sgemm,OpenBLAS,1,$threads")
    bandwidth=$(median "$folder/sample,peak,memory,triad,1,$threads")
    keep peak sgemm OpenBLAS 1 "$threads" "$product" ''
    keep peak memory triad 1 "$threads" "$bandwidth" ''
    printf 'sgemm of 2048 x 2048: %.0f GFLOP/s; memory: %.1f GB/s\n' "$product" "$bandwidth"
}

# ---- networks -----------------------------------------------------------------------------------------------------

# Writes $folder/NAME.cfg and .weights. Darknet's vgg-16.cfg crops 224 x 224 of a larger image; here that is the image.
make_network() { # name cfg
    [ -f "$folder/$1.weights" ] && return
    cp "$2" "$folder/$1.cfg"
    [ "$1" != vgg16-224 ] || sed -e '/^\[crop\]/,/^angle/d' -e 's/^\(height\|width\)=256/\1=224/' "$2" >"$folder/$1.cfg"
    $RANDOM_WEIGHTS "$folder/$1.cfg" "$folder/$1.weights"
}

# Writes the same for NAME-half.
make_half() { # name
    [ -f "$folder/$1-half.weights" ] && return
    bin/darknet amc prune "$folder/$1.cfg" "$folder/$1.weights" -policy uniform -flops 0.5 -round 1 \
        -out "$folder/pruned" -force >"$log" 2>&1 || fail "can't prune $1"
    mv "$folder/pruned/$1-amc.cfg" "$folder/$1-half.cfg"
    mv "$folder/pruned/$1-amc.weights" "$folder/$1-half.weights"
}

macs_of() { # name
    bin/darknet amc info "$folder/$1.cfg" -json | number macs
}

declare -a wanted # workloads; all if there are none

is_wanted() { # workload
    local name
    [ ${#wanted[@]} -gt 0 ] || return 0
    for name in "${wanted[@]}"; do [ "$name" != "$1" ] || return 0; done
    return 1
}

check_names() {
    local name
    for name in "${wanted[@]}"; do
        grep -q "^${name%-half} " <<<"$NETWORKS" || fail "no workload $name, expected one of:" \
            "$(cut -d ' ' -f 1 <<<"$NETWORKS" | paste -sd ' '), each also with -half"
    done
}

# Makes the networks that are wanted and prints their names and batches.
make_workloads() {
    local name cfg batch
    while read -r name cfg batch; do
        is_wanted "$name" || is_wanted "$name-half" || continue
        make_network "$name" "$cfg"
        if is_wanted "$name"; then echo "$name $batch"; fi
        is_wanted "$name-half" || continue
        make_half "$name"
        echo "$name-half $batch"
    done <<<"$NETWORKS"
}

# ---- check --------------------------------------------------------------------------------------------------------

check_workload() { # name
    local program difference
    run stock outputs "$folder/$1.cfg" "$folder/$1.weights" 2 1 "$folder/expected"
    printf '\n%s\n' "$1"
    for program in "${peers[@]}"; do
        [ "$program" != stock ] || continue
        if ! run "$program" outputs "$folder/$1.cfg" "$folder/$1.weights" 2 "$threads" "$folder/computed"; then
            printf "  %-10s doesn't read it\n" "$program"
            continue
        fi
        difference=$($TOOLS/darknet compare "$folder/computed" "$folder/expected")
        keep check "$1" "$program" 2 "$threads" "$difference" ''
        if awk -v x="$difference" -v most=$TOLERANCE 'BEGIN { exit !(x != "inf" && x + 0 <= most) }'; then
            printf '  %-10s %s\n' "$program" "$difference"
        else
            printf '  %-10s %s, expected at most %s\n' "$program" "$difference" $TOLERANCE
            failed=1
        fi
    done
}

bench_check() {
    printf "\nlargest difference from stock Darknet, relative to the largest output\n"
    local name
    while read -r name _ <&3; do check_workload "$name"; done 3<<<"$workloads"
}

# ---- forward ------------------------------------------------------------------------------------------------------

# Stock Darknet computes one image at a time on one thread.
forward_workload() { # name batch
    local programs=() program macs
    macs=$(macs_of "$1")
    for program in "${peers[@]}"; do
        if [ "$program" = stock ]; then programs+=(stock:1:1); else programs+=("$program:$2:$threads"); fi
    done
    [[ $1 != *-half ]] || programs+=("whole:$2:$threads") # beside it: a busy machine slows both
    print_head "forward $1" images/s
    take_turns forward "$1" forward "$folder/$1.cfg" "$folder/$1.weights" "${programs[@]}"
    print_samples forward "$1" "$macs" 2 "${programs[@]}"
    if [ "$2" -lt 64 ] && [[ $1 != *-half ]]; then forward_one "$1" "$macs"; fi
}

forward_one() { # name macs
    local programs=() program
    for program in "${peers[@]}"; do
        case $program in ours | torch | onednn) programs+=("$program:1:$threads") ;; esac
    done
    print_head "forward $1, one image" images/s
    take_turns one "$1" forward "$folder/$1.cfg" "$folder/$1.weights" "${programs[@]}"
    print_samples one "$1" "$2" 2 "${programs[@]}"
}

bench_forward() {
    local name batch
    measure_peak
    while read -r name batch <&3; do forward_workload "$name" "$batch"; done 3<<<"$workloads"
}

# ---- train --------------------------------------------------------------------------------------------------------

# Also on one thread, to see what the others bring.
train_workload() { # name
    local programs=("ours:$TRAINED:$threads") program macs
    macs=$(macs_of "$1")
    for program in "${peers[@]}"; do
        case $program in
        ours) [ "$threads" = 1 ] || programs+=("ours:$TRAINED:1") ;;
        stock) programs+=("stock:$STOCK_TRAINED:1") ;;
        torch) programs+=("torch:$TRAINED:$threads") ;;
        esac
    done
    print_head "train $1" images/s
    take_turns train "$1" train "$folder/$1.cfg" "$folder/$1.weights" "${programs[@]}"
    print_samples train "$1" "$macs" 6 "${programs[@]}"
    load_and_train "$1" "$macs"
}

# What `darknet classifier train` does, images loaded: a batch takes as long as the wait for its images and the
# training.
classifier_turn() { # program name images
    local stock=0 count=$threads
    [ "$1" != stock ] || stock=1 count=1
    sed "s|^backup=.*|backup=$folder|" "cfg/$2.data" >"$folder/train.data"
    sed -e "s/^max_batches=.*/max_batches=$BATCHES/" -e "s/^batch=.*/batch=$3/" \
        -e 's/^subdivisions=.*/subdivisions=1/' "cfg/$2.cfg" >"$folder/train.cfg"
    AMC_STOCK=$stock OMP_NUM_THREADS=$count bin/darknet classifier train "$folder/train.data" "$folder/train.cfg" \
        >"$log" 2>&1 || fail "classifier train fails ($1, $2)"
    awk -v n="$3" '/^Loaded:/ { wait = $2 } / images$/ && ++batch > 1 { print n / (wait + $(NF - 3)) }' \
        "$log" >"$folder/turn"
    [ -s "$folder/turn" ] || fail "classifier train prints no figures ($1, $2)"
    sample load "$2" "$1" "$3" "$count" "$(median "$folder/turn")"
}

load_and_train() { # name macs
    local round
    if [ ! -f data/cifar10/train.list ]; then
        printf 'train %s with images loaded: skipped, scripts/get_cifar10.sh makes them\n' "$1"
        return
    fi
    print_head "train $1, images loaded" images/s
    for ((round = 0; round < ROUNDS; round++)); do
        classifier_turn ours "$1" $TRAINED
        classifier_turn stock "$1" $STOCK_TRAINED
    done
    print_samples load "$1" "$2" 6 "ours:$TRAINED:$threads" stock:$STOCK_TRAINED:1
}

bench_train() {
    local name
    while read -r name _ <&3; do
        case $name in plain20 | resnet56) train_workload "$name" ;; esac
    done 3<<<"$workloads"
}

# ---- search -------------------------------------------------------------------------------------------------------

bench_search() {
    local weights=weights/plain20.weights round part figures images seconds
    local parts=('apply the plan' reconstruct calibrate score agent 'whole episode')
    is_wanted plain20 || return 0
    if [ ! -f data/cifar10/search.list ]; then
        printf '\nsearch plain20: skipped, scripts/get_cifar10.sh makes its images\n'
        return
    fi
    if [ ! -f $weights ]; then
        make_network plain20 cfg/plain20.cfg
        weights=$folder/plain20.weights
    fi
    for ((round = 0; round < ROUNDS; round++)); do
        read -ra figures < <($TOOLS/episode cfg/plain20.cfg "$weights" cfg/plain20.data "$threads" \
            $EPISODES $WARMUP 2>"$log")
        [ ${#figures[@]} = 7 ] || fail 'episode prints no figures'
        images=${figures[6]}
        for part in "${!parts[@]}"; do
            sample search plain20 "${parts[part]}" "$images" "$threads" "${figures[part]}"
        done
    done
    printf '\n%-38s %12s\n' "an episode of plain20, $images images" ms
    for part in "${parts[@]}"; do
        seconds=$(median "$folder/sample,search,plain20,$part,$images,$threads")
        keep search plain20 "$part" "$images" "$threads" "$seconds" ''
        awk -v p="  $part" -v x="$seconds" 'BEGIN { printf "%-38s %12.2f\n", p, 1000 * x }'
    done
}

# -------------------------------------------------------------------------------------------------------------------

mode=all
case ${1:-} in
check | forward | train | search)
    mode=$1
    shift
    ;;
esac
wanted=("$@")
check_names
make -s bench-programs
find_peers
note_machine
workloads=$(make_workloads)
case $mode in check | all) bench_check ;; esac
case $mode in forward | all) bench_forward ;; esac
case $mode in train | all) bench_train ;; esac
case $mode in search | all) bench_search ;; esac
exit $failed
