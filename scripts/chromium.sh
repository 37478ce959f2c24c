#!/usr/bin/env bash
# Unpacks Chromium, without a window, and a font, from Debian packages: tests/browser.py opens the page for people in it.
# Not an installed one, which may be any version or none; and not Playwright's, which comes from nobody who signs it.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

folder=$BUILD/debian/chromium-headless-shell/usr/lib/chromium
[ ! -e "$folder/icudtl.dat" ] || exit 0
command -v apt-get >/dev/null || die "tests use Debian's chromium-headless-shell: this needs a Debian machine"
one_at_a_time

unpack() {
    local needed
    unpack_deb fonts-inter
    for needed in $(needed_by chromium-headless-shell); do unpack_deb "$needed"; done
    unpack_deb chromium-common
    unpack_deb chromium-headless-shell
    # The program looks for the data of the other package in its own folder.
    (cd "$folder" && ln -sf ../../../../chromium-common/usr/lib/chromium/* .)
}
step "Chromium from Debian, which tests use" unpack
