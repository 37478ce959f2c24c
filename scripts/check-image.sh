#!/usr/bin/env bash
# check-image.sh [TAG]: makes the healthcheck's image in this machine's Docker engine.
source "$(dirname "$0")/common.sh"
one_at_a_time

version=$(.venv/bin/python -c 'import healthcheck; print(healthcheck.__version__)')
tag=${1:-timeservice-healthcheck:$version}
before=$(as_docker docker image ls --quiet "$tag")
# timeservice.build marks what an interrupted build leaves for make down to remove. This image
# stays.
scripts/python-image.sh healthcheck "$(get_engine_architecture)" "$tag" --label timeservice.build= \
    --label org.opencontainers.image.version="$version"
# The old image has no name any more. A container that still runs keeps it.
[ -z "$before" ] || as_docker docker image rm "$before" >/dev/null 2>&1 || true
