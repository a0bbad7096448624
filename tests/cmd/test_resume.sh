#!/usr/bin/env bash
# Searches that are killed, interrupted or run out of disk, and what -resume makes of them: the files of a search that
# nothing happened to. And what it refuses: another search's checkpoint, a folder in which one is at work.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"
trap '' XFSZ # a write past `ulimit -f` is then an error, as on a full disk, and no signal
trap 'kill -KILL $(jobs -p) 2>/dev/null; rm -rf "$work" "$work".*' EXIT
readonly EPISODES=30 MANY=600 HEADER=25 # lines of a checkpoint before those of plans
budget=(-flops .6)

amc() { timeout 120 "$DARKNET" amc "$@" >"$work.out" 2>"$work.err" </dev/null; }

# search FOLDER ARGS...: a small search into out/FOLDER; what is given here comes last and wins.
search() { amc search cfg/tiny.cfg "${budget[@]}" -episodes $EPISODES -warmup 10 -calibrate 16 -refit 16 -out "out/$1" "${@:2}"; }

# run NAME FOLDER ARGS...: search FOLDER ARGS succeeds.
run() {
    if search "${@:2}"; then ok "$1"; else not_ok "$1" "exit status $?: $(cat "$work.err")"; fi
}

# refuse NAME WORDS FOLDER ARGS...: search FOLDER ARGS ends with one sentence, of which the shell pattern WORDS is a
# part, and changes nothing.
refuse() {
    local before status sentence
    before=$(snapshot)
    search "${@:3}"
    status=$? sentence=$(cat "$work.err")
    if [ $status != 1 ] || [ "$(wc -l <"$work.err")" != 1 ] || [[ $sentence != "amc: "*$2* ]]; then
        not_ok "$1" "exit status $status: $sentence"
    else
        check "$1" "changed files: $(diff <(echo "$before") <(snapshot))" [ "$before" = "$(snapshot)" ]
    fi
}

snapshot() {
    find . -printf '%y %p\n' | LC_ALL=C sort
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cksum
}

# Whether two folders of out/ hold the same result and nothing else but a checkpoint.
same_result() {
    [ "$(ls -A "out/$1")" = "$(ls -A "out/$2")" ] || return
    local file
    for file in tiny-amc.cfg tiny-amc.weights policy.json episodes.csv; do
        cmp -s "out/$1/$file" "out/$2/$file" || return
    done
    cmp -s <(facts "out/$1") <(facts "out/$2")
}

# What result.json says besides where it is, the command and the .data file.
facts() { grep -v '"\(command\|data\)"' "$1/result.json" | sed "s#$1/##"; }

check_same() { check "$1" "$(ls -A "out/$2" "out/$3"; tail -n 1 "$work.err")" same_result "$2" "$3"; }

# Plans that the search in a folder of out/ measured to find where to start, which are recorded before all others.
measured() { grep -c ^measured "out/$1/checkpoint"; }

# kill_after_line LINES FOLDER OF: leaves in out/FOLDER what a search that was killed leaves, out/OF's after it wrote so many
# lines: its checkpoint's first ones and a part of the next.
kill_after_line() {
    mkdir -p "out/$2"
    rm -rf "out/$2"/{*,.part-*}
    head -n "$1" "out/$3/checkpoint" >"out/$2/checkpoint"
    sed -n "$(($1 + 1))p" "out/$3/checkpoint" | head -c 9 >>"out/$2/checkpoint"
}

# kill_after PLANS FOLDER OF: after so many scored plans.
kill_after() { kill_after_line $((HEADER + 1 + $(measured "$3") + $1)) "$2" "$3"; }

# wait_for TEXT: until stderr of a search in the background has it.
wait_for() {
    local tries=0
    until grep -qs "$1" "$work.err" || [ $tries = 300 ]; do
        sleep 0.1
        tries=$((tries + 1))
    done
}

# ---- killed ----

