#!/bin/sh
# Where a machine lacks what make needs, make reruns itself in the toolbox: a container of known
# content (toolbox.Dockerfile), with the clone at the same path and the engine's socket.
#   toolbox.sh find_reason  prints why the toolbox is needed, and nothing where it is not
#   toolbox.sh run          runs make there for the goals in $GOALS
# POSIX sh with BusyBox's or macOS's commands: such machines have no bash, Python or GNU tools.
set -euf
cd "$(dirname "$0")/.."
ROOT=$(pwd -P)
SOCKET=/var/run/docker.sock
PROXIES="http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY"
VARIABLES="NAME PORT CONFIG STACK ADOPT REGION HOSTS FOLLOW HOST_CPUS HOST_MEMORY CI TERM OSV_URL
    TIMESERVICE_TIME_SERVER TIMESERVICE_INSTALL_SECONDS TIMESERVICE_STARTED
    PIP_INDEX_URL PIP_EXTRA_INDEX_URL UV_INDEX_URL UV_DEFAULT_INDEX NPM_CONFIG_REGISTRY
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_REGION AWS_DEFAULT_REGION
    all_proxy ALL_PROXY $PROXIES"
CERTIFICATES="/etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem"

die() {
    printf '\nerror: %s\n' "$*" >&2
    exit 1
}

find_endpoint() {
    docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null || echo "${DOCKER_HOST:-unix://$SOCKET}"
}

find_reason() {
    case ${TOOLBOX:-} in
    0) echo "  on this machine: TOOLBOX=0" >&2 && return ;;
    1) echo "TOOLBOX=1" && return ;;
    inside) return ;;
    esac
    # shellcheck source=/dev/null
    system=$(. "${OS_RELEASE:-/etc/os-release}" 2>/dev/null && echo "${ID:-} ${VERSION_ID:-}") || system=$(uname -s)
    case $system in
    "debian 12" | "debian 13") ;;
    *) echo "this is $system, not Debian 12 or 13" && return ;;
    esac
    [ "$(id -u)" = 0 ] && sudo='' || sudo=sudo
    for tool in bash python3 apt-get $sudo; do
        command -v "$tool" >/dev/null || { echo "no $tool is installed" && return; }
    done
    # Without an engine, make up installs one. Some clients then print nothing and succeed.
    engine=$(docker info --format '{{.Name}}' 2>/dev/null) && [ -n "$engine" ] || return 0
    [ "$engine" = "$(uname -n)" ] || { echo "the Docker engine runs on $engine" && return; }
    # Python ignores docker's contexts.
    endpoint=$(find_endpoint)
    [ -n "${DOCKER_HOST:-}" ] || [ "$endpoint" = "unix://$SOCKET" ] || echo "docker's context is $endpoint"
}

# find_socket: prints the path of the engine's socket on the engine's machine.
find_socket() {
    why=$(docker version 2>&1 >/dev/null) || die "make needs a Docker engine here: $REASON. Start one, or let this" \
        "user use it (group docker, or sudo make). docker reports: $why"
    case $(docker info --format '{{.OperatingSystem}} {{.SecurityOptions}}') in
    *rootless*) die "this engine is rootless, and hosts need one that runs as root: unset DOCKER_HOST; docker context use default" ;;
    "Docker Desktop"*) echo "$SOCKET" && return ;;
    esac
    endpoint=$(find_endpoint)
    case $(uname -s)$endpoint in
    Linuxunix://*) echo "${endpoint#unix://}" ;;
    # The engine of a virtual machine has its socket at the usual path there.
    *unix://* | *npipe://* | *tcp://127.* | *tcp://localhost:*) echo "$SOCKET" ;;
    *) die "the Docker engine is at $endpoint, and this clone is not. Run make there, or use an engine of this" \
        "machine: unset DOCKER_HOST; docker context use default" ;;
    esac
}

build() {
    echo "  making the toolbox's image, once" >&2
    set -- --tag "$image"
    for name in $PROXIES; do set -- "$@" --build-arg "$name"; done
    docker build --network host --force-rm "$@" - <scripts/toolbox.Dockerfile >&2 ||
        die "the toolbox's image cannot be made; the reason is above. It needs the image debian:trixie-slim, from a" \
            "registry or by docker load, and packages from deb.debian.org"
}

