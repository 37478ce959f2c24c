#!/usr/bin/env bash
# All that can be found out without running anything.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"
PATH=$ROOT/.venv/bin:$PATH

shells() { grep -lE '^#!.*\b(ba)?sh$' -r scripts local/stage .ci; }

step "ruff: lint" ruff check .
step "ruff: format" ruff format --check .
step "mypy: types" mypy .
step "cfn-lint: templates" cfn-lint
# shellcheck disable=SC2046 # no file name of ours has a space
step "shellcheck: shell" shellcheck --external-sources scripts/common.sh $(shells)
step "node: the page's script" .venv/lib/python3*/site-packages/playwright/driver/node --check service/page/page.js
