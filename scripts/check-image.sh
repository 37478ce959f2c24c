#!/usr/bin/env bash
# check-image.sh [TAG]: makes the healthcheck's image in this machine's Docker engine, unless it is
# there and current.
source "$(dirname "$0")/common.sh"
one_at_a_time

version=$(.venv/bin/python -c 'import healthcheck; print(healthcheck.__version__)')
tag=${1:-timeservice-healthcheck:$version}
architecture=$(get_engine_architecture)
scripts/base.sh "$architecture"
digest=$(sha256sum "build/base-$architecture.packages" healthcheck/{*,formats/*}.py healthcheck/Dockerfile healthcheck/requirements.txt sntp.py \
    scripts/{check-image,python-image,base,debian,common}.sh | sha256sum | cut -c 1-12)

of_image() { as_docker docker image inspect --format "$1" "$tag" 2>/dev/null || true; }

[ "$(of_image '{{index .Config.Labels "timeservice.sources"}}')" = "$digest" ] && exit
before=$(of_image '{{.Id}}')
# timeservice.build marks what an interrupted build leaves for make down to remove. This image
# stays.
scripts/python-image.sh healthcheck "$architecture" "$tag" --label timeservice.build= --label timeservice.sources="$digest" \
    --label org.opencontainers.image.version="$version"
# The old image has no name any more. A container that still runs keeps it.
[ -z "$before" ] || as_docker docker image rm "$before" >/dev/null 2>&1 || true
echo "  $tag: $(($(of_image '{{.Size}}') / 1000000)) MB, from sources $digest"
