#!/usr/bin/env bash
# Bad input of every kind: each case runs the binary and expects exit status 1, one sentence on stderr that says what is
# wrong and where, nothing on stdout, and a folder in which nothing was made, changed or removed.
set -u
# shellcheck source=tests/cmd/fixture.sh
. "$(dirname "${BASH_SOURCE[0]}")/fixture.sh"
trap '' XFSZ # a write past `ulimit -f` is then an error, as on a full disk, and no signal

snapshot() {
    find . -printf '%y %p\n' | LC_ALL=C sort
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 cksum
}

# What is wrong with a refusal that ended with status $1; nothing if nothing is. $2: words that it should have.
complaint() {
    local sentence
    sentence=$(cat "$work.err")
    if [ "$1" != 1 ]; then
        echo "exit status $1, stderr: $sentence"
    elif [ "$(wc -l <"$work.err")" != 1 ]; then
        echo "not one line on stderr: $sentence"
    elif [[ $sentence != "amc: "*$2* ]]; then # a pattern
        echo "expected '$2', found: $sentence"
    elif [ -s "$work.out" ]; then
        echo "printed on stdout: $(head -c 200 "$work.out")"
    elif [ "$(snapshot)" != "$before" ]; then
        echo "changed files: $(snapshot | diff <(echo "$before") - | tr '\n' ' ')"
    fi
}

# refuse NAME WORDS ARGS...: `darknet amc ARGS` is refused. WORDS is a shell pattern for a part of the sentence.
refuse() {
    local why
    before=$(snapshot)
    timeout 60 "$DARKNET" amc "${@:3}" >"$work.out" 2>"$work.err" </dev/null
    why=$(complaint $? "$2")
    if [ -z "$why" ]; then ok "$1"; else not_ok "$1" "$why"; fi
}

# The number of the first line in file $2 that has the text $1.
line_of() { grep -nF -m1 -- "$1" "$2" | cut -d: -f1; }

# bad_cfg NAME SED TEXT WORDS: tiny.cfg edited by a sed script is refused at the line that holds TEXT, with WORDS.
bad_cfg() {
    sed "$2" cfg/tiny.cfg >bad.cfg
    refuse "cfg: $1" "bad.cfg:$(line_of "$3" bad.cfg): *$4" info bad.cfg
    rm bad.cfg
}

# whole_cfg NAME WORDS: what stands on stdin is refused as a .cfg, by every command.
whole_cfg() {
    cat >bad.cfg
    refuse "cfg: $1" "$2" info bad.cfg
    refuse "cfg for search: $1" "$2" search bad.cfg weights/tiny.weights -data cfg/tiny.data
    rm bad.cfg
}

# bad_data NAME SED WORDS [ARGS...]: tiny.data edited by a sed script is refused by eval.
bad_data() {
    sed "$2" cfg/tiny.data >bad.data
    refuse "data: $1" "$3" eval cfg/tiny.cfg -data bad.data "${@:4}"
    rm bad.data
}

# JPEGs with one bit changed, of which some break what stb_image asserts.
damaged_images() {
    local byte broken=0
    gnuplot -e "set terminal jpeg size 60,40; set output 'whole_red.jpg'; plot x" 2>/dev/null
    echo bad_red.jpg >bad.list
    sed 's/^valid *=.*/valid=bad.list/' cfg/tiny.data >bad.data
    for byte in $(seq 250 290); do
        { head -c "$byte" whole_red.jpg; tail -c +$((byte + 1)) whole_red.jpg | head -c 1 | tr '\000-\377' '\040-\377\000-\037'
            tail -c +$((byte + 2)) whole_red.jpg; } >bad_red.jpg
        timeout 60 "$DARKNET" amc eval cfg/tiny.cfg -data bad.data >"$work.out" 2>"$work.err" </dev/null
        [ $? -le 1 ] || not_ok "a damaged image, byte $byte" "$(cat "$work.err")"
        ! grep -qx "amc: bad.list:1: the image bad_red.jpg can't be read: it is damaged" "$work.err" || broken=$((broken + 1))
    done
    check 'some damaged images are known by what stb_image asserts' "$broken" [ $broken -gt 0 ]
    rm whole_red.jpg bad_red.jpg
}

# bad_list NAME WORDS: a list of images that holds what stands on stdin is refused by eval.
bad_list() {
    cat >bad.list
    bad_data "$1" 's/^valid=.*/valid=bad.list/' "$2"
    rm bad.list
}

# bad_policy NAME WORDS GROUPS: a policy.json with these groups is refused by prune.
bad_policy() {
    printf '{"groups": [%s]}\n' "$3" >bad.json
    refuse "policy: $1" "$2" prune cfg/tiny.cfg -policy bad.json
    rm bad.json
}