# killed NAME ARGS...: a search with these options, killed after any number of plans.
killed() {
    local plans k
    run "$1" whole "${@:2}"
    plans=$(($(wc -l <out/whole/checkpoint) - HEADER - 1 - $(measured whole)))
    check "$1: plans are recorded" "$plans plans" [ $plans -gt 20 ]
    for k in 1 9 $((plans / 2)) $((plans - 1)); do
        kill_after "$k" killed whole
        run "$1: resumed after $k plans" killed "${@:2}" -resume
        check_same "$1: the same files after $k plans" whole killed
        check "$1: says how many were scored" "$(cat "$work.err")" \
            grep -qE "^resumed: ([0-9]+) episodes of $EPISODES were scored before$" "$work.err"
        [ "$k" = 1 ] || check "$1: shows the others only" "$(cat "$work.err")" \
            [ "$(grep -cE '^episode [1-9]/' "$work.err")" = 0 ]
    done
    for k in 1 $(($(measured whole) / 2)) $(($(measured whole) - 1)); do
        [ "$(measured whole)" -gt 1 ] || continue # random searches, and the paper's, measure nothing
        kill_after_line $((HEADER + 1 + k)) killed whole
        run "$1: resumed after $k measurements" killed "${@:2}" -resume
        check_same "$1: the same files after $k measurements" whole killed
        check "$1: says how many were measured" "$(cat "$work.err")" grep -qx "resumed: $k plans were measured before" "$work.err"
    done
    rm -r out/whole
}

kills() {
    sed 's/^search.*/search=test.list/; s/^valid.*/valid=search.list/' cfg/tiny.data >many.data
    killed 'killed'
    killed 'killed, -early-stop' -early-stop .1 -data many.data
    killed 'killed, -agent random' -agent random
    killed 'killed, -paper' -paper
    local budget=(-params .5)
    killed 'killed, single weights' -granularity weight -refit 0
}

# With SIGKILL, at any moment.
really_killed() {
    check 'a search of four is killed and resumed' "$(cat "$work.out")" \
        crash_test 4 cfg/tiny.cfg weights/tiny.weights cfg/tiny.data -episodes 200 -limit 30 -calibrate 16 -refit 16
    if [ ! -f "$root/weights/fashion.weights" ] || [ ! -f "$root/data/fashion-mnist/test.list" ]; then
        echo '# skipped: fashion, whose weights or images are not there'
        return
    fi
    ln -s "$root/data" data
    check 'a search on real images is killed and resumed' "$(cat "$work.out")" \
        crash_test 2 "$root/cfg/fashion.cfg" "$root/weights/fashion.weights" "$root/cfg/fashion.data" -episodes 12 \
        -limit 200 -reconstruct 200 -calibrate 64 -refit 200
}

crash_test() {
    "$root/scripts/crash_test.sh" "$@" >"$work.out" 2>&1 </dev/null
    [ "$(tail -n 1 "$work.out")" = "$1 of $1 resumed searches ended in the same files" ]
}

# Killed while the result was moved into place.
killed_at_the_end() {
    run 'a search' whole
    cp -r out/whole out/end
    rm out/end/tiny-amc.cfg
    mkdir out/end/.part-abcdef
    echo half >out/end/.part-abcdef/tiny-amc.cfg
    echo half >out/end/.part-abcdef/tiny-amc.weights.abcdef
    refuse 'a part of a result' 'tiny-amc.weights: a result is there already; expected -resume, -force or another -out' end
    run 'a part of a result is completed' end -resume
    check_same 'a part of a result becomes the whole' whole end
}

# ---- what is in the folder ----

unfinished() {
    kill_after 7 left whole
    local plans=$(($(measured whole) + 7))
    refuse 'an unfinished search' \
        "out/left/checkpoint: an unfinished search of $plans plans is there; expected -resume to go on with it or -force" left
    refuse 'an unfinished search, other options' "an unfinished search of $plans plans is there" left -seed 2
    run 'an unfinished search, -force' left -force
    check_same 'an unfinished search is started anew' whole left
    check 'started anew: nothing was taken over' "$(cat "$work.err")" [ "$(grep -c resumed "$work.err")" = 0 ]

    run 'no checkpoint, -resume' none -resume
    check_same 'no checkpoint: started' whole none
    check 'no checkpoint: says so' "$(head -n 3 "$work.err")" \
        grep -q '^out/none: no search to resume is there, one is started$' "$work.err"
    mkdir out/empty
    : >out/empty/checkpoint # killed before it had scored anything
    run 'an empty checkpoint' empty
    check_same 'an empty checkpoint: started' whole empty
}

