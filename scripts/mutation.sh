#!/usr/bin/env bash
# mutation.sh [--sample N] [MODULE ...]: counts the faults that the tests notice, in the core modules and, without an
# argument, in the templates. It takes hours.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"

# In a virtual environment of its own: what cosmic-ray needs must not replace what the tests use.
tool=$BUILD/mutation/$(sha256sum scripts/mutation.txt | cut -c 1-12)
install_cosmic_ray() {
    rm -rf "$BUILD/mutation"
    .venv/bin/uv venv --quiet --cache-dir "$CACHE" --python .venv/bin/python "$tool.part"
    .venv/bin/uv pip install --cache-dir "$CACHE" --python "$tool.part" --require-hashes -r scripts/mutation.txt
    mv "$tool.part" "$tool"
}
[ -d "$tool" ] || step "cosmic-ray, which mutates Python" install_cosmic_ray
nice "$tool/bin/python" scripts/mutate_python.py "$@"
[ $# != 0 ] || nice .venv/bin/python scripts/mutate_templates.py
