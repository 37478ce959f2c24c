#!/usr/bin/env bash
# Unpacks what the unit tests use of Debian's (tests/tools.py finds it): systemd-analyze where the machine has none, and
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
    local package needed
    for package in "${missing[@]}"; do
        case $package in systemd | haproxy) # the others need libc alone
            needed=$(needed_by "$package")
            for needed in $needed; do unpack_deb "$needed"; done
            ;;
        esac
        unpack_deb "$package" # after what it needs: next time, that it is there will be enough
    done
}
step "Debian packages that tests use" unpack