finished() {
    local plans
    plans=$(wc -l <out/whole/checkpoint)
    refuse 'a finished search' 'tiny-amc.weights: a result is there already; expected -resume, -force or another' whole
    cp -r out/whole out/longer
    run 'a finished search, -resume' longer -resume
    check_same 'a finished search, -resume: the same files' whole longer
    check 'a finished search, -resume: scores nothing' "$(cat "$work.err")" \
        grep -qx "resumed: $EPISODES episodes of $EPISODES were scored before" "$work.err"
    check 'a finished search, -resume: goes through no episode' "$(cat "$work.err")" \
        [ "$(grep -c '^episode' "$work.err")" = 0 ]
    run 'more episodes' longer -resume -episodes 45
    run 'as many at once' at_once -episodes 45
    check_same 'more episodes: the same files as at once' at_once longer
    check 'more episodes: more plans' "$(wc -l <out/longer/checkpoint)" [ "$(wc -l <out/longer/checkpoint)" -gt "$plans" ]
    run 'fewer episodes' longer -resume -episodes $EPISODES
    check_same 'fewer episodes: the shorter search' whole longer
    rm out/longer/checkpoint
    refuse 'a result without a checkpoint' 'a result is there already; expected -force or another' longer -resume
    run 'a result without a checkpoint, -force' longer -resume -force
    check_same 'a result without a checkpoint, -force: started' whole longer
}

# setting KEY ARGS...: another search than the one in out/left.
setting() { refuse "resumed with another $1" "out/left/checkpoint:*: $1 was * and is * now; expected the same" left -resume "${@:2}"; }

settings() {
    local key
    kill_after 7 left whole
    for key in flops:.5 params:.5 min-keep:.2 round:2 criterion:l1 agent:random warmup:11 limit:40 early-stop:.1 \
        reconstruct:16 calibrate:17 seed:2 skip:0; do
        setting "${key%:*}" "-${key%:*}" "${key#*:}"
    done
    setting paper -paper -warmup 10
    setting reward -reward flops -max-drop 5
    local budget=(-params .6)
    setting granularity -granularity weight -refit 0
    budget=(-flops .6)
    cp cfg/tiny.cfg kept.cfg
    echo '# a comment' >>cfg/tiny.cfg
    setting cfg
    mv kept.cfg cfg/tiny.cfg
    cp weights/tiny.weights kept.weights
    write_weights 10 >weights/tiny.weights
    setting weights
    mv kept.weights weights/tiny.weights
    cp search.list kept.list
    head -n 58 kept.list >search.list
    setting data
    mv kept.list search.list
    refuse 'resumed with another setting, -force' 'seed was 1 and is 2 now' left -resume -force -seed 2
    # What doesn't decide.
    sed 's/^backup.*/backup=elsewhere/; s/^valid.*/valid=nosuch.list/' cfg/tiny.data >moved.data
    cp search.list moved.list
    sed -i 's/^search.*/search=moved.list/' moved.data
    run 'resumed with other threads and paths' left -resume -threads 1 -data moved.data -json
    check_same 'resumed with other threads and paths: the same files' whole left
}

# corrupt NAME SED WORDS: a checkpoint that a sed script has edited is refused.
corrupt() {
    kill_after 7 left whole
    sed -i "$2" out/left/checkpoint
    refuse "$1" "out/left/checkpoint:$3" left -resume
}

