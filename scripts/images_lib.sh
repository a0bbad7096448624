# shellcheck shell=bash
# What get_fashion_mnist.sh and get_cifar10.sh share; to be sourced from the repository's root.
#
# A set is data/NAME/: train/ and test/ with one PNG a picture, labels.txt with one class a line, and the lists
# train.list, search.list and test.list with one path a line. It is made as data/NAME.part and renamed when it is
# complete and checked, so an interrupted run leaves nothing half-made under the real name.
#
# The sourcing script sets: SET (NAME), CLASSES (an array), TRAIN_PER_CLASS and TEST_PER_CLASS (pictures in the raw set),
# and has make_raw (fills $part/raw) and make_pictures (fills $part/train and $part/test from it).

: "${SET:?}" "${CLASSES:?}" "${TRAIN_PER_CLASS:?}" "${TEST_PER_CLASS:?}"

# Held out of the training pictures for a search's rewards: of each class every k-th, in the raw set's own order (which
# is random), so that the same ones are chosen everywhere and the classes stay balanced.
readonly SEARCH_PER_CLASS=500
readonly EVERY=$((TRAIN_PER_CLASS / SEARCH_PER_CLASS))

set_dir=data/$SET
part=data/$SET.part

fail() {
    printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2
    exit 1
}

# Whether folder $1 has all pictures and lists. Only names are counted, not a picture is opened: it is asked often.
is_complete() {
    local dir=$1 n=${#CLASSES[@]}
    [ -d "$dir/train" ] && [ -d "$dir/test" ] &&
        [ "$(count_lines "$dir/labels.txt")" = "$n" ] &&
        [ "$(count_lines "$dir/train.list")" = $((n * (TRAIN_PER_CLASS - SEARCH_PER_CLASS))) ] &&
        [ "$(count_lines "$dir/search.list")" = $((n * SEARCH_PER_CLASS)) ] &&
        [ "$(count_lines "$dir/test.list")" = $((n * TEST_PER_CLASS)) ] &&
        [ "$(count_pictures "$dir/train")" = $((n * TRAIN_PER_CLASS)) ] &&
        [ "$(count_pictures "$dir/test")" = $((n * TEST_PER_CLASS)) ]
}

count_lines() { [ -f "$1" ] && wc -l <"$1"; }

count_pictures() { find "$1" -name '*.png' -printf . | wc -c; }

# The converter, compiled when it is older than its source.
build_make_images() {
    local tool=build/make_images
    [ "$tool" -nt scripts/make_images.c ] && return
    scripts/get_darknet.sh
    mkdir -p build
    "${CC:-cc}" -std=c11 -O2 -iquote darknet/src -o "$tool.$$" scripts/make_images.c -lm
    mv "$tool.$$" "$tool"
}

# Stops unless the raw files are what they should be; stdin holds lines of 'SHA-256  file'.
check_raw() {
    (cd "$part/raw" && sha256sum --check --status) || fail "the raw files are damaged: their SHA-256 is not the set's"
}

# Paths in the lists start at the repository's root, where Darknet is run.
write_lists() {
    # shellcheck disable=SC2016  # awk's $0
    local pick='{ class = $0; sub(/^[0-9]+_/, "", class); sub(/\.png$/, "", class)
                  print dir "/" $0 > (++seen[class] % every == 0 ? search : train) }'
    picture_names train | awk -v dir="$set_dir/train" -v every="$EVERY" -v train="$part/train.list" \
        -v search="$part/search.list" "$pick"
    picture_names test | awk -v dir="$set_dir/test" '{ print dir "/" $0 }' >"$part/test.list"
}

picture_names() { find "$part/$1" -name '*.png' -printf '%f\n' | LC_ALL=C sort; }

# Darknet takes for a picture's class every label that occurs anywhere in its path. So each path must hold exactly one,
# and each class must come exactly $2 times in list $1.
check_list() {
    awk -v per_class="$2" '
        NR == FNR { label[n++] = $0; next }
        {
            hits = 0
            for (i = 0; i < n; i++) if (index($0, label[i])) { hits++; class = i }
            if (hits != 1) { print $0 " holds " hits " labels instead of one"; bad = 1; exit }
            count[class]++
        }
        END {
            for (i = 0; i < n && !bad; i++) if (count[i] != per_class) {
                print FILENAME " has " count[i] + 0 " of class " label[i] " instead of " per_class; bad = 1
            }
            exit bad
        }' "$part/labels.txt" "$part/$1"
}

check_lists() {
    check_list train.list $((TRAIN_PER_CLASS - SEARCH_PER_CLASS)) &&
        check_list search.list "$SEARCH_PER_CLASS" &&
        check_list test.list "$TEST_PER_CLASS"
}

make_set() {
    build_make_images
    rm -rf "$part"
    mkdir -p "$part/raw" "$part/train" "$part/test"
    printf '%s\n' "${CLASSES[@]}" >"$part/labels.txt"
    make_raw
    make_pictures
    rm -rf "$part/raw"
    write_lists
    local problem
    problem=$(check_lists) || fail "$problem"
    is_complete "$part" || fail "$part has not all pictures: the raw files are not the whole set"
    rm -rf "$set_dir"
    mv "$part" "$set_dir"
}

summary() {
    local n=${#CLASSES[@]}
    printf '%s: %d training, %d search and %d test pictures of %d classes\n' "$set_dir" \
        $((n * (TRAIN_PER_CLASS - SEARCH_PER_CLASS))) $((n * SEARCH_PER_CLASS)) $((n * TEST_PER_CLASS)) "$n"
}

get_set() {
    is_complete "$set_dir" && return
    mkdir -p data
    exec 9>"data/.$SET.lock" # two at once would delete each other's pictures
    command -v flock >/dev/null && flock 9
    is_complete "$set_dir" && return
    make_set
    summary
}
