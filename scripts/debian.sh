#!/usr/bin/env bash
# debian.sh FILE.tar MMDEBSTRAP-ARGUMENT...: makes a Debian root file system, checked against
# Debian's archive keys. The mirror is the one that this machine's apt uses.
source "$(dirname "$0")/common.sh"
target=$1
shift

command -v apt-get >/dev/null || die "base images are made from Debian packages: this needs a Debian machine"
unpack_deb mmdebstrap
tool=$BUILD/debian/mmdebstrap/usr
# shellcheck disable=SC2016 # apt's placeholder, not ours
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null | grep -m1 -E '/debian/?$' || true)
# mmdebstrap reads none of this machine's settings of apt.
proxies=()
for name in Acquire::http::Proxy Acquire::https::Proxy; do
    proxy=''
    eval "$(apt-config shell proxy "$name")"
    [ -z "$proxy" ] || proxies+=(--aptopt="$name \"$proxy\"")
done
# mmdebstrap gives a file descriptor to dash, which knows none above 9. What make was started from may
# have left many open.
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&-
# The mounts of mmdebstrap end with it, even if it is killed. A machine that does not allow this does
# not allow mounts either.
own_mounts=(unshare --mount)
as_root "${own_mounts[@]}" true 2>/dev/null || own_mounts=()
as_root "${own_mounts[@]}" env TMPDIR="${TMPDIR:-$BUILD}" PATH="$tool/bin:$PATH" "$tool/bin/mmdebstrap" --hook-dir="$tool/share/mmdebstrap/hooks/merged-usr" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "${proxies[@]}" --format=tar "$@" trixie - "${mirror:-http://deb.debian.org/debian}" >"$target.part"
mv "$target.part" "$target"