options() {
    refuse 'search: a budget twice' '-flops has 0.5 twice, expected different budgets' search cfg/tiny.cfg -flops .5,.7,.5
    refuse 'search: a bad budget among good ones' '-flops 2, expected a number above 0 and at most 1' search cfg/tiny.cfg -flops .5,2
    refuse 'search: a budget missing' '-flops "", expected a number above 0' search cfg/tiny.cfg -flops .5,
    refuse 'search: no budget that can be met' "can't be met" search cfg/tiny.cfg -flops .5,.0001
    refuse 'no command' 'no command, expected search, prune, finetune, report, eval, latency or info'
    refuse 'an unknown command' 'frobnicate is not a command' frobnicate cfg/tiny.cfg
    local command more
    for command in info eval latency prune search; do
        more=() && [ $command = prune ] && more=(-policy uniform -keep .5)
        refuse "$command without arguments" "$command: *0 arguments, expected <cfg>" "$command" "${more[@]}"
        refuse "$command with too many arguments" "$command: 3 arguments, expected <cfg>" "$command" a b c "${more[@]}"
        refuse "$command with an unknown option" "$command: -nope is not an option" "$command" cfg/tiny.cfg -nope
        refuse "$command with -hq" "$command: -hq is not an option" "$command" cfg/tiny.cfg -hq
        refuse "$command with a value for a flag" "$command: -json=1 is not an option" "$command" cfg/tiny.cfg -json=1
    done
    refuse 'an option that may be two' 'eval: -t is short for several, expected -top or -threads' eval cfg/tiny.cfg -t 2
    refuse 'an option without its value' 'search: -flops, expected a value' search cfg/tiny.cfg -flops
    refuse 'an option in place of a text' 'prune: -out "-force", expected DIR' \
        prune cfg/tiny.cfg -policy uniform -keep .5 -out -force
    refuse 'an empty text' 'eval: -data "", expected FILE' eval cfg/tiny.cfg -data ''
    refuse 'an unknown set' 'eval: -set valid, expected test, search or train' eval cfg/tiny.cfg -set valid
    refuse 'an unknown reward' 'search: -reward acc, expected err' search cfg/tiny.cfg -reward acc
    refuse 'an unknown agent' 'search: -agent sarsa, expected ddpg or random' search cfg/tiny.cfg -agent sarsa
    refuse 'prune without a policy' 'prune: no -policy' prune cfg/tiny.cfg -keep .5
    refuse 'a policy without a budget' 'expected either -flops R (or another budget) or -keep R' prune cfg/tiny.cfg -policy deep
    refuse 'a policy with two budgets' 'expected either -flops R (or another budget) or -keep R' \
        prune cfg/tiny.cfg -policy deep -flops .5 -keep .5
    refuse 'a policy that knows nothing' '-policy surgeon goes by channels and -criterion obs, expected -reconstruct N' \
        prune cfg/tiny.cfg -policy surgeon -flops .5
    refuse 'a policy that measures, without a budget' '-policy greedy, expected -flops R or another budget and no -keep' \
        prune cfg/tiny.cfg -policy greedy -keep .5
    refuse 'a policy that is no name and no file' '-policy unifrom is not there, expected uniform, shallow' \
        prune cfg/tiny.cfg -policy unifrom -keep .5
}

granularities() {
    refuse 'an unknown granularity' '-granularity filter, expected channel or weight' \
        search cfg/tiny.cfg -granularity filter
    refuse 'an unknown reward' '-reward acc, expected err, flops or params' search cfg/tiny.cfg -reward acc
    refuse 'FLOPs of weights' '-flops is for channels, expected none with -granularity weight*use -params' \
        search cfg/tiny.cfg -granularity weight -flops .5
    refuse 'latency of weights' '-latency is for channels, expected none with -granularity weight*use -params' \
        search cfg/tiny.cfg -granularity weight -latency .5
    refuse 'memory of weights' '-memory is for channels, expected none with -granularity weight*use -params' \
        prune cfg/tiny.cfg -policy uniform -granularity weight -memory .5
    refuse 'rounded weights' '-round is for channels' prune cfg/tiny.cfg -granularity weight -policy uniform -params .5 -round 8
    refuse 'a criterion of channels' '-criterion bn is for channels, expected obs or l1' search cfg/tiny.cfg -granularity weight -criterion bn
    refuse 'obs of weights without images' '-criterion obs takes the images of -reconstruct, expected more than 0' \
        prune cfg/tiny.cfg -granularity weight -policy uniform -params .5 -criterion obs
    refuse 'a reward of FLOPs for weights' '-reward flops is for channels' search cfg/tiny.cfg -granularity weight -reward flops
    refuse 'a drop within a budget' '-max-drop is for searches that shrink' search cfg/tiny.cfg -flops .5 -max-drop 1
    refuse 'two agents' 'search: -paper has an agent of its own' search cfg/tiny.cfg -paper -agent random
    refuse 'an early stop of another reward' 'expected -reward err' search cfg/tiny.cfg -reward params -early-stop .1
    echo '{"granularity": "weight", "groups": []}' >weights.json
    echo '{"groups": []}' >channels.json
    refuse 'weights as channels' 'weights.json: is a policy of weights' prune cfg/tiny.cfg -policy weights.json
    refuse 'channels as weights' 'channels.json: is a policy of channels' \
        prune cfg/tiny.cfg -granularity weight -policy channels.json
}