# lost NAME SED LINE: so is one that is of another search from that line on; a sentence, after what it shows.
lost() {
    kill_after 7 left whole
    sed -i "$2" out/left/checkpoint
    search left -resume
    check "$1" "$(cat "$work.err")" grep -q "^amc: out/left/checkpoint:$3: a plan with" "$work.err"
}

corrupted() {
    local start=$((HEADER + 2)) line=$((HEADER + 3 + $(measured whole)))
    corrupt 'a bad line' "${line}s/^[0-9.]* /1.5 /" "$line: accuracy \"1.5\", expected a number from 0 to 1"
    corrupt 'a bad count' "${line}s/[0-9]*$/3/" "$line: units of group"
    corrupt 'a bad measurement' "${start}s/^measured [^ ]*/measured -1/" "$start: divergence \"-1\", expected a number from 0 to"
    lost 'lines in another order' "${line}h; ${line}d; $((line + 1))G" "$line"
    lost 'a measurement is missing' "${start}d" "$start"
    echo 'my notes' >out/left/checkpoint
    refuse 'notes' 'out/left/checkpoint:1: no checkpoint of a search' left
    refuse 'notes, -resume' 'out/left/checkpoint:1: no checkpoint of a search' left -resume
    run 'notes, -force' left -force
    check_same 'notes, -force: started' whole left
}

# A checkpoint without seconds.
timeless() { sed '/^measured/s/ [^ ]*//2; /^[0-9]/s/ [^ ]*//4' "$@"; }

# What was scored outlives what goes wrong; a search that scored nothing leaves nothing.
failures() {
    run 'many episodes' many -episodes $MANY
    kill_after 7 left whole
    sed 's/^search.*/search=bad.list/' cfg/tiny.data >bad.data
    echo bad_red.ppm >bad.list
    refuse 'bad images, -force' "bad.list:1: the image bad_red.ppm can't be read" left -force -data bad.data
    refuse 'bad images, -resume' 'data was * and is * now' left -resume -data bad.data
    refuse 'bad images' "bad.list:1: the image bad_red.ppm can't be read" new/folder -data bad.data
    rm -r out/left
    (
        ulimit -f 2 # KiB
        search left -episodes $MANY
        echo $? >"$work.status"
    )
    check 'a disk that fills up' "exit status $(cat "$work.status"): $(tail -n 1 "$work.err")" \
        grep -qx "amc: out/left/checkpoint: can't be written: File too large" "$work.err"
    check 'a disk that fills up: exit status' "$(cat "$work.status")" [ "$(cat "$work.status")" = 1 ]
    check 'a disk that fills up: what was scored is there' "$(cat out/left/checkpoint)" \
        cmp -s <(timeless out/left/checkpoint) <(head -n "$(wc -l <out/left/checkpoint)" out/many/checkpoint | timeless)
    check 'a disk that fills up: and nothing else' "$(ls -A out/left)" [ "$(ls -A out/left)" = checkpoint ]
    run 'a disk that has room again' left -resume -episodes $MANY
    check_same 'a disk that has room again: the same files' many left
}

# ---- two searches, and Ctrl-C ----

# start FOLDER ARGS...: a search in the background, into $work.err; $search is its process.
start() {
    rm -f "$work.err" # or an earlier search's progress would be waited for
    "$DARKNET" amc search cfg/tiny.cfg -flops .6 -warmup 10 -calibrate 16 -refit 16 -out "$1" "${@:2}" \
        >"$work.out" 2>"$work.err" </dev/null &
    search=$!
    wait_for '^episode 20/'
}

locked() {
    local words='checkpoint: another search is at work in this folder' option
    start out/locked -episodes 1000000
    kill -STOP $search # so that only others could change something
    mv "$work.err" "$work.first"
    refuse 'two searches in a folder' "$words" locked
    for option in -force -resume; do refuse "two searches in a folder, $option" "$words" locked $option; done
    kill -KILL $search
    wait $search 2>/dev/null
    refuse 'the first is gone' 'an unfinished search of' locked
    mv "$work.first" "$work.err"
}

