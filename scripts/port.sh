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

! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null ||
    die "another program uses port $port; choose another: PORT=8081"
