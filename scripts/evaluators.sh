#!/usr/bin/env bash
# Node.js and a library of it that evaluates IAM policies, for tests/cfn/permissions: by hash, into build/node and build/npm.
# From PyPI and npm in any case, as what Node.js a machine has is anyone's guess.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"

stamp=$BUILD/npm/$(cat scripts/node.txt tests/cfn/permissions/package-lock.json | sha256sum | cut -c 1-12)
[ ! -e "$stamp" ] || exit 0
one_at_a_time
[ ! -e "$stamp" ] || exit 0 # the other make has installed it meanwhile

install_evaluator() {
    rm -rf "$BUILD/node" "$BUILD/npm"
    # Beside .venv, not in it: nothing else needs it, and it is large.
    .venv/bin/uv pip install --cache-dir "$CACHE" --target "$BUILD/node" --python .venv --require-hashes --only-binary :all: \
        -r scripts/node.txt
    mkdir -p "$BUILD/npm"
    cp tests/cfn/permissions/package.json tests/cfn/permissions/package-lock.json "$BUILD/npm"
    our_npm ci --prefix "$BUILD/npm"
    touch "$stamp"
}
step "Node.js and iam-simulate, which tests use" install_evaluator