numbers() {
    local value
    for value in 0 -0 -1 2 1.0001 abc nan inf 1e-400 '' 0.5x; do
        refuse "search -flops '$value'" "search: -flops ${value:-\"\"}, expected a number above 0 and at most 1" \
            search cfg/tiny.cfg -flops "$value"
    done
    for value in 0 1.5 -1 nan; do
        refuse "prune -keep $value" "prune: -keep $value, expected a number above 0 and at most 1" \
            prune cfg/tiny.cfg -policy uniform -keep "$value"
    done
    for value in 0 -1 1e9 1.5 ten nan 99999999999999999999; do
        refuse "search -episodes $value" "search: -episodes $value, expected an integer from 1 to 1000000" \
            search cfg/tiny.cfg -episodes "$value"
    done
    for value in 0 1.5 nan; do
        refuse "search -latency $value" "-latency $value, expected a number above 0 and at most 1" \
            search cfg/tiny.cfg -latency "$value"
        refuse "prune -memory $value" "-memory $value, expected a number above 0 and at most 1" \
            prune cfg/tiny.cfg -policy uniform -memory "$value"
    done
    refuse 'latency -rounds -1' '-rounds -1, expected an integer from 0' latency cfg/tiny.cfg -rounds -1
    refuse 'latency -threads 0' '-threads 0, expected an integer from 1' latency cfg/tiny.cfg -threads 0
    refuse 'latency of a policy that is not there' 'none.json: *' latency cfg/tiny.cfg -policy none.json
    refuse 'search -round 0' '-round 0, expected an integer from 1' search cfg/tiny.cfg -round 0
    refuse 'prune -round -8' '-round -8, expected an integer from 1' \
        prune cfg/tiny.cfg -policy uniform -keep .5 -round -8
    refuse 'search -threads 0' '-threads 0, expected an integer from 1' search cfg/tiny.cfg -threads 0
    refuse 'eval -threads 1e9' '-threads 1e9, expected an integer from 1' eval cfg/tiny.cfg -threads 1e9
    refuse 'search -limit -3' '-limit -3, expected an integer from 0' search cfg/tiny.cfg -limit -3
    refuse 'eval -limit 2.5' '-limit 2.5, expected an integer from 0 to 2147483647' eval cfg/tiny.cfg -limit 2.5
    refuse 'eval -top -1' '-top -1, expected an integer from 0' eval cfg/tiny.cfg -top -1
    refuse 'eval -top 5 of 4 classes' 'cfg/tiny.data: top-5 of 4 classes' eval cfg/tiny.cfg -top 5
    refuse 'search -min-keep 1.5' '-min-keep 1.5, expected a number from 0 to 1' search cfg/tiny.cfg -min-keep 1.5
    refuse 'search -early-stop 0.6' '-early-stop 0.6, expected a number from 0 to 0.5' search cfg/tiny.cfg -early-stop 0.6
    refuse 'search -early-stop -1' '-early-stop -1, expected a number from 0 to 0.5' search cfg/tiny.cfg -early-stop -1
    refuse 'search -warmup -1' '-warmup -1, expected an integer from 0' search cfg/tiny.cfg -warmup -1
    refuse 'search -seed -1' '-seed -1, expected an integer from 0' search cfg/tiny.cfg -seed -1
    refuse 'search -reconstruct -1' '-reconstruct -1, expected an integer from 0' search cfg/tiny.cfg -reconstruct -1
    refuse 'search -calibrate -1' '-calibrate -1, expected an integer from 0' search cfg/tiny.cfg -calibrate -1
    refuse 'search -refit -1' '-refit -1, expected an integer from 0' search cfg/tiny.cfg -refit -1
    refuse 'skip of no number' '-skip 1,x, expected layer numbers' search cfg/tiny.cfg -skip 1,x
    refuse 'skip with a hole' '-skip 1,,2, expected layer numbers' search cfg/tiny.cfg -skip 1,,2
    refuse 'skip of a layer that is not there' 'there is no layer 99, expected 0 to 12' search cfg/tiny.cfg -skip 99
    refuse 'skip of a layer without filters' "cfg/tiny.cfg:$(line_of '[maxpool]' cfg/tiny.cfg): layer 3" \
        prune cfg/tiny.cfg -policy uniform -keep .5 -skip 3
}

