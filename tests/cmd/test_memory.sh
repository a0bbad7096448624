#!/usr/bin/env bash
# A search's memory does not grow from episode to episode.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"

# measure BINARY PERCENT: what scripts/bench/memory.sh says of it is in $work.out.
measure() {
    DARKNET=$1 PERCENT=$2 timeout 120 "$root/scripts/bench/memory.sh" cfg/tiny.cfg weights/tiny.weights cfg/tiny.data \
        400 -warmup 5 -calibrate 16 >"$work.out" 2>&1
}

# One that takes 1 KiB an episode and keeps it; it goes on from the first reading when that is done.
write_growing() {
    cat >growing <<'SH'
#!/usr/bin/env bash
trap 'seen=1' CONT
for ((i = 10; i <= 440; i += 10)); do
    printf -v "kept$i" '%10240s' ''
    echo "episode $i/440: " >&2
    until [ -n "${seen:-}" ]; do sleep 0.01; done
done
sleep 2
SH
    chmod +x growing
}

fixture_make 16 12 12
case $DARKNET in
*/build/san*) echo 'ok memory after 400 episodes # skip sanitizers keep what was freed' ;;
*)
    # Up to 600 KiB here, of 12 MiB: what the threads' arenas take in their time; 1% of a search on real images is more.
    measure "$DARKNET" 6
    check 'memory after 400 episodes is that after 10' "$(cat "$work.out")" grep -q '^resident memory: ' "$work.out"
    ;;
esac
write_growing
measure ./growing 6
check 'a search that grows is found' "$(cat "$work.out")" grep -q '^memory.sh: memory grew' "$work.out"
measure /bin/true 3
check 'a search that ends early has not passed' "$(cat "$work.out")" grep -q '^memory.sh: the search ended early' "$work.out"
