#!/usr/bin/env bash
# Measures speed side by side: our kernels, Darknet's own in the same binary (AMC_STOCK=1), and Debian's stock `darknet`
# where it is installed. Programs take turns, so that what else the machine does hits all alike; a figure is the median
# of its samples, a ratio compares it with the first row of its block. Accuracies mean nothing here: networks without
# weights/NAME.weights get those of one batch of training.
#
#   scripts/bench.sh        (make bench)
#
# Exit status 1 if any command failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly BINARY=bin/darknet DEBIAN=/usr/bin/darknet
readonly ROUNDS=3           # turns that every program gets
readonly SCORED=500         # images that Darknet's kernels score in a turn; ours, being quicker, score TIMES as many
readonly TIMES=8
readonly BATCHES=3          # of training in a turn; the first isn't counted
readonly EPISODES=12 WARM=6 # of a search; the first WARM aren't counted
export LC_ALL=C

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
log=$folder/log
: >"$log"

fail() {
    printf 'bench.sh: %s\n' "$*" >&2
    tail -n 5 "$log" >&2
    exit 1
}

# ---- programs: PROGRAM:THREADS --------------------------------------------------------------------------------------

describe() { # program
    case $1 in
    debian:*) echo "Debian's darknet" ;; # has one thread
    stock:*) echo "Darknet's kernels (AMC_STOCK=1)" ;;
    ours:*) echo 'our kernels' ;;
    esac
}

# Runs a program with arguments; its output goes to $log.
run() { # program argument...
    local binary=$BINARY stock=0
    case $1 in
    debian:*) binary=$DEBIAN ;;
    stock:*) stock=1 ;;
    esac
    AMC_STOCK=$stock OMP_NUM_THREADS=${1#*:} "$binary" "${@:2}" >"$log" 2>&1 || fail "failed: $1 ${*:2}"
}

# Those that are there, of the ones named.
available() {
    local program
    for program in "$@"; do
        case $program in debian:*) [ -x $DEBIAN ] || continue ;; esac
        echo "$program"
    done
}

# ---- samples: one a line in $folder/BLOCK/PROGRAM -------------------------------------------------------------------

record() { # block program, samples on stdin
    mkdir -p "$folder/$1"
    tee "$folder/samples" >>"$folder/$1/$2"
    grep -q '^[0-9.]*[1-9]' "$folder/samples" || fail "$1: $2 printed no figures"
}

median() { # file
    sort -g "$1" | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int(NR / 2) + 1]) / 2 }'
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

print_head() { printf '\n%-46s %8s %12s %10s\n' "$1" threads "$2" ratio; }

print_row() { # name threads value ratio
    printf '  %-44s %8s %12s %10s\n' "$1" "$2" "$(awk -v x="$3" 'BEGIN { printf x < 10 ? "%.3f" : "%.0f", x }')" "$4"
}

# A block whose figures are images/s.
print_speeds() { # title block program...
    local program value base=''
    print_head "$1" images/s
    for program in "${@:3}"; do
        value=$(median "$folder/$2/$program")
        base=${base:-$value}
        print_row "$(describe "$program")" "${program#*:}" "$value" "$(ratio "$value" "$base")"
    done
}

# ---- the machine --------------------------------------------------------------------------------------------------

print_machine() {
    local model cores blas compiler load
    model=$(lscpu | sed -n 's/^Model name: *//p' | head -n 1)
    cores=$(nproc)
    blas=$(pkg-config --modversion openblas 2>/dev/null || echo '?')
    compiler=$(gcc -dumpfullversion)
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    printf '%s, %s cores, load %s before; OpenBLAS %s, gcc %s\n' "$model" "$cores" "$load" "$blas" "$compiler"
}

# ---- cfg, data and weights ------------------------------------------------------------------------------------------

