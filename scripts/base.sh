#!/usr/bin/env bash
# base.sh [--renew] [x86_64|arm64]: makes build/base-ARCHITECTURE.tar, the base of our images, and
# beside it the list of its packages, "NAME VERSION" in each line. Without an argument, it is for the
# engine's own architecture. With --renew, it is made anew if Debian has newer versions.
#
# The base holds Debian's Python and its libraries: no shell, no package manager. It is made from
# signed Debian packages, so no registry and no other image has to be trusted. Nothing in it runs here.
source "$(dirname "$0")/common.sh"
one_at_a_time

renew=
[ "${1:-}" != --renew ] || { renew=1 && shift; }
architecture=${1:-$(get_engine_architecture)}
base=$BUILD/base-$architecture

make_base() {
    # debconf comes with a dependency of Python and needs perl, which is not there. mmdebstrap runs
    # extract hooks alone, because nothing is installed. The packages' metadata, the digests of their
    # files and their licences stay where scanners of images without dpkg look for them
    # (scripts/sbom.py). The name, the resolvers and the mirror of this machine go. The mmdebstrap of
    # Debian 13 leaves the links for /lib and its like to base-files, which is not there.
    # shellcheck disable=SC2016 # $1 is the hooks' argument
    scripts/debian.sh "$base.tar" --architectures="${architecture/x86_64/amd64}" --variant=extract --include=python3.13 \
        --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --extract-hook='cd "$1" && rm -rf usr/bin/debconf* usr/sbin/dpkg-* usr/share/debconf usr/share/perl5 var/lib/dpkg var/lib/apt' \
        --extract-hook='cd "$1" && mkdir -p var/lib/dpkg/status.d && for deb in var/cache/apt/archives/*.deb; do
            name=var/lib/dpkg/status.d/$(dpkg-deb --field "$deb" Package)
            dpkg-deb --field "$deb" >"$name" && dpkg-deb --info "$deb" md5sums >"$name.md5sums" || exit 1; done' \
        --extract-hook='cd "$1" && for folder in bin lib lib64; do
            [ -e "$folder" ] || [ ! -d "usr/$folder" ] || ln -s "usr/$folder" "$folder" || exit 1; done' \
        --extract-hook='cd "$1" && rm -rf var/cache etc/apt/sources.list etc/fstab etc/hostname etc/resolv.conf'
    list_packages
}

list_packages() {
    tar --extract --to-stdout --file "$base.tar" ./var/lib/dpkg/status.d |
        awk '/^Package: / { name = $2 } /^Version: / { print name, $2 }' | sort >"$base.list"
    mv "$base.list" "$base.packages"
}

if ! { [ "$base.tar" -nt scripts/base.sh ] && [ "$base.tar" -nt scripts/debian.sh ]; }; then
    renew=
    step "base image, $architecture: from Debian packages" make_base
fi
# A list that is older than the base belongs to an earlier base.
[ "$base.packages" -nt "$base.tar" ] || list_packages
[ -n "$renew" ] || exit 0
if ! newer=$(scripts/debian.sh --newer "$architecture" "$base.packages" 2>>"$LOG"); then
    echo "  base image, $architecture: DEBIAN DOES NOT RESPOND, so the packages of $(date -r "$base.packages" +%F) stay"
elif [ -n "$newer" ]; then
    awk '{ print "  base image: Debian has " $1 " " $3 ", here is " $2 }' <<<"$newer"
    step "base image, $architecture: renewed from Debian packages" make_base
fi
