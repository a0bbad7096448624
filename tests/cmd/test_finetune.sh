#!/usr/bin/env bash
# Fine-tuning by Darknet's training loop: what it leaves behind, that an interrupted one goes on, and that nothing is
# lost by a mistake.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"

readonly RESULT=cfg/tiny-finetuned.weights
readonly PART=$RESULT.part

finetune() { timeout 60 "$DARKNET" amc finetune cfg/tiny.cfg "$@" >"$work.out" 2>"$work.err" </dev/null; }

number() { sed -n "s/^.*\"$1\":[[:space:]]*\([-0-9.e+]*\).*/\1/p" "$2" | head -n 1; }

# fails NAME PATTERN ARGS...: finetune ends with status 1 and one sentence that the pattern matches.
fails() {
    local status=0
    finetune "${@:3}" || status=$?
    check "$1: status" "$status, $(tail -n 2 "$work.err")" [ $status = 1 ]
    check "$1: one sentence" "$(tail -n 2 "$work.err")" [ "$(grep -c . "$work.err")" = 1 ]
    check "$1: says why" "$(tail -n 2 "$work.err")" grep -q "$2" "$work.err"
}

epochs_done() { if [ -f $PART/epochs.csv ]; then grep -c ^ $PART/epochs.csv; else echo 0; fi; }

# start ARGS...: begins a fine-tuning that would take very long and waits for three epochs.
start() {
    local before
    before=$(epochs_done)
    "$DARKNET" amc finetune cfg/tiny.cfg -epochs 90000 "$@" >"$work.started" 2>&1 </dev/null &
    process=$!
    for _ in $(seq 200); do
        [ "$(epochs_done)" -lt $((before + 3)) ] || return 0
        sleep 0.1
    done
    not_ok 'a fine-tuning gets on' "$(tail -n 2 "$work.started")"
}

# interrupt: as Ctrl-C does.
interrupt() {
    local status=0
    sleep 0.5
    kill -INT $process
    wait $process || status=$?
    check 'interrupted: status' "$status, line ${BASH_LINENO[0]}, $(tail -n 1 "$work.started" "$work.err")" [ $status = 1 ]
}

trainers() { pgrep -f "amc -i -1 train $PART" || true; }

# Whether all trainers end within some seconds.
are_gone() {
    for _ in $(seq 50); do
        [ -n "$(trainers)" ] || return 0
        sleep 0.1
    done
    return 1
}

fixture_make 64 16 8

finetune -epochs 60 -json
check 'trains' "$(tail -n 2 "$work.err")" [ -f $RESULT ]
found=$(number finetuned_accuracy "$work.out")
"$DARKNET" amc eval cfg/tiny.cfg $RESULT -set search -json >"$work.eval" 2>/dev/null
check 'the accuracy is that of the file' "$found, $(cat "$work.eval")" \
    [ "$(number top1 "$work.eval")" = "$found" ]
found=$(number finetuned_test_accuracy "$work.out")
"$DARKNET" amc eval cfg/tiny.cfg $RESULT -json >"$work.eval" 2>/dev/null
check 'that on the test set too' "$found, $(cat "$work.eval")" [ "$(number top1 "$work.eval")" = "$found" ]
# By the loss: 16 held-out images are too few to tell it from chance.
losses=$(sed -n 's/^epoch .*: loss \([0-9.]*\),.*/\1/p' "$work.err")
check 'it learns' "losses $losses" \
    awk "BEGIN { exit !(${losses##*$'\n'} < 0.8 * ${losses%%$'\n'*}) }"
check 'progress says each epoch' "$(tail -n 2 "$work.err")" [ "$(grep -c '^epoch [0-9.]* of 60: loss .*left$' "$work.err")" = 59 ]
check 'nothing else is left' "$(ls cfg)" [ ! -e $PART ]

cp $RESULT "$work.kept"
fails 'a result that is there' 'is there already; expected -force' -epochs 1
check 'it is as it was' 'the file changed' cmp -s $RESULT "$work.kept"
finetune -epochs 0.5 -force -quiet
check 'with -force it is replaced' 'the file is as before' [ "$(cmp -s $RESULT "$work.kept"; echo $?)" = 1 ]
check 'with -quiet it says nothing' "$(tail -n 2 "$work.err")" [ ! -s "$work.err" ]
rm $RESULT

