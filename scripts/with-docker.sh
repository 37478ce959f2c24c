#!/usr/bin/env bash
# with-docker.sh COMMAND...: runs the command, as root if Docker's socket is closed to this user.
source "$(dirname "$0")/common.sh"
trap - INT TERM
as_docker "$@"