budgets() {
    refuse 'an infeasible budget, search' "a budget of 0.50% *can't be met; the smallest reachable is [0-9]*.[0-9][0-9]%" \
        search cfg/tiny.cfg -flops .005
    refuse 'an infeasible budget, prune' "can't be met; the smallest reachable is [0-9]*.[0-9][0-9]%" \
        prune cfg/tiny.cfg -policy deep -flops .0001
    local smallest
    smallest=$("$DARKNET" amc search cfg/tiny.cfg -flops .005 2>&1 | sed -n 's/.*reachable is \([0-9.]*\)%.*/\1/p')
    "$DARKNET" amc prune cfg/tiny.cfg -policy deep -min-keep .1 -flops "$(awk "BEGIN { print $smallest / 100 }")" \
        -out "$work.smallest" >/dev/null 2>"$work.err"
    check 'the smallest reachable budget can be asked for' "$(cat "$work.err")" [ -s "$work.smallest/policy.json" ]
    refuse 'an infeasible budget of parameters' 'a budget of 0.50% of the parameters' search cfg/tiny.cfg -params .005
    refuse 'an infeasible budget of memory' 'a budget of 0.50% of the activation memory can*t be met' \
        search cfg/tiny.cfg -memory .005
    refuse 'an infeasible budget of weights' 'the parameters can*t be met;*of each group*s weights are kept' \
        prune cfg/tiny.cfg -granularity weight -policy uniform -params .01
    refuse 'nothing left to prune' 'no group of channels can be pruned' search cfg/tiny.cfg -skip 0,2,6,8,9
}

cfgs() {
    refuse 'cfg: missing' "nosuch.cfg: can't be opened: No such file" info nosuch.cfg
    refuse 'cfg: a folder' 'cfg: expected a regular file' info cfg
    refuse 'cfg: weights in its place' 'weights/tiny.weights:1: holds a NUL byte' info weights/tiny.weights
    whole_cfg 'empty' 'bad.cfg: the file is empty' </dev/null
    whole_cfg 'blank' 'bad.cfg: holds no section' <<<$'\n\n# nothing'
    whole_cfg 'CRLF' 'bad.cfg:1: holds a carriage return' < <(sed 's/$/\r/' cfg/tiny.cfg)
    whole_cfg 'BOM' 'bad.cfg:1: starts with a byte order mark' < <(printf '\357\273\277'; cat cfg/tiny.cfg)
    whole_cfg 'an option before any section' 'bad.cfg:1: "width=8" stands before any section' \
        < <(echo width=8; cat cfg/tiny.cfg)
    whole_cfg 'another section before [net]' 'bad.cfg:1: the first section is \[softmax], expected \[net]' \
        < <(echo '[softmax]'; cat cfg/tiny.cfg)
    whole_cfg 'no layer' 'bad.cfg: has 0 layers' <<<$'[net]\nwidth=8\nheight=8\nchannels=3'
    whole_cfg 'recurrent' 'bad.cfg:4: \[rnn] is a recurrent layer' <<<$'[net]\ninputs=256\ntime_steps=10\n[rnn]\noutput=9'
    whole_cfg 'lstm' 'bad.cfg:5: \[lstm] is a recurrent layer' \
        <<<$'[net]\nwidth=8\nheight=8\nchannels=3\n[lstm]\noutput=9'

    bad_cfg 'no dimensions' '/^height/d' '[net]' 'has no height, width and channels'
    bad_cfg 'a negative width' 's/^width=.*/width=-8/' 'width=-8' 'expected an integer'
    bad_cfg 'subdivisions=0' 's/^subdivisions=.*/subdivisions=0/' 'subdivisions=0' 'expected an integer'
    bad_cfg 'batch < subdivisions' 's/^subdivisions=.*/subdivisions=32/' 'batch=16' 'multiple of subdivisions=32'
    bad_cfg 'a learning-rate policy unknown' 's/^policy=.*/policy=cyclic/' 'policy=cyclic' 'expected constant'
    bad_cfg 'steps without scales' 's/^policy=.*/policy=steps\nsteps=10,20/' 'policy=steps' 'as many steps= as scales='
    bad_cfg 'more steps than scales' 's/^policy=.*/policy=steps\nsteps=10,20\nscales=.1/' 'policy=steps' \
        'as many steps= as scales='
    bad_cfg 'an unknown layer' 's/^\[dropout\]/[dropuot]/' '[dropuot]' '\[dropuot] is not a layer'
    bad_cfg 'a layer that is not supported' 's/^\[softmax\]/[iseg]/' '[iseg]' '\[iseg] is not supported'
    bad_cfg 'filters that no yolo can read' 's/^\[softmax\]/[yolo]/' '[yolo]' '\[yolo] reads 4 channels, expected 25'
    bad_cfg 'a section without its end' 's/^\[softmax\]/[softmax/' '[softmax' 'expected a section'
    bad_cfg 'no key=value' 's/^from=-2/from -2/' 'from -2' 'expected key=value'
    bad_cfg 'an unknown activation' 's/^activation=relu/activation=rleu/' 'activation=rleu' 'expected one that Darknet has'
    bad_cfg 'negative filters' 's/filters=8/filters=-8/' 'filters=-8' 'expected an integer'
    bad_cfg 'filters that are no number' 's/filters=8/filters=x/' 'filters=x' 'expected an integer'
    bad_cfg 'far too many filters' 's/filters=8/filters=99999999999/' 'filters=99999999999' 'expected an integer'
    bad_cfg 'stride=0' 's/stride=2/stride=0/' 'stride=0' 'expected an integer'
    bad_cfg 'groups=0' 's/groups=12/groups=0/' 'groups=0' 'expected an integer'
    bad_cfg 'groups that do not divide' 's/groups=12/groups=5/' 'groups=5' 'expected a divisor'
    bad_cfg 'a filter larger than its input' 's/size=1$/size=31/' 'size=31' 'larger than its padded input'
    bad_cfg 'a shortcut without from' '/^from=/d' '[shortcut]' 'has no from='
    bad_cfg 'a shortcut from far before' 's/^from=.*/from=-20/' 'from=-20' 'names no earlier layer, expected 0 to 4'
    bad_cfg 'a shortcut from itself' 's/^from=.*/from=5/' 'from=5' 'names no earlier layer'
    bad_cfg 'a route without layers' '/^layers=/d' '[route]' 'has no layers='
    bad_cfg 'a route from far before' 's/^layers=.*/layers=-1,-9/' 'layers=-1,-9' 'names no earlier layer'
    bad_cfg 'a route from a later layer' 's/^layers=.*/layers=-1,9/' 'layers=-1,9' 'names no earlier layer'
    sed 's/^layers=.*/layers=-1,0/' cfg/tiny.cfg >bad.cfg
    refuse 'cfg: a convolution of a route of two sizes' 'bad.cfg:[0-9]*: *works on images' info bad.cfg
    bad_cfg 'flipped weights' 's/^output=4/output=4\nflipped=1/' 'flipped=1' 'is not supported'
}

