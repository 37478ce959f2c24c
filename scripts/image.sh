#!/usr/bin/env bash
# image.sh [x86_64|arm64]: makes build/image-ARCHITECTURE.tar.gz, the archive of the service's image
# that the hosts load, and build/sbom-ARCHITECTURE.json, its bill of materials, unless they are
# current. Without an argument, they are for the engine's own architecture.
source "$(dirname "$0")/common.sh"
one_at_a_time

architecture=${1:-$(get_engine_architecture)}
name=build/image-$architecture
# Its packages are among the sources of the image.
scripts/base.sh "$architecture"
sources=$(.venv/bin/python -m deployment.release "image-$architecture")
[ -n "$sources" ] || exit 0
image=timeservice-$CLONE:$sources

save_image() {
    as_docker docker save "$image" >"$TMPDIR/saved.tar"
    as_docker docker image rm "$image"
    # The engine's archive differs from build to build and from clone to clone.
    .venv/bin/python scripts/archive.py "$TMPDIR/saved.tar" | gzip -6n >"$name.part"
    rm "$TMPDIR/saved.tar"
    .venv/bin/python scripts/sbom.py "$name.part" timeservice "$(digest "$name.part")" >"build/sbom-$architecture.json"
    finish_archive "$name" tar.gz "$sources"
}

scripts/python-image.sh service "$architecture" "$image"
step "service image: archive" save_image
size=$(($(stat -c %s "$name.tar.gz") / 1000000))
[ "$size" -le 80 ] || die "$name.tar.gz has $size MB; a host at its CPU baseline should not load more than 80: remove the" \
    "dependency that has grown"
echo "  $name.tar.gz: $size MB, $(digest "$name.tar.gz") from sources $sources"
