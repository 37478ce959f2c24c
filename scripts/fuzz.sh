#!/usr/bin/env bash
# fuzz.sh [--seconds N]: runs tests/support/fuzz.py, with atheris where there is a wheel of it for this machine.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"

atheris=$BUILD/atheris
install_atheris() {
    # Beside .venv, not in it: nothing else needs it, and it is large.
    .venv/bin/uv pip install --cache-dir "$CACHE" --target "$atheris" --python .venv --require-hashes --only-binary :all: \
        -r scripts/fuzz.txt || rm -rf "$atheris"
}
[ -d "$atheris" ] || step "atheris, the fuzzer" install_atheris
exec env PYTHONPATH="$atheris:$ROOT" .venv/bin/python -m tests.support.fuzz "$@"