# interrupted SIGNAL FOLDER ARGS...: the command line that is printed goes on to the files of out/many.
interrupted() {
    local command
    start "${@:2}" -episodes $MANY
    kill "-$1" $search
    check "$1: exit status 0" "$(tail -n 2 "$work.err")" wait $search
    command=$(tail -n 1 "$work.err")
    check "$1: says where it was" "$(tail -n 2 "$work.err")" \
        grep -qE "^interrupted after [0-9]+ episodes of $MANY; to go on:$" "$work.err"
    check "$1: prints what goes on" "$command" [ "$(grep -o -e ' -resume' <<<"$command")" = ' -resume' ]
    check "$1: the best so far is there" "$(ls "$2")" [ -f "$2/tiny-amc.weights" ]
    check "$1: fewer episodes so far" "$(wc -l <"$2/episodes.csv")" [ "$(wc -l <"$2/episodes.csv")" -le $MANY ]
    eval "timeout 120 $command" >"$work.out" 2>"$work.err" </dev/null
    check "$1: the printed command goes on" "$(cat "$work.err")" grep -qE '^resumed: [0-9]+ episodes of' "$work.err"
    check_same "$1: to the same files" many "${2#out/}"
}

interrupts() {
    interrupted INT "out/it's here"
    interrupted TERM out/term -nogpu -resume
}

# ---- what is shown ----

# A terminal's view of a search; carriage returns are made newlines.
on_terminal() { script -qec "$DARKNET amc search cfg/tiny.cfg -flops .6 -episodes 12 -warmup 5 -calibrate 16 -refit 16 $*" /dev/null </dev/null | tr '\r' '\n'; }

shown() {
    run '-quiet' quiet -quiet -resume -data no_search.data
    check '-quiet: nothing on stderr' "$(cat "$work.err")" [ ! -s "$work.err" ]
    refuse '-quiet: but what went wrong' 'a result is there already' quiet -quiet
    kill_after 5 quiet whole
    run '-quiet -resume' quiet -quiet -resume
    check '-quiet -resume: nothing on stderr' "$(cat "$work.err")" [ ! -s "$work.err" ]
    check_same '-quiet: the same files' whole quiet
    if ! command -v script >/dev/null; then
        echo '# skipped: terminals, for want of script'
        return
    fi
    on_terminal -out out/terminal >"$work.out"
    check 'a terminal: every episode' "$(cat "$work.out")" [ "$(grep -cE '^episode [0-9]+/12: ' "$work.out")" = 12 ]
    head -n $((HEADER + 8 + $(measured terminal))) out/terminal/checkpoint >kept
    mv kept out/terminal/checkpoint
    on_terminal -out out/terminal -resume >"$work.out"
    check 'a terminal, resumed: says so' "$(cat "$work.out")" grep -q '^resumed: 7 episodes of 12 were scored before' "$work.out"
    check 'a terminal, resumed: the others' "$(cat "$work.out")" [ "$(grep -cE '^episode [0-9]+/12: ' "$work.out")" = 5 ]
}

# ---- several budgets ----

# The second starts from what the first found; with more episodes that may be another plan.
chained() {
    run 'two budgets' chain -flops .8,.6 -episodes 8
    run 'two budgets, more episodes' chain -flops .8,.6 -episodes 60 -resume
    check 'the second starts anew' "$(cat "$work.err")" grep -q 'flops-0.6: the search there started from another plan' "$work.err"
    run 'two budgets, done at once' at_once -flops .8,.6 -episodes 60
    check 'to the same network' 'they differ' cmp out/chain/flops-0.6/tiny-amc.weights out/at_once/flops-0.6/tiny-amc.weights
    run 'two budgets, resumed' chain -flops .8,.6 -episodes 60 -resume
    check 'nothing is started anew' "$(cat "$work.err")" [ "$(grep -c 'started from another' "$work.err")" = 0 ]
}

fixture_make 64 60 300
sed '/^search/d' cfg/tiny.data >no_search.data
kills
really_killed
killed_at_the_end
unfinished
finished
settings
corrupted
failures
locked
interrupts
shown
chained
