#!/usr/bin/env bash
# Unpacks what the unit tests use of Debian's (tests/support/tools.py finds it): systemd-analyze where the machine has none, and
# cron's parser, HAProxy, libfakechroot and libfaketime in any case, as an installed crontab would look at the machine's
# own jobs, and an installed HAProxy be of any version.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

# Where no systemd runs, systemd-analyze would make it, which root alone can.
[ -d /run/systemd ] || as_root mkdir -m 755 /run/systemd

packages=(cron libfakechroot libfaketime haproxy)
command -v systemd-analyze >/dev/null || packages+=(systemd)
missing=()
for package in "${packages[@]}"; do
    [ -d "$BUILD/debian/$package" ] || missing+=("$package")
done
[ "${#missing[@]}" != 0 ] || exit 0
command -v apt-get >/dev/null ||
    die "tests use parts of the Debian packages ${missing[*]}: this needs a Debian machine. (Without them: .venv/bin/python -m pytest -m 'not rehearsal')"
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
step "Debian packages that tests use" unpack
