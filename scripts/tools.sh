#!/usr/bin/env bash
# tools.sh TOOL...: fetches what tests, scans and benches use, into build. Nothing is installed on
# this machine.
#   node       the library that Playwright's Node.js needs
#   unit       Debian packages of the unit tests (an installed cron would read this machine's jobs)
#   chromium   Debian's Chromium, without a window, and a font
#   scanners   checkov, kingfisher, pip-audit and the AWS CLI, from uv.lock
#   mutation   cosmic-ray, from uv.lock
#   evaluator  a library for Node.js that evaluates IAM policies (tests/cfn/permissions)
#   NAME       any other Debian package
source "$(dirname "$0")/common.sh"

# unpack_all PACKAGE...: unpacks first what they need, and then the packages themselves. So the
# folder of a package shows that all of it is there.
unpack_all() {
    local package part parts
    for package in "$@"; do
        parts=$(list_needed "$package" || { update_lists >&2 && list_needed "$package"; })
        for part in $parts "$package"; do unpack_deb "$part"; done
    done
}

debian_packages() {
    local package missing=()
    for package in "$@"; do
        [ -d "$BUILD/debian/$package" ] || missing+=("$package")
    done
    [ "${#missing[@]}" != 0 ] || return 0
    command -v apt-get >/dev/null ||
        die "apt-get is missing, and this uses the Debian packages ${missing[*]}. Run make with TOOLBOX=1"
    one_at_a_time
    step "Debian packages: ${missing[*]}" unpack_all "${missing[@]}"
}

node() {
    env .venv/lib/python3*/site-packages/playwright/driver/node --version >/dev/null 2>&1 || debian_packages libatomic1
}

unit() {
    # Where no systemd runs, systemd-analyze would make this folder, which root alone can.
    [ -d /run/systemd ] || as_root mkdir -m 755 /run/systemd
    local systemd=()
    command -v systemd-analyze >/dev/null || systemd=(systemd)
    debian_packages busybox-static cron libfakechroot libfaketime haproxy "${systemd[@]}"
}

# An installed Chromium may be of any version, and Playwright's is not signed.
chromium() {
    local folder=$BUILD/debian/chromium-headless-shell/usr/lib/chromium
    node
    [ ! -e "$BUILD/debian/fonts.conf" ] || return 0
    debian_packages fonts-inter
    # Ubuntu has no such package. There tests/support/browser.py takes Google's Chrome.
    if apt-cache show chromium-headless-shell >/dev/null 2>&1 || ! command -v google-chrome >/dev/null; then
        debian_packages chromium-common chromium-headless-shell
        # The program looks for the files of the other package in its own folder.
        (cd "$folder" && ln -sfn ../../../../chromium-common/usr/lib/chromium/* .)
    fi
    # The page asks for Inter first, so lines break alike on every machine.
    cat >"$BUILD/debian/fonts.conf" <<XML
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>$BUILD/debian/fonts-inter</dir>
  <cachedir>$BUILD/debian/fonts-cache</cachedir>
</fontconfig>
XML
}

# once STAMP TEXT COMMAND...: runs a step again only when the files that it depends on change.
once() {
    [ ! -e "$1" ] || return 0
    one_at_a_time
    [ ! -e "$1" ] || return 0 # another make has done it meanwhile
    step "${@:2}"
    touch "$1"
}

# install_beside GROUP UV-ARGUMENT...: into a virtual environment of its own, beside .venv.
install_beside() {
    our_uv venv --quiet --clear --python .venv/bin/python "$BUILD/$1"
    install_group "$1" "$BUILD/$1/bin/python" "${@:2}"
}

scanners() {
    once "$BUILD/tools/$(digest uv.lock)" "checkov, kingfisher, pip-audit, AWS CLI, Node.js" install_beside tools --no-build
}

mutation() {
    once "$BUILD/mutation/$(digest uv.lock)" "cosmic-ray" install_beside mutation
}

install_evaluator() {
    rm -rf "$BUILD/npm"
    mkdir -p "$BUILD/npm"
    cp tests/cfn/permissions/package.json tests/cfn/permissions/package-lock.json "$BUILD/npm"
    our_npm ci --prefix "$BUILD/npm"
}

evaluator() {
    scanners # Node.js is beside them
    once "$BUILD/npm/$(digest tests/cfn/permissions/package-lock.json)" "iam-simulate, from npm" install_evaluator
}

for tool in "$@"; do
    case $tool in
    node | unit | chromium | scanners | mutation | evaluator) "$tool" ;;
    *) debian_packages "$tool" ;;
    esac
done
