#!/usr/bin/env bash
# Prints the manual page darknet-amc(1). What it says of commands and options is what -h says, so it can't be out of
# date.
#
#   scripts/man.sh [DARKNET]      (bin/darknet)
set -euo pipefail

readonly darknet=${1:-bin/darknet}

# Text in which roff finds no commands.
escape() { sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^\([.']\)/\\\\\&\1/"; }

# name<TAB>summary of each command.
commands() { "$darknet" amc help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\)  *\(.*\)/\1\t\2/p'; }

# The options of -h on stdin.
options() {
    sed -nE 's/^  (-[a-z-]+)( [A-Z][^ ]*)? +(.*)$/\1\t\2\t\3/p' | escape | awk -F'\t' '{
        printf ".TP\n.B %s\n%s\n", $1 ($2 ? "\n.RI" $2 : ""), $3 }' | sed -e '/^\.B /{N;s/^\.B \(.*\)\n\.RI \(.*\)/.BI \1\\ \2/}'
}

command_section() { # name
    local help
    help=$("$darknet" amc "$1" -h)
    printf '.SS %s\n' "$(sed -n '1s/^usage: //p' <<<"$help" | escape)"
    sed -n '3,/^$/p' <<<"$help" | sed '/^$/d' | escape
    sed -n '/^options:/,$p' <<<"$help" | options
}

cat <<'PAGE'
.TH DARKNET-AMC 1 "" "AMC for Darknet" "User commands"
.SH NAME
darknet\-amc \- prune networks that were trained with Darknet
.SH SYNOPSIS
.B darknet amc
.I command
.I cfg
.RI [ weights ]
.RI [ options ]
.SH DESCRIPTION
.B darknet amc
makes networks smaller and faster. An agent decides, layer by layer, how many channels to keep, so that accuracy on
held\-out training images is best within a budget (AMC: AutoML for Model Compression, He et al. 2018). The result is
a .cfg and a .weights file that any Darknet reads.
.PP
All other commands of
.B darknet
work as before.
.SH COMMANDS
PAGE
commands | while IFS=$'\t' read -r name summary; do
    printf '.TP\n.B %s\n%s\n' "$name" "$(escape <<<"$summary")"
done
echo '.SH OPTIONS'
commands | while IFS=$'\t' read -r name _; do command_section "$name"; done
cat <<'PAGE'
.SH FILES
Of
.IR cfg/mine.cfg :
.TP
.I cfg/mine.data
classes=, train=, valid=, labels=, backup= as for Darknet, and search=, the list of held\-out training images that plans
are scored on. Without it a tenth of train= is held out.
.TP
.I weights/mine.weights
the weights, where no others are given; else those beside the .cfg.
.TP
.I amc\-out/mine/
what
.B search
and
.B prune
leave: mine\-amc.cfg, mine\-amc.weights, policy.json (what is kept), result.json (what \-json prints), and of searches
episodes.csv (every plan that was tried) and checkpoint, by which \-resume goes on;
.B report
adds report.html and pictures,
.B finetune
mine\-amc\-finetuned.weights.
.TP
.I ~/.cache/darknet\-amc/
(or $XDG_CACHE_HOME) how long layers take on this processor, for \-latency.
.SH ENVIRONMENT
.TP
.B AMC_STOCK
With 1, Darknet's own kernels compute.
.TP
.B OMP_NUM_THREADS
Threads of Darknet's own commands.
.SH EXIT STATUS
.TP
.B 0
done, or a search that Ctrl\-C ended early with its best network written
.TP
.B 1
bad input or usage, said in one sentence on stderr, or fine-tuning that was interrupted; what was there is as it was
.TP
.B 2
Darknet stopped
.SH EXAMPLES
.nf
darknet amc search cfg/mine.cfg
darknet amc search cfg/mine.cfg \-flops 0.3 \-finetune 30
darknet amc prune cfg/mine.cfg \-policy uniform \-flops 0.5 \-reconstruct 2000 \-calibrate 256 \-refit 3000
darknet amc report amc\-out/mine
.fi
PAGE