weights() {
    local bytes
    bytes=$(stat -c %s weights/tiny.weights)
    refuse 'weights: missing' "nosuch.weights: can't be opened: No such file" eval cfg/tiny.cfg nosuch.weights
    refuse 'weights: a folder' 'weights: expected a regular file' eval cfg/tiny.cfg weights
    mv weights/tiny.weights kept
    refuse 'weights: missing where they are looked for' "weights/tiny.weights: can't be opened; expected it there" \
        search cfg/tiny.cfg
    mv kept weights/tiny.weights

    : >bad.weights
    refuse 'weights: empty' 'bad.weights: is 0 bytes long, expected' eval cfg/tiny.cfg bad.weights
    head -c 7000 weights/tiny.weights >bad.weights
    refuse 'weights: short' \
        "bad.weights: is 7000 bytes long, expected $bytes for cfg/tiny.cfg; it runs out in the weights of layer 4" \
        info cfg/tiny.cfg bad.weights
    head -c -4 weights/tiny.weights >bad.weights
    refuse 'weights: one number short' "bad.weights: is $((bytes - 4)) bytes long, expected $bytes *of layer 11 (connected)" \
        prune cfg/tiny.cfg bad.weights -policy uniform -keep .5
    head -c -1 weights/tiny.weights >bad.weights
    refuse 'weights: one byte short' "bad.weights: is $((bytes - 1)) bytes long, expected $bytes" \
        search cfg/tiny.cfg bad.weights
    { cat weights/tiny.weights && printf abc; } >bad.weights
    refuse 'weights: over-long' "bad.weights: is $((bytes + 3)) bytes long, expected $bytes *3 bytes are left over" \
        eval cfg/tiny.cfg bad.weights
    # Layer 11's last weight; then layer 0's first bias.
    { head -c -4 weights/tiny.weights && printf '\000\000\300\177'; } >bad.weights
    refuse 'weights: a NaN' 'bad.weights: the weights of layer 11 (connected) hold a NaN' eval cfg/tiny.cfg bad.weights
    { head -c 20 weights/tiny.weights && printf '\000\000\200\377' && tail -c +25 weights/tiny.weights; } >bad.weights
    refuse 'weights: an infinity' 'bad.weights: the biases of layer 0 (convolutional) hold a NaN or an infinity' \
        eval cfg/tiny.cfg bad.weights
    { printf '\377\377\377\377' && tail -c +5 weights/tiny.weights; } >bad.weights
    refuse 'weights: of no version' 'bad.weights: has version -1.2, expected a .weights file' \
        eval cfg/tiny.cfg bad.weights
    rm bad.weights
}

