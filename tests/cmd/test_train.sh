#!/usr/bin/env bash
# Darknet's own training, from weights of which most were set to zero: in what it saves those are zero still, and the
# others have changed. With AMC_STOCK=1 all change, so the check can fail.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"

readonly SAYS=' weights are zero and stay so in training$'

# train NAME WEIGHTS AMC_STOCK: a few batches from those weights, to backup/tiny.weights.
train() {
    rm -f backup/tiny.weights
    AMC_STOCK=$3 timeout 60 "$DARKNET" classifier train cfg/tiny.data cfg/tiny.cfg "$2" >"$work.out" 2>"$work.err" </dev/null
    check "$1: trains" "$(tail -n 1 "$work.err")" [ -f backup/tiny.weights ]
}

# The weights in a file, one a line in hexadecimal, without biases and batch normalization.
weights_in() {
    od -An -v -tx4 -w4 -j 20 "$1" | awk -v arrays="$TINY_ARRAYS" '
        function take(n, shown) { for (; n > 0; n--) { getline; if (shown) print $1 } }
        BEGIN {
            n = split(arrays, a, " ")
            for (i = 1; i < n; i += 3) {
                connected = i > n - 6
                take(a[i])
                if (connected) take(a[i + 2], 1)
                take(3 * a[i + 1])
                if (!connected) take(a[i + 2], 1)
            }
        }'
}

# Of the weights that are zero in the file $1 and of the others: how many there are and how many training left as they
# were.
compare() {
    paste <(weights_in "$1") <(weights_in backup/tiny.weights) | awk '
        { zero = $1 == "00000000" || $1 == "80000000"; n[zero]++; same[zero] += $1 == $2 }
        END { print n[1] + 0, same[1] + 0, n[0] + 0, same[0] + 0 }'
}

# check_weights NAME WEIGHTS ZEROS_STAY
check_weights() {
    local zeros zeros_left others others_left
    read -r zeros zeros_left others others_left < <(compare "$2")
    check "$1: the file has what is looked for" "$zeros zeros, $others others" [ $((zeros + others)) = 7872 ]
    if [ "$3" = 1 ]; then
        check "$1: zeros are zero still" "$zeros_left of $zeros" [ "$zeros_left" = "$zeros" ]
    else
        check "$1: zeros are zero no more" "$zeros_left of $zeros" [ $((20 * zeros_left)) -lt "$zeros" ]
    fi
    check "$1: the others have changed" "all but $others_left of $others" [ $((20 * others_left)) -lt "$others" ]
}

fixture_make 64 4 8
sed -i 's/^max_batches=.*/max_batches=5/' cfg/tiny.cfg
write_weights 60 >weights/sparse.weights

train 'pruned weights' weights/sparse.weights 0
check_weights 'pruned weights' weights/sparse.weights 1
check 'pruned weights: says so once' "$(grep -c "$SAYS" "$work.err") times" [ "$(grep -c "$SAYS" "$work.err")" = 1 ]
check 'pruned weights: says how many' "$(grep "$SAYS" "$work.err")" \
    grep -q "^weights/sparse.weights: $(weights_in weights/sparse.weights | grep -c '^[08]0000000$') of 7872 weights" "$work.err"

train 'stock' weights/sparse.weights 1
check_weights 'stock' weights/sparse.weights 0
check 'stock: says nothing' "$(grep "$SAYS" "$work.err")" [ "$(grep -c "$SAYS" "$work.err")" = 0 ]

train 'weights without zeros' weights/tiny.weights 0
check 'weights without zeros: says nothing' "$(grep "$SAYS" "$work.err")" [ "$(grep -c "$SAYS" "$work.err")" = 0 ]

timeout 60 "$DARKNET" classifier valid cfg/tiny.data cfg/tiny.cfg weights/sparse.weights >"$work.out" 2>"$work.err" </dev/null
check 'validation: says nothing' "$(grep "$SAYS" "$work.err")" [ "$(grep -c "$SAYS" "$work.err")" = 0 ]
