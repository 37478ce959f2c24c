#!/usr/bin/env bash
# debian.sh FILE.tar MMDEBSTRAP-ARGUMENT...: makes a root file system of Debian 13 with its updates and
# security updates, checked against Debian's archive keys.
# debian.sh --newer ARCHITECTURE LIST: prints "NAME OLD NEW" of each package in the file LIST, which has
# "NAME VERSION" in each line, that is behind Debian. Fails if a mirror does not respond.
# The mirrors are those that this machine's apt uses.
source "$(dirname "$0")/common.sh"
# These files become parts of images, and the images' user must be able to read all of them.
umask 022

command -v apt-get >/dev/null || die "apt-get is missing, and base images are made from Debian packages. Run make with TOOLBOX=1"

# find_mirror PATTERN DEFAULT
find_mirror() {
    local mirror
    # shellcheck disable=SC2016 # apt's placeholder, not ours
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m1 -E "$1" || true)
    echo "${mirror:-$2}"
}

list_sources() {
    local key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]' mirror
    mirror=$(find_mirror '/debian/?$' http://deb.debian.org/debian)
    echo "deb $key $mirror trixie main"
    echo "deb $key $mirror trixie-updates main"
    echo "deb $key $(find_mirror '(/debian-security|//security\.debian\.org)/?$' http://deb.debian.org/debian-security) trixie-security main"
}

# print_newer ARCHITECTURE LIST: apt, with lists of its own, knows nothing but the packages of LIST.
print_newer() {
    local folder=$BUILD/apt-$1 options
    mkdir -p "$folder"/{lists,archives}/partial
    list_sources >"$folder/sources.list"
    awk -v architecture="$1" '{ print "Package: " $1 "\nStatus: install ok installed\nVersion: " $2 "\nArchitecture: " architecture "\n" }' \
        "$2" >"$folder/status"
    options=(-o Dir::State="$folder" -o Dir::Cache="$folder" -o Dir::State::Status="$folder/status"
        -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null
        -o APT::Architecture="$1" -o APT::Architectures="$1" -o APT::Sandbox::User=''
        -o APT::Update::Error-Mode=any -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10)
    apt-get "${options[@]}" update >&2
    cut -d ' ' -f 1 "$2" | xargs apt-cache "${options[@]}" policy |
        awk '/^[^ ]/ { sub(":$", ""); name = $1 } $1 == "Installed:" { old = $2 } $1 == "Candidate:" && $2 != old { print name, old, $2 }'
}

make_system() {
    local target=$1 tool=$BUILD/debian/mmdebstrap/usr name proxy proxies=() own_mounts sources
    unpack_deb mmdebstrap
    # mmdebstrap reads none of this machine's settings of apt.
    for name in Acquire::http::Proxy Acquire::https::Proxy; do
        proxy=''
        eval "$(apt-config shell proxy "$name")"
        [ -z "$proxy" ] || proxies+=(--aptopt="$name \"$proxy\"")
    done
    # mmdebstrap gives a file descriptor to dash, which knows none above 9. The program that started
    # make may have left many descriptors open.
    exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&-
    # The mounts of mmdebstrap end with it, even if it is killed. A machine that does not allow this does
    # not allow mounts either.
    own_mounts=(unshare --mount)
    as_root "${own_mounts[@]}" true 2>/dev/null || own_mounts=()
    mapfile -t sources < <(list_sources)
    as_root "${own_mounts[@]}" env TMPDIR="${TMPDIR:-$BUILD}" PATH="$tool/bin:$PATH" "$tool/bin/mmdebstrap" --hook-dir="$tool/share/mmdebstrap/hooks/merged-usr" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        "${proxies[@]}" --format=tar "${@:2}" trixie - "${sources[@]}" >"$target.part"
    mv "$target.part" "$target"
}

if [ "$1" = --newer ]; then
    print_newer "${2/x86_64/amd64}" "$3"
else
    make_system "$@"
fi
