#!/usr/bin/env bash
# python-image.sh FOLDER ARCHITECTURE TAG DOCKER-BUILD-ARGUMENT...: builds the image of that folder's
# code, by its Dockerfile, for x86_64 or arm64. Nothing in the image runs here, so every machine
# builds for both.
source "$(dirname "$0")/common.sh"
one_at_a_time

folder=$1 architecture=$2 tag=$3
shift 3
context=$BUILD/context
app=$context/app

make_context() {
    rm -rf "$context"
    mkdir -p "$app"
    install_wheels "$app/site-packages" "$architecture-manylinux_2_39" "$folder/requirements.txt"
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
        "$python/usr/bin/python3.13" -m compileall -q --invalidation-mode unchecked-hash -s "$context" -p / "$app"
    rm -rf "$python"
}

# Without a network, and with the classic builder, which leaves no cache in the engine. Layers of another
# clone's build are not used, because its make down may remove them meanwhile.
make_image() {
    as_docker env DOCKER_BUILDKIT=0 docker build --network none --no-cache --force-rm --build-arg CLONE="$CLONE" \
        --platform "linux/${architecture/x86_64/amd64}" --tag "$tag" "$@" "$context"
    rm -rf "$context"
}

for needed in "$architecture" "$MACHINE"; do scripts/base.sh "$needed"; done
step "$folder image: wheels, hash-checked" make_context
step "$folder image: build" make_image "$@"
