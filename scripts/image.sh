#!/usr/bin/env bash
# Makes build/image.tar.gz, the archive of the service's image that the hosts load, and
# build/sbom.json, its bill of materials, unless they are current.
source "$(dirname "$0")/common.sh"
one_at_a_time

digest=$(.venv/bin/python -m deployment.release image)
[ -e build/image.tar.gz ] && [ "$(cat build/image.digest 2>/dev/null)" = "$digest" ] && exit
image=timeservice-$CLONE:$digest

save_image() {
    as_docker docker save "$image" | gzip -6 >build/image.tar.gz.part
    as_docker docker image rm "$image"
    .venv/bin/python scripts/sbom.py build/image.tar.gz.part timeservice "$digest" >build/sbom.json
    mv build/image.tar.gz.part build/image.tar.gz
    echo "$digest" >build/image.digest
}

scripts/python-image.sh service "$image"
step "service image: archive" save_image
size=$(($(stat -c %s build/image.tar.gz) / 1000000))
[ "$size" -le 80 ] || die "build/image.tar.gz has $size MB; a host at its CPU baseline should not load more than 80"
echo "  build/image.tar.gz: $size MB, from sources $digest"
