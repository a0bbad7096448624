#!/usr/bin/env bash
# Fills the submodule darknet/ with Darknet's source at the pinned commit.
#
# From upstream by git where that can be reached, else from Debian's source package, which holds the same files. The
# commit is then rebuilt around those files, and git's own hash of it proves that nothing differs from upstream.
# Silent when darknet/ is already there. Everything is made in a temporary folder and moved in at the end, so an
# interrupted run leaves nothing behind and can simply be repeated.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly COMMIT=61c9d02ec461e30d55762ec7669d6a1d3c356fb2
readonly TREE=2b3b5d8f4f7f5951ddcc609fe840ef18ecc9c711
readonly PARENT=810d7f797bdb2f021dbe65d2524c2ff6b8ab5c8b
readonly WHO='Joseph Redmon <pjreddie@gmail.com> 1536937400 -0700'
readonly MESSAGE='guys one of my beehives died :-( :bee: :skull:'

say() { printf 'get_darknet: %s\n' "$*" >&2; }
fail() {
    say "$*"
    exit 1
}

# darknet/ is looked at as a repository of its own: without its .git, git would answer for the repository around it.
# Only a name is read, so another user's checkout (a container's mounted folder) is no danger.
is_there() {
    [ -e darknet/.git ] && [ -f darknet/include/darknet.h ] &&
        [ "$(git -c safe.directory='*' -C darknet rev-parse --verify -q HEAD)" = "$COMMIT" ]
}

# Whether this is a clone with the submodule recorded in it, and not, say, an unpacked archive of the project.
is_submodule() {
    [ "$(git rev-parse --show-prefix 2>/dev/null)" = '' ] && git ls-files -s darknet 2>/dev/null | grep -q '^160000 '
}

upstream_url() {
    git config submodule.darknet.url 2>/dev/null || git config -f .gitmodules submodule.darknet.url
}

# ---- from upstream -------------------------------------------------------------------------------------------------

# The short question first: a network that swallows packets must not hold a user up for minutes.
get_by_git() {
    export GIT_TERMINAL_PROMPT=0
    timeout 15 git ls-remote "$(upstream_url)" HEAD >/dev/null 2>&1 || return 1
    if is_submodule; then
        timeout 600 git submodule --quiet update --init darknet
    else
        timeout 600 git clone --quiet --no-checkout "$(upstream_url)" "$tmp/darknet" &&
            git -C "$tmp/darknet" checkout --quiet "$COMMIT" && move_in
    fi
}

# ---- from Debian's source package ----------------------------------------------------------------------------------

# The machine's own Debian mirror, as 'URI release component' (main of the release itself, not its updates).
debian_mirror() {
    # shellcheck disable=SC2016  # the $(…) are apt's own placeholders
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk '/^(Debian [^ ]+ [a-z]+ main|Ubuntu [^ ]+ [a-z]+ universe)$/ && !n++ { print $2, $3, $4 }'
}

# Runs apt-get on source lists and a cache of our own: the user's lists stay as they are, and root isn't needed.
private_apt_get() {
    apt-get -qq -oDir::Etc::sourcelist="$tmp/src.list" -oDir::Etc::sourceparts=/dev/null \
        -oDir::State::Lists="$tmp/lists" -oDir::Cache="$tmp/cache" -oAPT::Sandbox::User="$(id -un)" \
        -oAcquire::Languages=none "$@"
}

download_from_debian() {
    local mirror
    mirror=$(debian_mirror)
    [ -n "$mirror" ] || fail "Debian's package lists are empty: run 'apt-get update' as root, then this again"
    mkdir -p "$tmp/lists/partial" "$tmp/cache/archives/partial"
    printf 'deb-src %s\n' "$mirror" >"$tmp/src.list"
    private_apt_get update && (cd "$tmp" && private_apt_get source --download-only darknet)
}

# The commit of upstream, made again from its files: the same bytes have the same id, anything else is refused.
# Its history isn't in the package, hence .git/shallow, which tells git that the history ends here.
rebuild_commit() {
    local dir=$1 git=(git -c core.autocrlf=false -c core.excludesFile=/dev/null -c core.attributesFile=/dev/null -C "$1")
    "${git[@]}" -c init.defaultBranch=master init --quiet --template=
    "${git[@]}" add -A -f
    [ "$("${git[@]}" write-tree)" = "$TREE" ] || return 1
    printf 'tree %s\nparent %s\nauthor %s\ncommitter %s\n\n%s\n' "$TREE" "$PARENT" "$WHO" "$WHO" "$MESSAGE" \
        >"$dir.commit"
    [ "$("${git[@]}" hash-object -t commit -w --stdin <"$dir.commit")" = "$COMMIT" ] || return 1
    printf '%s\n' "$COMMIT" >"$dir/.git/shallow"
    "${git[@]}" update-ref --no-deref HEAD "$COMMIT"
    "${git[@]}" checkout --quiet --detach "$COMMIT"
    "${git[@]}" remote add origin "$(upstream_url)"
}

get_from_debian() {
    command -v apt-get >/dev/null ||
        fail "$(upstream_url) can't be reached, and this is no Debian to take the source from instead"
    download_from_debian || fail "neither $(upstream_url) nor Debian's source package of darknet can be reached"
    mkdir "$tmp/darknet"
    tar -xf "$tmp"/darknet_*.orig.tar.* -C "$tmp/darknet" --strip-components=1 --no-same-owner
    rebuild_commit "$tmp/darknet" || fail "Debian's source package isn't Darknet's commit $COMMIT"
    move_in
}

# ---- both ----------------------------------------------------------------------------------------------------------

# Replaces the empty folder that a clone without --recursive leaves; one with anything in it is the user's, and stays.
move_in() {
    mv -T "$tmp/darknet" darknet 2>/dev/null || is_there ||
        fail "darknet/ is neither empty nor at commit $COMMIT: move it away, then run this again"
    if is_submodule; then
        git submodule --quiet init darknet
        git submodule --quiet absorbgitdirs darknet >/dev/null 2>&1 || : # tidier, but it works where it is too
    fi
}

# The temporary folder must share the file system of darknet/ (a move is then one step) and be unseen by git.
# What a killed run left an hour ago or more goes too.
make_tmp() {
    local parent
    parent=$(git rev-parse --absolute-git-dir 2>/dev/null) || parent=$PWD
    find "$parent" -maxdepth 1 -name 'get_darknet.??????' -mmin +60 -exec rm -rf {} +
    tmp=$(mktemp -d "$parent/get_darknet.XXXXXX")
    trap 'rm -rf "$tmp"' EXIT
    trap 'exit 130' INT TERM HUP
}

main() {
    command -v git >/dev/null || fail 'git is needed, and is not installed'
    # In a hook, git's variables point at the repository around darknet/.
    # shellcheck disable=SC2046  # a list of names
    unset $(git rev-parse --local-env-vars)
    is_there && return
    make_tmp
    get_by_git || get_from_debian
    is_there || fail "darknet/ is not at commit $COMMIT: move it away, then run this again"
}

main "$@"
