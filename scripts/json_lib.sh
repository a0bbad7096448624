# shellcheck shell=bash
# What the scripts that read the program's -json share; to be sourced from the repository's root.

shopt -s inherit_errexit # what fails inside $(...) ends the script too

# The number that a key has in the JSON on stdin: of several, the first.
number() { sed -n "s/.*\"$1\":[[:space:]]*\([-0-9.e+]*\).*/\1/p" | head -n 1; }

# accuracy_of CFG WEIGHTS DATA SET: top-1 on those images, as a share.
accuracy_of() { bin/darknet amc eval "$1" "$2" -data "$3" -set "$4" -json | number top1; }
