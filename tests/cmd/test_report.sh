#!/usr/bin/env bash
# The report of a search and of a pruning: pictures, and a page that needs nothing else.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=tests/cmd/fixture.sh
. "$root/tests/cmd/fixture.sh"

amc() { timeout 60 "$DARKNET" amc "$@" >"$work.out" 2>"$work.err" </dev/null; }

# fails NAME PATTERN FOLDER: its report is refused in one sentence that the pattern matches.
fails() {
    local status=0
    amc report "$3" || status=$?
    check "$1: status" "$status" [ $status = 1 ]
    check "$1: one sentence" "$(cat "$work.err")" [ "$(grep -c . "$work.err")" = 1 ]
    check "$1: says why" "$(cat "$work.err")" grep -q "$2" "$work.err"
}

# check_picture NAME FILE: a PNG that is 1600 wide and 900 high.
check_picture() {
    check "$1" "$(od -An -tx1 -N24 "$2")" \
        [ "$(od -An -v -tx1 -w24 -N24 "$2")" = ' 89 50 4e 47 0d 0a 1a 0a 00 00 00 0d 49 48 44 52 00 00 06 40 00 00 03 84' ]
}

# check_page NAME FOLDER PICTURES
check_page() {
    local page=$2/report.html
    check "$1: has its pictures" "$(grep -c 'src="data:image/png;base64,' "$page")" \
        [ "$(grep -c 'src="data:image/png;base64,' "$page")" = "$3" ]
    # Of all addresses in it none is outside.
    sed 's/base64,[^"]*/base64,/' "$page" >"$work.page"
    check "$1: needs nothing else" "$(grep -oE '(src|href|url|import)[^ ]*' "$work.page" | sort | uniq -c)" \
        [ "$(grep -oE 'src|href|url|import|http' "$work.page" | grep -c .)" = "$3" ]
    check "$1: is whole" "$(tail -n 1 "$page")" [ "$(tail -n 1 "$page")" = '</html>' ]
    check "$1: paragraphs end where they begin" "$(grep -E '</?p>' "$work.page")" \
        [ "$(grep -oE '</?p>' "$work.page" | uniq -c | grep -cv ' 1 ')" = 0 ]
}

if ! command -v gnuplot >/dev/null; then
    not_ok 'gnuplot is there' 'it is not installed (gnuplot-nox)'
    exit
fi
fixture_make 64 16 8

amc search cfg/tiny.cfg -episodes 12 -reconstruct 32 -calibrate 32 -refit 32 -out out
check 'search' "$(cat "$work.err")" [ -f out/result.json ]
amc report out
check 'report' "$(cat "$work.err")" [ -f out/report.html ]
check 'names what it made' "$(cat "$work.out")" \
    [ "$(tr '\n' ' ' <"$work.out")" = 'out/layers.png out/episodes.png out/front.png out/report.html ' ]
amc report out -json
check '-json names it too' "$(cat "$work.out")" \
    [ "$(tr -d '\n\t ' <"$work.out")" = '{"pictures":["out/layers.png","out/episodes.png","out/front.png"],"page":"out/report.html"}' ]
for picture in layers episodes front; do check_picture "$picture" out/$picture.png; done
check_page 'the page' out 3
check 'says the command' "$(grep '<pre>' out/report.html)" grep -q '<pre>.* amc search cfg/tiny.cfg -episodes 12' out/report.html
check 'compares with policies' "$(grep uniform out/report.html)" grep -q '<td>uniform</td><td>[0-9.]*%</td>' out/report.html
sed 's/"accuracy_in_search":.*/"accuracy_in_search": 0.125,/; s/"accuracy":[^}]*,$/"accuracy": 0.25,/' out/result.json >"$work.result"
cp -r out refitted
cp "$work.result" refitted/result.json
amc report refitted
check 'says what refitting brought' "$(cat "$work.err")" grep -q "The search's plan had 12.50%; then" refitted/report.html
# Were a name from the file a command of gnuplot's, there would be a file.
read -r attack <<'TEXT'
"'; system(\\"touch attacked\\"); print '\\nEND\\nsystem(\\"touch attacked\\")"
TEXT
sed "s/\"uniform\"/$attack/" out/result.json >refitted/result.json
amc report refitted
check 'names are no commands: drawn' "$(cat "$work.err")" grep -q 'touch attacked' refitted/report.html
check 'names are no commands' 'one was run' [ ! -e attacked ]
first=$(base64 -w0 out/layers.png | head -c 5000)
check 'a picture is the file beside it' 'they differ' grep -qF "$first" out/report.html

amc prune cfg/tiny.cfg -policy uniform -flops 0.5 -reconstruct 0 -calibrate 0 -out 'a <b> & "c"'
amc report 'a <b> & "c"/'
check 'report of prune' "$(cat "$work.err")" [ -f 'a <b> & "c"/report.html' ]
check_page 'the page of prune' 'a <b> & "c"' 1
check 'names are no markup' "$(grep -c '<b>' 'a <b> & "c"/report.html')" [ "$(grep -c '<b>' 'a <b> & "c"/report.html')" = 0 ]
amc prune cfg/tiny.cfg -policy uniform -flops 0.5 -reconstruct 0 -calibrate 0 -out 'a <b> & "c"' -force
check 'the same result again keeps its report' 'it is gone' [ -f 'a <b> & "c"/report.html' ]
cp 'a <b> & "c"/tiny-amc.weights' 'a <b> & "c"/tiny-amc-finetuned.weights'
amc prune cfg/tiny.cfg -policy uniform -flops 0.4 -reconstruct 0 -calibrate 0 -out 'a <b> & "c"' -force
check 'another result takes the report and fine-tuned weights along' "$(ls 'a <b> & "c"')" \
    [ "$(find 'a <b> & "c"' -type f | wc -l)" = 4 ]

fails 'no such folder' 'nowhere: holds no result.json, expected the folder of a search' nowhere
mkdir several
cp -r out several/flops-0.3
cp -r out several/flops-0.5
fails 'several results' 'several: holds no result.json, expected one of several/flops-0.3, several/flops-0.5' several
cp -r out bad
cp out/report.html "$work.kept"
sed -i 's/"macs":/"mocs":/' bad/result.json
fails 'a result without costs' 'bad/result.json: lacks what a result has' bad
echo '{' >bad/result.json
fails 'no JSON' 'bad/result.json:2: is not JSON' bad
cp out/result.json bad
sed -i '3s/,.*/,x/' bad/episodes.csv
fails 'a bad episode' 'bad/episodes.csv:3: has no number for reward' bad
sed -i 2,\$d bad/episodes.csv
fails 'an empty table' 'bad/episodes.csv:2: is missing, expected at least one episode' bad
echo nonsense >bad/episodes.csv
fails 'no episodes' 'bad/episodes.csv:1: has no column reward' bad
rm out/front.png
mkdir out/front.png
fails 'a picture in the way' 'out/front.png: can.t be written' out
check 'the page is as it was' 'it changed' cmp -s out/report.html "$work.kept"
rmdir out/front.png
mkdir "$work.empty"
PATH=$work.empty "$DARKNET" amc report out >"$work.out" 2>"$work.err"
check 'without gnuplot: says so' "$(cat "$work.err")" grep -q 'gnuplot: .*; expected it installed' "$work.err"
check 'nothing half-made is left' "$(ls out)" [ "$(find out bad -name '*.part' | wc -l)" = 0 ]
