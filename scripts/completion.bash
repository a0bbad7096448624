# shellcheck shell=bash
# Completion for bash of `darknet amc`: commands, and their options as -h lists them.

_darknet_amc() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[2]:-} words
    COMPREPLY=()
    [ "${COMP_WORDS[1]}" = amc ] || [ "$COMP_CWORD" = 1 ] || return 0
    if [ "$COMP_CWORD" = 1 ]; then
        words='amc classifier detector yolo'
    elif [ "$COMP_CWORD" = 2 ] || { [ "$COMP_CWORD" = 3 ] && [ "$command" = help ]; }; then
        words=$("${COMP_WORDS[0]}" amc help 2>/dev/null | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
    elif [ "$previous" = -policy ] && [ "$command" = prune ]; then
        words='uniform shallow deep random fp greedy surgeon'
    elif [ "$previous" = -agent ]; then
        words='ddpg random'
    elif [ "$previous" = -set ]; then
        words='test search train'
    elif [ "$previous" = -granularity ]; then
        words='channel weight'
    elif [ "$previous" = -reward ]; then
        words='err flops params'
    elif [ "$previous" = -criterion ]; then
        words='obs lasso bn l1 l2 random'
    elif [[ $word == -* ]]; then
        words=$("${COMP_WORDS[0]}" amc "$command" -h 2>/dev/null | sed -nE 's/^  (-[a-z-]+) .*/\1/p')
    fi
    mapfile -t COMPREPLY < <(compgen -W "${words:-}" -- "$word")
}
# Where no word fits, files.
complete -o default -F _darknet_amc darknet