start
check 'it trains in a process of its own' "$(pgrep -af 'darknet amc')" [ -n "$(trainers)" ]
kill -9 $process
wait $process 2>/dev/null
check 'the training ends with what started it' "$(trainers)" are_gone
check 'no result yet' "$(ls cfg)" [ ! -e $RESULT ]
done_before=$(epochs_done)
fails 'an unfinished one is there' 'unfinished fine-tuning of [0-9]* epochs; expected -resume' -epochs 90000
fails 'resumed by another schedule' 'begun with another network, .*, -rate, -settle or -teacher' -epochs 90000 -rate 0.001 -resume
fails 'resumed to settle at another time' 'begun with another network, .*, -rate, -settle or -teacher' -epochs 90000 -settle 0 -resume
check 'nothing of it is lost' "$(epochs_done) lines" [ "$(epochs_done)" = "$done_before" ]
start -resume
fails 'a second one' 'a fine-tuning is going on there' -epochs 90000 -resume
interrupt
check 'it went on' "$(epochs_done) of $done_before lines" [ "$(epochs_done)" -gt "$done_before" ]
check 'interrupted it says how to go on' "$(tail -n 2 "$work.started")" grep -q 'with -resume' "$work.started"
finetune -epochs 2 -force
check 'started anew' "$(tail -n 2 "$work.err")" [ -f $RESULT ]
rm $RESULT

# Without a list of held-out images they are taken from those that are trained on.
sed -i /search/d cfg/tiny.data
start
held=$(grep -c . $PART/train.list)
check 'images held out are not trained on' "$held of 64" [ "$held" = 58 ]
interrupt
fails 'resumed with others held out' 'begun with another network, -data, -seed' -epochs 90000 -seed 2 -resume -quiet
sed 's/^classes=.*/&\nlabels=other.txt/' cfg/tiny.data >cfg/other.data
cp labels.txt other.txt && echo another >>other.txt
fails 'resumed with other data' 'begun with another network, -data, -seed' -epochs 90000 -data cfg/other.data -resume -quiet
fails 'a teacher without its network' 'weights/tiny.weights without -teacher' -teacher-weights weights/tiny.weights
fails 'no learning rate' 'expected a number above 0' -rate 0
rm -r $PART

echo images/missing_red.ppm >>train.list
fails 'an image is missing' 'train.list:65: the image images/missing_red.ppm can.t be read' -epochs 3 -quiet
check 'no folder is left' "$(ls cfg)" [ ! -e $PART ]

# Images that only Darknet's decoder finds out about.
write_data
sed -i '/missing/d' train.list
for image in images/train*; do echo nonsense >"$image"; done
fails 'images are none' "Darknet's training ended before epoch 1 of 3 was done: Cannot load image \"images/.*\": ." -epochs 3
check 'no folder is left then' "$(ls cfg)" [ ! -e $PART ]

# A search that goes on to fine-tune.
fixture_make 64 16 8
search() { timeout 60 "$DARKNET" amc search cfg/tiny.cfg -episodes 6 -reconstruct 16 -calibrate 16 -out out "$@" >"$work.out" 2>"$work.err" </dev/null; }
search -finetune 3 -json
check 'search -finetune' "$(tail -n 2 "$work.err")" [ -f out/tiny-amc-finetuned.weights ]
check 'its result.json is what -json prints' "$(diff out/result.json "$work.out" | head -n 3)" cmp -s out/result.json "$work.out"
found=$(number finetuned_accuracy out/result.json)
"$DARKNET" amc eval out/tiny-amc.cfg out/tiny-amc-finetuned.weights -data cfg/tiny.data -set search -json >"$work.eval" 2>/dev/null
check 'with the accuracy of the file' "$found" [ "$(number top1 "$work.eval")" = "$found" ]
cp out/tiny-amc-finetuned.weights "$work.kept"
search -finetune 3 || true
check 'without -force or -resume nothing is replaced' 'it changed' cmp -s out/tiny-amc-finetuned.weights "$work.kept"
cp out/result.json "$work.json"
search -finetune 3 -resume
check 'resumed, what is finished stays' "$(tail -n 2 "$work.err")" cmp -s out/tiny-amc-finetuned.weights "$work.kept"
check 'it says so' "$(cat "$work.err")" grep -q 'finetuned.weights: is finished, and stays' "$work.err"
check 'and what came of it' "$(cat "$work.out")" grep -q '^fine-tuned: accuracy .*%, on the test set' "$work.out"
search -resume
check 'resumed without fine-tuning, its figures stay too' "$(diff out/result.json "$work.json")" \
    [ "$(grep -e finetuned -e epoch -e test_acc out/result.json)" = "$(grep -e finetuned -e epoch -e test_acc "$work.json")" ]
