#!/usr/bin/env bash
# Unpacks Chromium, without a window, and a font, from Debian packages: tests/support/browser.py opens the page for people in it.
# Not an installed one, which may be any version or none; and not Playwright's, which comes from nobody who signs it.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"

folder=$BUILD/debian/chromium-headless-shell/usr/lib/chromium
done=$BUILD/debian/fonts.conf
[ ! -e "$done" ] || exit 0
command -v apt-get >/dev/null || die "tests use Debian's chromium-headless-shell: this needs a Debian machine"
one_at_a_time

unpack() {
    unpack_deb fonts-inter
    # Ubuntu has no such package; tests/support/browser.py then takes Google's Chrome.
    if apt-cache show chromium-headless-shell || ! command -v google-chrome; then
        unpack_deb chromium-common
        unpack_deb_that_runs chromium-headless-shell
        # The program looks for the data of the other package in its own folder.
        (cd "$folder" && ln -sfn ../../../../chromium-common/usr/lib/chromium/* .)
    fi
    # Lines shall break alike on every machine: the page asks for Inter first.
    cat >"$done" <<EOF
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>$BUILD/debian/fonts-inter</dir>
  <cachedir>$BUILD/debian/fonts-cache</cachedir>
</fontconfig>
EOF
}
step "Chromium from Debian, which tests use" unpack
