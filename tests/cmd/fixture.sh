# shellcheck shell=bash
# What the tests of the commands share; to be sourced. They need $DARKNET, the binary, and run in $work, a folder that
# is removed when they end.
#
# fixture_make makes cfg/tiny.cfg there, a network on 8x8 images in which channels go together in every way (a depthwise
# convolution, a shortcut, a route, a connected layer after a convolution), with random weights that are always the
# same, cfg/tiny.data, and images of four classes.

: "${DARKNET:?the binary to test}"

work=$(mktemp -d)
trap 'rm -rf "$work" "$work".*' EXIT
mkdir "$work/home"
cd "$work/home" || exit 1
export XDG_CACHE_HOME=$work/cache # not the user's

ok() { printf 'ok %s\n' "$1"; }
not_ok() { printf 'not ok %s: %s\n' "$1" "$2"; }

# A test that calls what isn't there has failed, not passed by.
command_not_found_handle() {
    not_ok "${BASH_SOURCE[1]##*/}:${BASH_LINENO[0]}" "$1: command not found"
    return 127
}

# check NAME WHY COMMAND...: whether the command succeeds; WHY says what is wrong where it doesn't.
check() {
    if "${@:3}"; then ok "$1"; else not_ok "$1" "$2"; fi
}

# Of each layer with weights: how many biases, how many scales (means, variances), how many weights. The last two layers
# are connected ones.
readonly TINY_ARRAYS='12 12 324  12 12 108  16 16 192  16 16 2304  8 8 128  16 16 3456  20 20 1280  4 0 80'

write_cfg() {
    cat >cfg/tiny.cfg <<'CFG'
# A network on which channels go together in every way.
[net]
batch=16
subdivisions=1
height=8
width=8
channels=3
min_crop=8
max_crop=8
hue=0
saturation=1
exposure=1
learning_rate=0.05
momentum=0.9
decay=0.0005
policy=constant
max_batches=60

# 0
[convolutional]
batch_normalize=1
filters = 12
size=3
stride=1
pad=1
activation=leaky

# 1: depthwise
[convolutional]
batch_normalize=1
filters=12
groups=12
size=3
stride=1
pad=1
activation=leaky

# 2
[convolutional]
batch_normalize=1
filters=16
size=1
stride=1
activation=leaky

[maxpool]
size=2
stride=2

# 4
[convolutional]
batch_normalize=1
filters=16
size=3
stride=1
pad=1
activation=leaky

[shortcut]
from=-2
activation=linear

# 6
[convolutional]
batch_normalize=1
	filters=8
size=1
stride=1
activation=leaky

[route]
layers=-1,5

# 8
[convolutional]
batch_normalize=1
filters=16
size=3
stride=2
pad=1
activation=relu

# 9
[connected]
batch_normalize=1
output=20
activation=leaky

[dropout]
probability=.2

# 11
[connected]
output=4
activation=linear

[softmax]
groups=1
CFG
}

write_data() {
    printf '%s\n' 'classes=4' 'train = train.list' 'search = search.list' 'valid=test.list' 'labels=labels.txt' \
        'backup=backup' 'top=2' >cfg/tiny.data
    printf '%s\n' _red. _green. _blue. _gray. >labels.txt
}

# Bytes as the escapes that printf %b understands, from an awk program that calls byte(n) for each and random(n) for a
# number below n. mawk can't print a zero byte itself.
readonly AWK_BYTES='
    function byte(n) { printf "\\0%03o", n }
    function random(n) { state = state * 16807 % 2147483647; return int(state / 2147483647 * n) }'

# write_weights SHARE: a .weights file of finite numbers between -1/8 and 1/8, scales and variances of 1, on stdout. Of
# 100 weights, SHARE are zero.
write_weights() {
    printf %b "$(awk -v arrays="$TINY_ARRAYS" -v share="$1" "$AWK_BYTES"'
        function word(a, b, c, d) { byte(a); byte(b); byte(c); byte(d) }
        function number() { word(random(256), random(256), random(256), random(2) ? 61 : 189) }
        function numbers(n) { while (n-- > 0) number() }
        function weights(n) { while (n-- > 0) if (share && random(100) < share) zeros(1); else number() }
        function ones(n) { while (n-- > 0) word(0, 0, 128, 63) }
        function zeros(n) { while (n-- > 0) word(0, 0, 0, 0) }
        BEGIN {
            state = 1
            zeros(1); word(2, 0, 0, 0); zeros(3)
            n = split(arrays, a, " ")
            for (i = 1; i < n; i += 3) {
                connected = i > n - 6
                numbers(a[i])
                if (connected) weights(a[i + 2])
                ones(a[i + 1]); zeros(a[i + 1]); ones(a[i + 1])
                if (!connected) weights(a[i + 2])
            }
        }')"
}

# write_images LIST COUNT SEED: COUNT images, 8x8, each its class's colour with noise, listed in LIST.list.
write_images() {
    local class names=(red green blue gray) i=0 pixels
    mkdir -p images
    awk -v count="$2" -v seed="$3" "$AWK_BYTES"'
        BEGIN {
            state = seed
            for (i = 0; i < count; i++) {
                for (p = 0; p < 192; p++) byte(random(150) + (i % 4 == p % 3 || i % 4 == 3 ? 70 : 0))
                printf "\n"
            }
        }' >"$work.pixels"
    while IFS= read -r pixels; do
        class=${names[i % 4]}
        printf '%b' "P6 8 8 255\n$pixels" >"images/$1${i}_$class.ppm"
        printf '%s\n' "images/$1${i}_$class.ppm"
        i=$((i + 1))
    done <"$work.pixels" >"$1.list"
}

# fixture_make TRAIN SEARCH TEST: with so many images of each kind.
fixture_make() {
    mkdir -p cfg weights backup
    write_cfg
    write_data
    write_weights 0 >weights/tiny.weights
    write_images train "$1" 1
    write_images search "$2" 2
    write_images test "$3" 3
}