search -episodes 40 -flops 0.3 -finetune 3 -force
check 'those of another network do not' "$(tail -n 2 "$work.err")" \
    [ "$(cmp -s out/tiny-amc-finetuned.weights "$work.kept"; echo $?)" = 1 ]
check 'it is fine-tuned' "$(cat "$work.out")" grep -q '^fine-tuned: accuracy .* (epoch [1-3] of 3), on the test set' "$work.out"

# An interruption of the fine-tuning is one of the search.
rm -f "$work.err" # or what an earlier one says of its epochs would be waited for
"$DARKNET" amc search cfg/tiny.cfg -episodes 6 -reconstruct 16 -calibrate 16 -out out/long -finetune 90000 \
    >"$work.out" 2>"$work.err" </dev/null &
process=$!
for _ in $(seq 600); do
    if grep -qs '^epoch ' "$work.err"; then break; fi
    sleep 0.1
done
interrupt
check 'a search that fine-tunes says how to go on' "$(tail -n 2 "$work.err")" grep -q -e ' -resume$' "$work.err"

# One network's unfinished fine-tuning is not gone on with by another of the same shape.
fixture_make 64 16 8
start
interrupt
(printf '\377' | dd of=weights/tiny.weights bs=1 seek=40 conv=notrunc) 2>/dev/null
fails 'resumed with other weights' 'begun with another network, ' -epochs 90000 -resume
rm -r $PART

start
interrupt
"$DARKNET" amc prune cfg/tiny.cfg -policy uniform -flops 0.5 -out other >/dev/null
status=0
"$DARKNET" amc finetune other/tiny-amc.cfg -data cfg/tiny.data -epochs 1 -out $RESULT >"$work.out" 2>"$work.err" || status=$?
check 'nor cleared by one of another shape' "$status, $(cat "$work.err")" \
    grep -q 'holds an unfinished fine-tuning of another network; expected -force' "$work.err"
check 'it is there' "$(ls $PART)" [ "$(epochs_done)" -gt 3 ]
rm -r $PART

finetune -epochs 1 -quiet
mkdir $PART && touch $PART/best.weights.Ab12Cd
finetune -epochs 1 -resume
check 'finished: nothing is trained again' "$(cat "$work.err")" grep -qx "$RESULT: is finished, and stays; -force.*" "$work.err"
rm -r $RESULT $PART

# Darknet takes blanks out of what a .data file says, and has room for 255 characters of a path.
long=$(printf 'd%.0s' $(seq 200))
mkdir -p "my dir/$long/$long"
finetune -epochs 2 -quiet -out "my dir/$long/$long/tiny.weights"
check 'a folder of a long name with a blank' "$(cat "$work.err")" [ -f "my dir/$long/$long/tiny.weights" ]
check 'nothing else is there' "$(ls "my dir/$long/$long")" [ "$(ls "my dir/$long/$long")" = tiny.weights ]
mkdir folder
fails 'a folder to write to' 'folder is a folder, expected the .weights file' -out folder -force
fails 'a folder that is not there' 'new/ is a folder, expected' -out new/
check 'nothing is trained for them' "$(ls)" [ ! -e folder.part ]
sed 's/^valid=.*/valid=missing.list/' cfg/tiny.data >cfg/other.data
fails 'no test set' 'missing.list' -data cfg/other.data -epochs 1
check 'that is known before it is trained' "$(ls cfg)" [ ! -e $PART ]
fails 'a teacher that is no .cfg' '^amc: weights/tiny.weights:1: ' -teacher weights/tiny.weights

