# shellcheck shell=bash
# Training that goes on where it was interrupted; to be sourced after json_lib.sh.

# train_resumably DATA CFG FOLDER: runs `darknet classifier train` from nothing to the end of the schedule in CFG; what
# it ends with is FOLDER/<name of CFG>.weights, which is not made again. Stopped and started again, it goes on at the
# last epoch that was finished: Darknet writes its files in place, so one is only taken for finished if it has the
# length that the network needs. Returns 1 where training failed, see FOLDER/log, or where another process trains into
# FOLDER.
train_resumably() {
    local data=$1 cfg=$2 folder=$3 name bytes from status=0
    name=$(basename "$cfg" .cfg)
    bytes=$(($(bin/darknet amc info "$cfg" -json | number params) * 4 + 20))
    [ -z "$(find "$folder" -name "$name.weights" -size "${bytes}c" 2>/dev/null)" ] || return 0
    mkdir -p "$folder"
    exec {lock}>"$folder/.lock"
    if ! flock -n "$lock"; then
        echo "$folder: another process trains there" >&2
        return 1
    fi
    sed "s#^backup *=.*#backup=$folder#" "$data" >"$folder/train.data"
    from=$(epochs_of "$folder" "$name" "$bytes" | tail -n 1)
    start_training "$folder" "$cfg" ${from:+"$from"}
    while kill -0 $training 2>/dev/null; do
        sleep 5
        drop_old_epochs "$folder" "$name" "$bytes"
    done
    wait $training || status=1
    training=''
    exec {lock}>&-
    [ $status = 0 ] || return 1
    epochs_of "$folder" "$name" "$bytes" | xargs -r rm -f
    rm -f "$folder/$name.backup" "$folder/.lock"
}

# The weights of each finished epoch that are there, the last one last.
epochs_of() { find "$1" -name "$2_*.weights" -size "${3}c" | sort -V; }

# Darknet leaves a file an epoch; all but the last are in the way.
drop_old_epochs() { epochs_of "$@" | head -n -1 | xargs -r rm -f; }

training='' # the process, while there is one; it holds the lock too, should this script be killed
start_training() { # folder cfg [weights]
    bin/darknet classifier train "$1/train.data" "${@:2}" >>"$1/log" 2>&1 &
    training=$!
    trap 'kill $training 2>/dev/null; wait $training 2>/dev/null; exit 1' INT TERM
}