detectors() {
    sed 's/^\[softmax\]/[region]\nclasses=0\ncoords=3/' cfg/tiny.cfg >bad.cfg
    for command in eval search; do
        refuse "$command of a detector" 'bad.cfg: ends in a \[region] layer; accuracy is that of classifiers' \
            $command bad.cfg weights/tiny.weights -data cfg/tiny.data
    done
    refuse 'a detector, before its weights are asked for' 'bad.cfg: ends in a \[region] layer' search bad.cfg
    sed 's/^\[softmax\]/[softmax]\ntree=nosuch.tree/' cfg/tiny.cfg >bad.cfg
    refuse 'eval with a tree of classes' "bad.cfg:$(line_of tree=nosuch.tree bad.cfg): \[softmax] has a tree of classes" \
        eval bad.cfg weights/tiny.weights -data cfg/tiny.data
    rm bad.cfg
    refuse 'another criterion' '-criterion taylor, expected obs, lasso, bn, l1, l2 or random' \
        prune cfg/tiny.cfg -policy uniform -keep .5 -criterion taylor
    refuse 'a limit on nothing' '-limit 3 with -policy uniform, expected it with fp or greedy' \
        prune cfg/tiny.cfg -policy uniform -keep .5 -limit 3
    refuse 'one image to calibrate on' '-calibrate 1, expected at least 2 images, or 0' \
        prune cfg/tiny.cfg -policy uniform -keep .5 -calibrate 1
    refuse 'a share of no teacher' '-teacher-share 0.4 without -teacher' finetune cfg/tiny.cfg -teacher-share .4
    refuse 'obs without images' '-criterion obs takes the images of -reconstruct, expected more than 0' \
        prune cfg/tiny.cfg -policy uniform -keep .5 -criterion obs
    refuse 'another criterion in a search' '-criterion taylor, expected' search cfg/tiny.cfg -criterion taylor
    refuse 'a share that rounding does not allow' "can't be cut to 0.25 of its channels: * is the least" \
        prune cfg/tiny.cfg -policy uniform -keep .25 -round 8
}