# A .data file with the backup folder, and the `valid` list, of our own.
make_data() { # name list: prints the path
    local data=$folder/$1-${2##*/}.data
    sed -e "s|^backup=.*|backup=$folder|" -e "s|^valid=.*|valid=$2|" "cfg/$1.data" >"$data"
    echo "$data"
}

# A .cfg that ends after some batches, of some images each.
make_cfg() { # name batches images: prints the path
    mkdir -p "$folder/$2"
    sed -e "s/^max_batches=.*/max_batches=$2/" -e "s/^batch=.*/batch=$3/" "cfg/$1.cfg" >"$folder/$2/$1.cfg"
    echo "$folder/$2/$1.cfg"
}

make_weights() { # name: prints the path
    local weights=weights/$1.weights
    if [ ! -f "$weights" ]; then
        weights=$folder/$1.weights
        run ours:1 classifier train "$(make_data "$1" none)" "$(make_cfg "$1" 1 32)"
        [ -f "$weights" ] || fail "no $weights after training"
    fi
    echo "$weights"
}

# ---- scoring ------------------------------------------------------------------------------------------------------

# Images of the test set, evenly spread.
make_list() { # images
    awk -v n="$1" -v all="$(wc -l <data/fashion-mnist/test.list)" 'int(NR * n / all) > int((NR - 1) * n / all)' \
        data/fashion-mnist/test.list >"$folder/$1"
}

# Sets `seconds` to what a program takes to score the images of a list, start-up included.
time_scoring() { # program images
    local data start=$EPOCHREALTIME
    data=$(make_data fashion "$folder/$2")
    case $1 in
    debian:*) run "$1" classifier valid "$data" cfg/fashion.cfg "$weights" ;;
    *) run "$1" amc eval cfg/fashion.cfg "$weights" -data "$data" -threads "${1#*:}" ;;
    esac
    seconds=$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { print b - a }')
}

# The time of one image, which is start-up, is taken off.
score() { # program
    local images=$SCORED seconds start
    case $1 in ours:*) images=$((SCORED * TIMES)) ;; esac
    time_scoring "$1" 1
    start=$seconds
    time_scoring "$1" "$images"
    awk -v n="$images" -v a="$start" -v b="$seconds" 'BEGIN { if (b > a) print (n - 1) / (b - a) }' |
        record score "$1"
}

bench_scoring() {
    local programs round program
    mapfile -t programs < <(available debian:1 stock:1 stock:2 ours:1 ours:2)
    make_list 1
    make_list $SCORED
    make_list $((SCORED * TIMES))
    for ((round = 0; round < ROUNDS; round++)); do
        for program in "${programs[@]}"; do score "$program"; done
    done
    print_speeds 'scoring cfg/fashion.cfg, decoding included' score "${programs[@]}"
}

# ---- training -----------------------------------------------------------------------------------------------------

# A batch takes as long as the wait for its images and the training on it.
train() { # program name images
    run "$1" classifier train "$(make_data "$2" none)" "$(make_cfg "$2" "$BATCHES" "$3")"
    awk -v n="$3" '/^Loaded:/ { wait = $2 } / images$/ && ++batch > 1 { print n / (wait + $(NF - 3)) }' "$log" |
        record "train-$2" "$1"
}

bench_training() { # name images
    local programs round program
    mapfile -t programs < <(available debian:1 stock:1 ours:1 ours:2)
    for ((round = 0; round < ROUNDS; round++)); do
        for program in "${programs[@]}"; do train "$program" "$1" "$2"; done
    done
    print_speeds "training cfg/$1.cfg, batches of $2" "train-$1" "${programs[@]}"
}

# ---- searching ----------------------------------------------------------------------------------------------------

search() { # program case option...
    run "$1" amc search cfg/fashion.cfg "$weights" -data cfg/fashion.data -limit 1000 -threads "${1#*:}" \
        -episodes $EPISODES -warmup $WARM -out "$folder/search" -force "${@:3}"
    awk -F , -v warm=$WARM 'NR > warm + 1 { print $NF }' "$folder/search/episodes.csv" | record search "$2"
}

print_episode() { # name case: the ratio is of the whole episodes' speeds
    local value
    value=$(median "$folder/search/$2")
    case $2 in
    stock | all) print_row "$1" 2 "$value" "$(ratio "$(median "$folder/search/stock")" "$value")" ;;
    *) print_row "$1" 2 "$value" '' ;;
    esac
}

bench_search() {
    local round
    for ((round = 0; round < 2; round++)); do
        search stock:2 stock
        search ours:2 score -agent random -calibrate 0
        search ours:2 calibrated -agent random
        search ours:2 all
    done
    print_head 'searching cfg/fashion.cfg, -limit 1000' s/episode
    print_episode "Darknet's kernels, the whole episode" stock
    print_episode 'our kernels: scoring' score
    print_episode '  and batch normalization re-estimated' calibrated
    print_episode '  and DDPG, the whole episode' all
}

# -------------------------------------------------------------------------------------------------------------------

scripts/get_fashion_mnist.sh
print_machine
weights=$(make_weights fashion)
bench_scoring
bench_training fashion 128
if [ -f data/cifar10/train.list ]; then
    bench_training plain20 32
else
    printf '\ntraining cfg/plain20.cfg: skipped, scripts/get_cifar10.sh makes its data\n'
fi
bench_search
