#!/usr/bin/env bash
# tools.sh [PACKAGE...]: unpacks Debian packages that nothing installs, by default those that tests use
# (tests/support/tools.py finds them). An installed crontab would look at the machine's own jobs, and an installed HAProxy
# can be of any version. systemd-analyze is taken from the machine, where it is there.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

packages=("$@")
if [ "$#" = 0 ]; then
    packages=(cron libfakechroot libfaketime haproxy)
    command -v systemd-analyze >/dev/null || packages+=(systemd)
    # Where no systemd runs, systemd-analyze would make it, which root alone can.
    [ -d /run/systemd ] || as_root mkdir -m 755 /run/systemd
fi
missing=()
for package in "${packages[@]}"; do
    [ -d "$BUILD/debian/$package" ] || missing+=("$package")
done
[ "${#missing[@]}" != 0 ] || exit 0
command -v apt-get >/dev/null ||
    die "this uses parts of the Debian packages ${missing[*]}, and needs a Debian machine"
one_at_a_time

unpack() {
    local package
    for package in "${missing[@]}"; do
        case $package in
        systemd | haproxy) unpack_deb_that_runs "$package" ;;
        *) unpack_deb "$package" ;; # needs libc alone
        esac
    done
}
step "Debian packages: ${missing[*]}" unpack
