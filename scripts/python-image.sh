#!/usr/bin/env bash
# python-image.sh FOLDER ARCHITECTURE TAG DOCKER-BUILD-ARGUMENT...: builds the image of that folder's
# code, by its Dockerfile, for x86_64 or arm64. Nothing in the image runs here, so every machine
# builds for both.
#
# The base holds Debian's Python and its libraries: no shell, no package manager. It is made from
# signed Debian packages, so no registry and no other image has to be trusted.
source "$(dirname "$0")/common.sh"
one_at_a_time

folder=$1 architecture=$2 tag=$3
shift 3
context=$BUILD/context
app=$context/app

make_base() {
    # debconf comes with a dependency of Python and needs perl, which is not there. mmdebstrap runs
    # extract hooks alone, because nothing is installed. The packages' metadata, the digests of their
    # files and their licences stay where scanners of images without dpkg look for them
    # (scripts/sbom.py). The name, the resolvers and the mirror of this machine go. The mmdebstrap of
    # Debian 13 leaves the links for /lib and its like to base-files, which is not there.
    # shellcheck disable=SC2016 # $1 is the hooks' argument
    scripts/debian.sh "$BUILD/base-$1.tar" --architectures="${1/x86_64/amd64}" --variant=extract --include=python3.13 \
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
    mkdir -p "$app"
    install_wheels "$app/site-packages" "$architecture-manylinux_2_39" "$folder/requirements.txt"
    rm -rf "$app/site-packages/"{bin,.lock}
    # The sources alone, without what another Python may have compiled there.
    shopt -s nullglob
    cp --parents sntp.py "$folder"/{,*/}*.{py,html,css,js} "$app"
    cp "$folder/Dockerfile" "$context"
    compile
    # The image's user reads all of it, whatever the umask of this clone's user is.
    chmod -R u=rwX,go=rX "$context"
    cp "$BUILD/base-$architecture.tar" "$context/base.tar"
}

# Compiled files are the same for all architectures, but not for all versions of Python. So the Python
# in the base of this machine's architecture compiles, with its own loader and libraries.
compile() {
    local python=$BUILD/python libraries
    rm -rf "$python"
    mkdir "$python"
    tar --extract --file "$BUILD/base-$MACHINE.tar" --directory "$python" ./usr
    libraries=$(echo "$python"/usr/lib/*-linux-gnu)
    env -i PYTHONHOME="$python/usr" "$libraries"/ld-linux-*.so.* --library-path "$libraries" \
        "$python/usr/bin/python3.13" -m compileall -q -s "$context" -p / "$app"
    rm -rf "$python"
}

# Without a network, and with the classic builder, which leaves no cache in the engine.
make_image() {
    as_docker env DOCKER_BUILDKIT=0 docker build --network none --force-rm --build-arg CLONE="$CLONE" \
        --platform "linux/${architecture/x86_64/amd64}" --tag "$tag" "$@" "$context"
    rm -rf "$context"
}

for needed in "$architecture" "$MACHINE"; do
    [ "build/base-$needed.tar" -nt scripts/python-image.sh ] ||
        step "$folder image: base from Debian packages, $needed" make_base "$needed"
done
step "$folder image: wheels, hash-checked" make_context
step "$folder image: build" make_image "$@"
