#!/usr/bin/env bash
# port.sh: refuses a PORT that another program uses, before anything is built.
source "$(dirname "$0")/common.sh"

# A deployment keeps its port, also while its balancer does not run.
# shellcheck disable=SC2016 # Go's template, not ours
balancer=$(as_docker docker container inspect "${NAME:-timeservice}-balancer" --format \
    '{{range index .HostConfig.PortBindings "80/tcp"}}{{.HostPort}}{{end}} {{.State.Running}}' 2>/dev/null) || balancer=
port=${PORT:-${balancer% *}}
port=${port:-8080}
[ "$balancer" != "$port true" ] || exit 0

# The probe needs the engine's rights: a port below 1024 may be closed to this user.
reason=$(as_docker python3 - "$port" 2>&1 <<'PYTHON'
import socket, sys

probe = socket.socket()
probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
probe.bind(("127.0.0.1", int(sys.argv[1])))
PYTHON
) || die "port $port cannot be used (${reason##*] }); choose another: make up PORT=8081"