status=0
finetune -epochs 4 -rate 90 -force || status=$?
check 'diverged: status' "$status" [ $status = 1 ]
check 'diverged: says so' "$(tail -n 2 "$work.err")" grep -q 'tiny.cfg: training diverged in epoch [1-4], .* a lower -rate than 90\(, and -force\)\?$' "$work.err"
force=$(sed -n '$s/.*and \(-force\)$/\1/p' "$work.err")
finetune -epochs 1 -quiet ${force:+"$force"}
check 'diverged: what it says helps' "$(cat "$work.err")" [ -f $RESULT ]
rm $RESULT

finetune -epochs 1 -quiet -teacher cfg/tiny.cfg -teacher-share 0.3
check 'with a teacher' "$(cat "$work.err")" [ -f $RESULT ]
rm $RESULT

# One is not replaced while it is trained.
sed 's/^channels=.*/&\nrandom=1/' cfg/tiny.cfg >cfg/random.cfg
cp weights/tiny.weights weights/random.weights
"$DARKNET" amc finetune cfg/random.cfg -data cfg/tiny.data -epochs 1 -quiet -teacher cfg/tiny.cfg >"$work.out" 2>&1
check 'a teacher and images of random sizes' "$(cat "$work.out")" [ -f cfg/random-finetuned.weights ]

prune_busy() { "$DARKNET" amc prune cfg/tiny.cfg -policy uniform "$@" -out busy >"$work.out" 2>"$work.err"; }
prune_busy -flops 0.6
rm -f "$work.started" # as above
"$DARKNET" amc finetune busy/tiny-amc.cfg -data cfg/tiny.data -epochs 200 >"$work.started" 2>&1 </dev/null &
process=$!
for _ in $(seq 200); do
    if grep -qs '^epoch ' "$work.started"; then break; fi
    sleep 0.1
done
status=0
prune_busy -flops 0.3 -force || status=$?
check 'pruned anew while it is trained' "$status, $(cat "$work.err")" grep -q 'a fine-tuning is going on there' "$work.err"
cp weights/tiny.weights busy/tiny-amc.weights
status=0
wait $process || status=$?
check 'replaced otherwise' "$status, $(tail -n 1 "$work.started")" \
    grep -q 'busy/tiny-amc.cfg: was replaced while it was trained on; expected -force' "$work.started"

"$DARKNET" amc prune cfg/tiny.cfg -policy uniform -flops 0.6 -out told >/dev/null
"$DARKNET" amc finetune told/tiny-amc.cfg -data cfg/tiny.data -epochs 1 -quiet -json >"$work.out"
check 'the result.json beside it is told' "$(cat told/result.json)" \
    [ "$(number finetuned_test_accuracy told/result.json)" = "$(number finetuned_test_accuracy "$work.out")" ]
"$DARKNET" amc report told >/dev/null
check 'so a report shows it' "$(grep -c . told/report.html) lines" grep -q 'after fine-tuning' told/report.html
check 'and names the weights' "$(grep 'the result is' told/report.html)" \
    grep -q 'or fine-tuned told/tiny-amc-finetuned.weights\.</p>$' told/report.html
check 'in paragraphs that end where they begin' "$(grep -E '</?p>' told/report.html)" \
    [ "$(grep -oE '</?p>' told/report.html | uniq -c | grep -cv ' 1 ')" = 0 ]
cp told/result.json "$work.kept"
"$DARKNET" amc finetune told/tiny-amc.cfg -data cfg/tiny.data -epochs 1 -quiet -out other.weights >/dev/null
check 'but not other weights' 'it changed' cmp -s told/result.json "$work.kept"

cp cfg/tiny.cfg cfg/net
finetune_net() { timeout 60 "$DARKNET" amc finetune cfg/net weights/tiny.weights -data cfg/tiny.data -epochs 1 -quiet; }
check 'a .cfg of another name' "$(finetune_net 2>&1; ls cfg)" [ -f cfg/net-finetuned.weights ]

# The first process of a container has no parent, and is the parent of what trains.
if unshare --user --map-root-user --pid --fork --mount-proc true 2>/dev/null; then
    unshare --user --map-root-user --pid --fork --mount-proc "$DARKNET" amc finetune cfg/tiny.cfg -epochs 1 -quiet \
        >"$work.out" 2>"$work.err" </dev/null
    check 'as the first process' "$(cat "$work.err")" [ -f $RESULT ]
fi
