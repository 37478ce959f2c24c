#!/usr/bin/env bash
# Makes build/image.tar.gz, the archive of the service's image that the hosts load, unless it is current.
#
# The base holds Debian's Python and what it links to: no shell, no package manager, nothing to log in with. It is
# made from signed Debian packages, so neither a registry nor an image by somebody else has to be trusted.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"
one_at_a_time

digest=$(.venv/bin/python -m deployment.release image)
[ -e build/image.tar.gz ] && [ "$(cat build/image.digest 2>/dev/null)" = "$digest" ] && exit

[ "$(uname -m)" = x86_64 ] || die "the hosts are x86_64, and the image is made here for this machine: $(uname -m)"
context=$BUILD/context
# Named after the clone as well: two of them may build at once.
base=timeservice-$CLONE-base:$digest image=timeservice-$CLONE:$digest

make_base() {
    # debconf comes with a dependency of Python's and needs perl, which is not there: it would be dead weight.
    # shellcheck disable=SC2016 # the hook's argument, not ours
    scripts/debian.sh "$BUILD/base.tar" --variant=extract --include=python3.13 \
        --customize-hook='cd "$1" && rm -rf usr/bin/debconf* usr/sbin/dpkg-* usr/share/debconf usr/share/perl5 var/lib/dpkg var/lib/apt var/cache'
}

make_context() {
    rm -rf "$context"
    mkdir -p "$context"
    install_wheels "$context/site-packages" manylinux_2_39 service/requirements.txt
    rm -rf "$context/site-packages/bin"
    mkdir "$context/service" "$context/sntp"
    cp sntp/*.py "$context/sntp"
    cp service/*.py service/Dockerfile "$context/service"
}

make_image() {
    as_docker docker import --change "LABEL timeservice.build=$CLONE" "$BUILD/base.tar" "$base"
    build_image --build-arg BASE="$base" --tag "$image" --file "$context/service/Dockerfile" "$context"
}

save_image() {
    as_docker docker save "$image" | gzip -6 >build/image.tar.gz.part
    as_docker docker image rm "$image" "$base"
    mv build/image.tar.gz.part build/image.tar.gz
    echo "$digest" >build/image.digest
    rm -rf "$context"
}

[ build/base.tar -nt scripts/image.sh ] || step "service image: base from Debian packages" make_base
step "service image: wheels, hash-checked" make_context
step "service image: build" make_image
step "service image: archive" save_image
size=$(($(stat -c %s build/image.tar.gz) / 1000000))
[ "$size" -le 80 ] || die "build/image.tar.gz has $size MB; a host at its CPU baseline should not load more than 80"
echo "  build/image.tar.gz: $size MB, from sources $digest"
