#!/usr/bin/env bash
# Renews the hash-pinned locks: one for developers (any platform), and one for each thing that is shipped (its platform).
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"
unset PIP_FIND_LINKS

lock() { .venv/bin/uv pip compile --quiet --upgrade --generate-hashes --no-header "$@"; }

for folder in service healthcheck local; do
    step "$folder/requirements.txt" lock --python-version 3.13 --python-platform x86_64-unknown-linux-gnu \
        "$folder/requirements.in" -o "$folder/requirements.txt"
done
step "requirements.txt" lock --universal --python-version 3.11 requirements.in -o requirements.txt
step "scripts/uv.txt" lock --universal --python-version 3.11 scripts/uv.in -o scripts/uv.txt
step "scripts/mutation.txt" lock --universal --python-version 3.11 scripts/mutation.in -o scripts/mutation.txt
step "scripts/scan.txt" lock --universal --python-version 3.11 scripts/scan.in -o scripts/scan.txt
step "scripts/guard.txt" lock --universal --python-version 3.11 --no-deps scripts/guard.in -o scripts/guard.txt
step "scripts/node.txt" lock --universal --python-version 3.11 scripts/node.in -o scripts/node.txt
scripts/evaluators.sh
step "tests/cfn/permissions/package-lock.json" our_npm update --package-lock-only --prefix tests/cfn/permissions
