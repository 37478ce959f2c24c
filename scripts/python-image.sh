#!/usr/bin/env bash
# python-image.sh FOLDER TAG DOCKER-BUILD-ARGUMENT...: builds the image of that folder's code, by
# its Dockerfile.
#
# The base holds Debian's Python and its libraries: no shell, no package manager. It is made from
# signed Debian packages, so no registry and no other image has to be trusted.
source "$(dirname "$0")/common.sh"
one_at_a_time

folder=$1 tag=$2
shift 2
[ "$(uname -m)" = x86_64 ] || die "images are for x86_64, and are made on it: this machine is $(uname -m)"
context=$BUILD/context
# Two clones may build at once, so the name has the clone's.
base=timeservice-$CLONE-base:$folder

make_base() {
    # debconf comes with a dependency of Python and needs perl, which is not there. mmdebstrap runs
    # extract hooks alone, because nothing is installed. The packages' metadata, the digests of their
    # files and their licences stay where scanners of images without dpkg look for them
    # (scripts/sbom.py). The name, the resolvers and the mirror of this machine go. The mmdebstrap of
    # Debian 13 leaves the links for /lib and its like to base-files, which is not there.
    # shellcheck disable=SC2016 # $1 is the hooks' argument
    scripts/debian.sh "$BUILD/base.tar" --variant=extract --include=python3.13 \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --extract-hook='cd "$1" && rm -rf usr/bin/debconf* usr/sbin/dpkg-* usr/share/debconf usr/share/perl5 var/lib/dpkg var/lib/apt' \
        --extract-hook='cd "$1" && mkdir -p var/lib/dpkg/status.d && for deb in var/cache/apt/archives/*.deb; do
            name=var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)
            dpkg-deb --field "$deb" >"$name" && dpkg-deb --info "$deb" md5sums >"$name.md5sums" || exit 1; done' \
        --extract-hook='cd "$1" && for folder in bin lib lib64; do
            [ -e "$folder" ] || [ ! -d "usr/$folder" ] || ln -s "usr/$folder" "$folder" || exit 1; done' \
        --extract-hook='cd "$1" && rm -rf var/cache etc/apt/sources.list etc/fstab etc/hostname etc/resolv.conf'
}

make_context() {
    rm -rf "$context"
    mkdir -p "$context"
    install_wheels "$context/site-packages" manylinux_2_39 "$folder/requirements.txt"
    rm -rf "$context/site-packages/"{bin,.lock}
    # The sources alone, without what another Python may have compiled there.
    shopt -s nullglob
    cp --parents sntp.py "$folder/Dockerfile" "$folder"/{,*/}*.{py,html,css,js} "$context"
}

make_image() {
    as_docker docker import --change "LABEL timeservice.build=$CLONE" "$BUILD/base.tar" "$base"
    # Without a network, and with the classic builder, which leaves no cache in the engine.
    as_docker env DOCKER_BUILDKIT=0 docker build --network none --force-rm --build-arg BASE="$base" \
        --tag "$tag" --file "$context/$folder/Dockerfile" "$@" "$context"
    # This removes the name alone. The base goes with the last image that is made from it.
    as_docker docker image rm "$base"
    rm -rf "$context"
}

[ build/base.tar -nt scripts/python-image.sh ] || step "$folder image: base from Debian packages" make_base
step "$folder image: wheels, hash-checked" make_context
step "$folder image: build" make_image "$@"
