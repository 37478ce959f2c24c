#!/usr/bin/env bash
# Makes .venv with everything that the Makefile's targets need, hash-checked. Does nothing while
# .venv is current.
source "$(dirname "$0")/common.sh"

[ ! -e "$(find_stamp)" ] || exit 0
one_at_a_time
[ ! -e "$(find_stamp)" ] || exit 0 # another make has made it meanwhile

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    die "make needs Python 3.11 or later, and python3 is $(python3 --version 2>/dev/null || echo missing). Install it, or" \
        "run make with TOOLBOX=1, which does not serve pulumi"

make_venv() {
    # In the toolbox, .venv is a mount, which stays when its content is gone.
    rm -rf .venv 2>/dev/null || [ -d .venv ]
    # Debian's python3 comes without ensurepip.
    if ! python3 -m venv .venv; then
        python3 -m venv --without-pip .venv
        unpack_deb python3-pip-whl
    fi
    our_pip install --no-cache-dir --require-hashes -r scripts/uv.txt
    install_group dev .venv/bin/python --no-build
    touch "$(find_stamp)"
}
step "Python packages into .venv" make_venv
