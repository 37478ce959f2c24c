#!/usr/bin/env bash
# stage.sh TAG DEPLOYMENT: makes the image of the local cloud's containers (MiniStack, controller, HAProxy, chrony, hosts).
# stage.sh: makes only what all of those images are based on.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"
one_at_a_time
tag=${1:-} label=timeservice.deployment=${2:-}
context=$BUILD/stage base=$tag-base

make_base() {
    scripts/debian.sh "$BUILD/stage-base.tar" --variant=minbase \
        --dpkgopt='path-exclude=/usr/lib/python3/dist-packages/awscli/examples/*' \
        --include=docker.io,docker-cli,haproxy,chrony,curl,iproute2,iptables,python3,awscli,ca-certificates,tini
}

make_image() {
    rm -rf "$context"
    mkdir -p "$context"
    .venv/bin/uv pip install --cache-dir "$CACHE" --target "$context/site-packages" --require-hashes \
        --python-version 3.13 --python-platform x86_64-manylinux_2_39 --only-binary :all: -r local/requirements.txt
    cp -r local/stage "$context/stage"
    mkdir "$context/deployment"
    cp deployment/__init__.py deployment/template.py "$context/deployment"
    as_docker docker import --change "LABEL $label" "$BUILD/stage-base.tar" "$base"
    build_image --label "$label" --build-arg BASE="$base" --tag "$tag" --file local/stage/Dockerfile "$context"
    as_docker docker image rm "$base"
    rm -rf "$context"
}

[ -n "$tag" ] && as_docker docker image inspect "$tag" >/dev/null 2>&1 && exit
[ build/stage-base.tar -nt scripts/stage.sh ] || step "local cloud's image: base from Debian packages" make_base
[ -z "$tag" ] || step "local cloud's image: build" make_image