run() {
    export TIMESERVICE_STARTED="${TIMESERVICE_STARTED:-$(date +%s)}"
    socket=$(find_socket)
    case " $GOALS " in
    *" cloud "*)
        engine=$(docker info --format '{{.Name}}')
        [ "$engine" = "$(uname -n)" ] || die "make cloud gives the pulumi CLI addresses of containers, which this machine" \
            "does not reach on $engine. Use a Linux machine with an engine of its own, or make up, which needs no pulumi CLI"
        ;;
    esac
    # BusyBox has sha256sum, and macOS has shasum.
    digest=$({ sha256sum 2>/dev/null || shasum -a 256; } <scripts/toolbox.Dockerfile | cut -c 1-12)
    image=timeservice-toolbox:$digest
    docker image inspect "$image" >/dev/null 2>&1 || build
    echo "  in the toolbox: $REASON" >&2

    # This file shows that both sides see one clone, and hands over this machine's certificates.
    container=timeservice-toolbox-$$ handover=build/toolbox-$$
    # Each side has a .venv of its own, because its Python is another.
    mkdir -p build/toolbox-venv .venv
    : >"$handover"
    for file in "${SSL_CERT_FILE:-}" $CERTIFICATES; do
        [ -s "$handover" ] || [ ! -r "$file" ] || cat "$file" >"$handover"
    done
    # Without certificates here, take those of the engine's machine.
    [ -s "$handover" ] || docker run --rm --mount type=bind,source=/etc/ssl/certs,target=/mnt,readonly "$image" \
        cat /mnt/ca-certificates.crt >"$handover" 2>/dev/null || :

    # mmdebstrap and tests use mounts and networks of their own, and share folders in /tmp with
    # containers. Not --privileged: some sandboxes refuse it.
    set -- --rm --name "$container" --network host --cap-add SYS_ADMIN --cap-add NET_ADMIN --shm-size 1g \
        --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt label=disable \
        --mount "type=bind,source=$socket,target=$SOCKET" --mount type=bind,source=/tmp,target=/tmp \
        --mount "type=bind,\"source=$ROOT\",\"target=$ROOT\"" --workdir "$ROOT" \
        --mount "type=bind,\"source=$ROOT/build/toolbox-venv\",\"target=$ROOT/.venv\"" \
        --env TOOLBOX=inside --env "ENGINE_SOCKET=$socket"
    for name in $VARIABLES; do set -- "$@" --env "$name"; done
    if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then
        set -- "$@" --interactive --tty
    elif ! [ -t 0 ]; then
        set -- "$@" --interactive
    fi
    # In the background, because a shell defers its traps while it waits for a command.
    # shellcheck disable=SC2086 # GOALS are words
    docker run "$@" "$image" sh scripts/toolbox.sh inside "$(id -u)" "$(id -g)" "$handover" \
        "HOST=${HOST:-}" "COMMAND=${COMMAND:-}" $GOALS <&3 3<&- &
    client=$!
    trap : INT
    trap 'kill "$client"' TERM HUP
    while :; do
        wait "$client" && status=0 || status=$?
        kill -0 "$client" 2>/dev/null || break
    done
    rm -f "$handover"
    # A client that was killed leaves its container.
    [ "$status" = 0 ] || docker rm --force "$container" >/dev/null 2>&1 || :
    [ "$status" != 125 ] || die "the engine cannot run the toolbox; the reason is above. It must share $ROOT" \
        "(Docker Desktop: Settings, Resources, File sharing)"
    # make ends by the signal, as it does without the toolbox. The sleep gives it time: make would
    # report a failure if its child ended first.
    [ "$status" != 130 ] || { kill -INT "$PPID" && sleep 1; }
    exit "$status"
}

# inside UID GID FILE ARGUMENT...: runs make as that user, with the rights to use the engine.
inside() {
    uid=$1 gid=$2 handover=$3
    shift 3
    [ -e "$handover" ] || die "the engine's machine has another clone at $ROOT: run make there"
    [ ! -s "$handover" ] || cat "$handover" >/etc/ssl/certs/ca-certificates.crt
    [ "$uid" != 0 ] || exec make "$@"
    # sudo needs the user in /etc/passwd, and with an x there, an entry in /etc/shadow too.
    echo "user:*:$uid:$gid::/home/user:/bin/bash" >>/etc/passwd
    install --directory --owner "$uid" --group "$gid" /home/user
    exec setpriv --reuid "$uid" --regid "$gid" --groups "$gid,$(stat -c %g "$SOCKET")" env HOME=/home/user make "$@"
}

# A command in the background has no standard input but this. Nothing inside inherits it, because
# mmdebstrap fails if its own file descriptor is 10 or more.
[ "$1" != run ] || exec 3<&0
"$@"
