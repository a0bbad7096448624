#!/usr/bin/env bash
# How soon the agent finds good plans, beside the paper's, a random one and variants that lack one thing each: searches
# of a network for half of its FLOPs, over several seeds. Lines of a CSV, a line an episode: variant, seed, episode, its
# accuracy on the held-out training images that rewards are from, and on the others that of the best plan so far.
# Searches that are there already are not made again.
#
#   scripts/agents.sh NAME CSV [SEEDS] [LIMIT]
#
# LIMIT: held-out images that score a plan
set -euo pipefail
cd "$(dirname "$0")/.."

readonly name=$1 csv=$2 seeds=${3:-1 2 3 4 5} limit=${4:-2000}
readonly program=build/release/scripts/bench/agents

search() { # variant seed episodes [KEY=VALUE ...]
    local part
    if grep -q "^$1,$2,$3," "$csv"; then return; fi
    part=$csv.part
    "$program" "cfg/$name.cfg" "weights/$name.weights" "cfg/$name.data" 0.5 "$limit" "$3" "$2" "$(nproc)" "${@:4}" >"$part.new"
    { cat "$csv" && sed "s/^/$1,$2,/" "$part.new"; } >"$part"
    mv "$part" "$csv" # whole searches only
    rm -f "$part.new"
}

make -s "$program"
mkdir -p "$(dirname "$csv")"
[ -s "$csv" ] || echo 'variant,seed,episode,accuracy,best' >"$csv"
for seed in $seeds; do
    search ours "$seed" 100
    search paper "$seed" 400 paper=1 warmup=100
    search random "$seed" 400 random=1 guess=0
done
for seed in $seeds; do
    search 'starts from the uniform plan' "$seed" 100 guess=0
    search 'random around the guess' "$seed" 100 random=1
    search 'warm-up draws actions uniformly' "$seed" 100 spread=0
    search 'warm-up of 50 episodes' "$seed" 100 warmup=50
    search 'actions are shares' "$seed" 100 relative=0
    search 'no episodes around the best' "$seed" 100 elite=0
    search 'only episodes around the best' "$seed" 100 elite=1
    search 'rewards by accuracy' "$seed" 100 expects=0
    search "the paper's Q target" "$seed" 100 ranks=0
    search 'exploration dies' "$seed" 100 floor=0.000001
    search 'four updates a step' "$seed" 100 updates=4
done
