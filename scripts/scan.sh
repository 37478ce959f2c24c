#!/usr/bin/env bash
# scan.sh [--install]: python -m scan, with its tools in build/scan from hash-pinned locks.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"
folder=$BUILD/scan
stamp=$folder/$(cat scripts/scan.txt scripts/guard.txt scripts/scan.sh | sha256sum | cut -c 1-12)

install_tools() {
    local install=(.venv/bin/uv pip install --cache-dir "$CACHE" --python "$folder" --require-hashes --only-binary :all:)
    rm -rf "$folder"
    .venv/bin/uv venv --quiet --python .venv "$folder"
    "${install[@]}" -r scripts/scan.txt
    "${install[@]}" --no-deps -r scripts/guard.txt
    # cfn-guard and its rules are in an archive for Node.js within the package for Python.
    mkdir "$folder/guard"
    tar -xzf "$folder"/lib/python*/site-packages/cdklabs/cdk_validator_cfnguard/_jsii/*.tgz --strip-components 1 \
        -C "$folder/guard" package/bin package/rules
    touch "$stamp"
}

if ! [ -e "$stamp" ]; then
    one_at_a_time
    [ -e "$stamp" ] || step "checkov, cfn-guard, kingfisher, pip-audit" install_tools
fi
[ "${1:-}" = --install ] || exec .venv/bin/python -m scan "$@"
