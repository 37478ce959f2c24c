#!/usr/bin/env bash
# engine.sh [--installed]: uses the Docker engine that responds. If none does, starts the installed
# one, or installs Debian's docker.io. With --installed, exits with 3 instead of installing.
source "$(dirname "$0")/common.sh"

# responds: whether an engine does. Ends the script if hosts cannot use that engine.
responds() {
    local reply
    if ! reply=$(as_docker docker version --format '{{.Server.APIVersion}} {{range .Server.Components}}{{.Name}} {{end}}' 2>&1); then
        [[ $reply != *"client version"* ]] || die "the docker client and the engine do not fit: ${reply##*: }. Update the older one"
        return 1
    fi
    reply=${reply##*$'\n'} # after warnings
    [[ $reply != *Podman* ]] || die "Podman responds here, and hosts need an engine of Docker's: install docker.io, and unset DOCKER_HOST"
    [ "$(printf '%s\n' 1.41 "${reply%% *}" | sort -V | head -n 1)" = 1.41 ] ||
        die "this Docker engine is too old (API ${reply%% *}): hosts need Docker 20.10 or later. Update it"
    [[ $(as_docker docker info --format '{{.SecurityOptions}}' 2>/dev/null) != *rootless* ]] ||
        die "this Docker engine is rootless, and hosts need one that runs as root: unset DOCKER_HOST; docker context use default"
}

wait_for_response() {
    for _ in {1..150}; do
        responds && return
        sleep 0.2
    done
    tail -n 5 "$BUILD/dockerd.log" 2>/dev/null || true
    return 1
}

install_engine() {
    update_lists
    # From Debian 13 on, the client is a package of its own.
    local client=
    [ -z "$(apt-cache policy docker-cli)" ] || client=docker-cli
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends \
        docker.io ${client:+"$client"} iptables
}

# An engine that was killed leaves its pid file; if that number belongs to another process by now, a
# new engine would refuse to start.
remove_stale_pid() {
    local file pid
    for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
        pid=$(as_root cat "$file" 2>/dev/null) || continue
        case "$(as_root cat "/proc/$pid/comm" 2>/dev/null)" in
        dockerd | containerd) ;;
        *) as_root rm -f "$file" ;;
        esac
    done
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        as_root systemctl start docker
    else
        remove_stale_pid
        # The engine has a session of its own, to survive the Ctrl-C that ends a make. Its proxy for
        # published ports is off: about 3,000 connections use up its files, and it ends. The kernel's
        # address translation has no such limit.
        as_root env -u TIMESERVICE_LOCKED -u TMPDIR setsid dockerd --userland-proxy=false >"$BUILD/dockerd.log" 2>&1 </dev/null 9>&- &
    fi
    wait_for_response
}

responds && exit
one_at_a_time

if [ -n "${DOCKER_HOST:-}" ]; then
    die "DOCKER_HOST is $DOCKER_HOST, and no engine responds there. Start it, or unset DOCKER_HOST"
fi
if ! command -v dockerd >/dev/null || ! command -v docker >/dev/null; then
    [ "${1:-}" = --installed ] && exit 3
    command -v apt-get >/dev/null ||
        die "no Docker engine is running and none can be installed here (no apt-get). Install Docker, start it, and try again"
    step "Docker engine: installing Debian's docker.io" install_engine
    echo "  (it stays installed after make down; apt-get purge docker.io removes it)"
fi
responds || step "Docker engine: starting it" start_engine