data() {
    refuse 'data: missing' "nosuch.data: can't be opened; expected the .data file there, or its path after -data" eval cfg/tiny.cfg -data nosuch.data
    refuse 'data: missing, search' "nosuch.data: can't be opened" search cfg/tiny.cfg -data nosuch.data
    refuse 'data: missing, prune' "nosuch.data: can't be opened" \
        prune cfg/tiny.cfg -policy uniform -keep .5 -data nosuch.data
    cp cfg/tiny.cfg cfg/other.cfg
    refuse 'data: missing beside the cfg' "cfg/other.data: can't be opened" eval cfg/other.cfg weights/tiny.weights
    rm cfg/other.cfg
    refuse 'data: a folder' 'cfg: expected a regular file' eval cfg/tiny.cfg -data cfg
    bad_data 'empty' d 'bad.data: has no classes='
    bad_data 'CRLF' 's/$/\r/' 'bad.data:1: holds a carriage return'
    bad_data 'BOM' '1s/^/\xef\xbb\xbf/' 'bad.data:1: starts with a byte order mark'
    bad_data 'no key=value' 's/^labels=/labels /' 'bad.data:5: labelslabels.txt, expected key=value'
    bad_data 'no classes=' '/^classes/d' 'bad.data: has no classes='
    bad_data 'no labels=' '/^labels/d' 'bad.data: has no labels='
    bad_data 'no valid=' '/^valid/d' 'bad.data: has no valid='
    bad_data 'no train= and no search=' '/^train/d;/^search/d' 'bad.data: has no train=' -set search
    bad_data 'no train=' '/^train/d' 'bad.data: has no train=' -set train
    bad_data 'classes that are no number' 's/^classes=.*/classes=four/' 'bad.data:1: classes=four, expected'
    bad_data 'classes=0' 's/^classes=.*/classes=0/' 'bad.data:1: classes=0, expected'
    bad_data 'other classes than outputs' 's/^classes=.*/classes=3/' \
        'cfg/tiny.cfg: has 4 outputs, expected 3 (classes= in bad.data)'
    bad_data 'top of more classes' 's/^top=.*/top=5/' 'bad.data: top=5, expected at most classes=4'
    bad_data 'a list that is missing' 's/^valid=.*/valid=nosuch.list/' "nosuch.list: can't be opened"
    bad_data 'a folder for a list' 's/^valid=.*/valid=images/' 'images: expected a regular file'
    bad_data 'labels that are missing' 's/^labels=.*/labels=nosuch.txt/' "nosuch.txt: can't be opened"
    bad_data 'search images that are trained on' 's/^search *=.*/search=train.list/' \
        'train.list:1: *train0_red.ppm is in train.list too' -set search
    ln -s test.list ./linked.list
    bad_data 'the test set for the search' 's/^search *=.*/search=linked.list/; s/^valid.*/valid=test.list/' \
        'bad.data: search= and valid= name the same list' -set search
    rm linked.list
    head -3 labels.txt >few.txt
    bad_data 'too few labels' 's/^labels=.*/labels=few.txt/' 'few.txt: holds 3 labels, expected 4'
    sed 's/$/\r/' labels.txt >few.txt
    bad_data 'labels with CRLF' 's/^labels=.*/labels=few.txt/' 'few.txt:1: holds a carriage return'
    rm few.txt
    sed 's/^channels=.*/channels=1/; s/^groups=12/groups=12/' cfg/tiny.cfg >gray.cfg
    "$DARKNET" amc info gray.cfg >/dev/null || not_ok 'data: a network for gray images' 'info refuses it'
    # Two of three input channels out of the first layer's weights, which follow the header and 4 x 12 floats.
    { head -c $((20 + 4 * 12 * 4)) && tail -c +$((12 * 9 * 2 * 4 + 1)); } <weights/tiny.weights >gray.weights
    refuse 'data: a network for gray images' 'gray.cfg: channels=1, expected 3' \
        eval gray.cfg gray.weights -data cfg/tiny.data
    rm gray.cfg gray.weights

    bad_list 'an empty list' 'bad.list: holds no image' </dev/null
    bad_list 'a blank list' 'bad.list: holds no image' <<<$'\n  \n'
    bad_list 'a list with CRLF' 'bad.list:1: holds a carriage return' < <(sed 's/$/\r/' test.list)
    bad_list 'an image that is missing' "bad.list:2: the image nosuch_red.ppm can't be read: No such file" \
        < <(head -1 test.list; echo nosuch_red.ppm)
    bad_list 'a path without label' 'bad.list:2: images/odd.ppm contains no label of labels.txt' \
        < <(head -1 test.list; echo images/odd.ppm)
    bad_list 'a path with two labels' 'bad.list:2: a_red.b_blue.ppm contains 2 labels of labels.txt ("_red.", "_blue.")' \
        < <(head -1 test.list; echo a_red.b_blue.ppm)
    mkdir folder_red.ppm
    bad_list 'a folder for an image' "bad.list:1: the image folder_red.ppm can't be read" <<<folder_red.ppm
    rmdir folder_red.ppm
    : >bad_red.ppm
    bad_list 'an empty image' "bad.list:1: the image bad_red.ppm can't be read" <<<bad_red.ppm
    head -c 100 images/test0_red.ppm >bad_red.ppm
    bad_list 'a truncated image' "bad.list:1: the image bad_red.ppm can't be read" <<<bad_red.ppm
    echo 'no image' >bad_red.ppm
    bad_list 'a file that is no image' "bad.list:1: the image bad_red.ppm can't be read" <<<bad_red.ppm
    printf 'P6 99999 99999 255\nabc' >bad_red.ppm
    bad_list 'an image of absurd size' "bad.list:1: the image bad_red.ppm can't be read" <<<bad_red.ppm
    damaged_images
    # The same under a search, which by then has looked at its output folder.
    echo bad_red.ppm >bad.list
    sed 's/^search *=.*/search=bad.list/' cfg/tiny.data >bad.data
    refuse 'search: an unreadable image' "bad.list:1: the image bad_red.ppm can't be read" \
        search cfg/tiny.cfg -data bad.data -out new/folder
    sed 's/^train *=.*/train=bad.list/' cfg/tiny.data >bad.data
    refuse 'search: an unreadable training image' "bad.list:1: the image bad_red.ppm can't be read" \
        search cfg/tiny.cfg -data bad.data -out new/folder -quiet
    refuse 'prune -calibrate: an unreadable training image' "bad.list:1: the image bad_red.ppm can't be read" \
        prune cfg/tiny.cfg -policy uniform -keep .5 -calibrate 4 -data bad.data -quiet
    head -9 train.list >bad.list
    sed '/^search/d; s/^train *=.*/train=bad.list/' cfg/tiny.data >bad.data
    refuse 'search: too few images to hold any out' 'bad.list: holds 9 images, expected at least 10' \
        search cfg/tiny.cfg -data bad.data -out new/folder
    rm bad_red.ppm bad.list bad.data
}

policies() {
    echo '{"groups": [' >bad.json
    refuse 'policy: bad JSON' 'bad.json:2: is not JSON' prune cfg/tiny.cfg -policy bad.json
    echo '{"groups": []} {' >bad.json
    refuse 'policy: more than JSON' 'bad.json:1: is not JSON' prune cfg/tiny.cfg -policy bad.json
    : >bad.json
    refuse 'policy: empty' 'bad.json:1: is not JSON' prune cfg/tiny.cfg -policy bad.json
    echo '[1, 2]' >bad.json
    refuse 'policy: no groups' 'bad.json: holds no "groups"' prune cfg/tiny.cfg -policy bad.json
    echo '{"network": "cfg/other.cfg", "groups": [{"layers": [99], "ratio": 0.5}]}' >bad.json
    refuse 'policy: of another network' 'bad.json: "layers": \[99], expected *; the policy is of cfg/other.cfg)' \
        prune cfg/tiny.cfg -policy bad.json
    rm bad.json
    refuse 'policy: a folder' 'cfg: expected a regular file' prune cfg/tiny.cfg -policy cfg
    refuse 'policy: a file and a budget' 'expected no budget, no -keep and no -min-keep' \
        prune cfg/tiny.cfg -policy cfg/tiny.cfg -flops .5
    bad_policy 'no layers' 'bad.json: a group has no "layers"' '{"ratio": 0.5}'
    bad_policy 'a layer that is not there' 'bad.json: "layers": \[99], expected the layers of one channel group' \
        '{"layers": [99], "ratio": 0.5}'
    bad_policy 'a layer without filters' 'bad.json: "layers": \[3]' '{"layers": [3], "ratio": 0.5}'
    bad_policy 'a layer that is no number' 'bad.json: "layers": \["0"]' '{"layers": ["0"], "ratio": 0.5}'
    bad_policy 'layers of two groups' 'bad.json: "layers": \[0,6]' '{"layers": [0, 6], "ratio": 0.5}'
    bad_policy 'a group twice' 'bad.json: the group of layer 6 stands there twice' \
        '{"layers": [6], "ratio": 0.5}, {"layers": [6], "ratio": 0.5}'
    bad_policy 'a layer that cannot be pruned' "bad.json: layer 11 can't be pruned: read by layer 12 (softmax)" \
        '{"layers": [11], "ratio": 0.5}'
    bad_policy 'no ratio and no channels' 'bad.json: the group of layer 6 has neither' '{"layers": [6]}'
    bad_policy 'a ratio of 0' 'bad.json: the group of layer 6 has ratio 0, expected' '{"layers": [6], "ratio": 0}'
    bad_policy 'a ratio of 2' 'bad.json: the group of layer 6 has ratio 2, expected' '{"layers": [6], "ratio": 2}'
    bad_policy 'a ratio that is a text' 'bad.json: the group of layer 6 has a ratio that is no number' '{"layers": [6], "ratio": ".5"}'
    bad_policy 'no channel' 'bad.json: the group of layer 6 keeps no channel' '{"layers": [6], "channels": []}'
    bad_policy 'a channel that is not there' 'keeps channel 8, expected 0 to 7' '{"layers": [6], "channels": [1, 8]}'
    bad_policy 'a negative channel' 'keeps channel -1, expected 0 to 7' '{"layers": [6], "channels": [-1]}'
    bad_policy 'half a channel' 'keeps channel 1.5, expected 0 to 7' '{"layers": [6], "channels": [1.5]}'
    bad_policy 'a channel twice' 'keeps channel 1 twice' '{"layers": [6], "channels": [1, 1]}'
}

outputs() {
    local prune='prune cfg/tiny.cfg -policy uniform -keep .5' search='search cfg/tiny.cfg -episodes 2'
    : >file
    local command
    for command in "$prune" "$search"; do
        # shellcheck disable=SC2086 # words on purpose
        {
            refuse "${command%% *}: output below a file" 'file/below: the folder can*: Not a directory' $command -out file/below
            refuse "${command%% *}: output that is a file" 'file: expected a folder' $command -out file
            refuse "${command%% *}: output where nothing can be made" "/proc/amc: the folder can't be made" \
                $command -out /proc/amc/tiny
            refuse "${command%% *}: a folder name that is too long" "the folder can't be made: File name too long" \
                $command -out "new/$(printf 'x%.0s' {1..300})"
        }
    done
    mkdir readonly && chmod 555 readonly
    # shellcheck disable=SC2086
    [ "$(id -u)" = 0 ] || refuse 'output without permission' 'readonly: *Permission denied' $prune -out readonly
    rmdir readonly
    rm file

    # shellcheck disable=SC2086
    (
        ulimit -f 1 # KiB in a file: enough for the .cfg
        refuse 'a disk that fills up' "tiny-amc.weights: can't be written: File too large" $prune -out new/folder
    )

    mkdir old
    # shellcheck disable=SC2086
    {
        "$DARKNET" amc $prune -out old >/dev/null || not_ok 'a first result' 'prune failed'
        refuse 'prune: a result that is there' 'old/tiny-amc.weights: a result is there already' $prune -out old
        refuse 'search: a result that is there' 'a result is there already; expected -force' $search -out old/
        refuse 'prune -force: bad input' "can't be met" prune cfg/tiny.cfg -policy deep -flops .0001 -force -out old
        refuse 'search -force: bad input' "nosuch.data: can't be opened" $search -data nosuch.data -force -out old
        (
            ulimit -f 1
            refuse 'prune -force: a disk that fills up' "tiny-amc.weights: can't be written" $prune -force -out old
        )
        rm old/policy.json && mkdir old/policy.json
        refuse 'prune -force: a folder in the way' 'old/policy.json: expected a regular file to replace' \
            $prune -force -out old
    }
    rm -r old

    "$DARKNET" amc info cfg/tiny.cfg >/dev/full 2>"$work.err"
    check 'stdout that is full' "exit status $?, $(cat "$work.err")" \
        grep -qx "amc: the output can't be written: No space left on device" "$work.err"
}

fixture_make 16 16 16
options
granularities
numbers
budgets
cfgs
weights
detectors
data
policies
outputs
