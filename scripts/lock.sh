#!/usr/bin/env bash
# Renews uv.lock from pyproject.toml, and what is derived from it: the wheels of each thing that is
# shipped, and uv itself.
source "$(dirname "$0")/common.sh"

export_all() {
    export_lock healthcheck/requirements.txt --no-default-groups
    export_lock service/requirements.txt --only-group service
    export_lock local/requirements.txt --only-group local
    export_lock scripts/uv.txt --only-group uv
}

step "uv.lock" .venv/bin/uv lock --cache-dir "$CACHE" --upgrade
step "requirements of what is shipped" export_all
scripts/tools.sh scanners
step "tests/cfn/permissions/package-lock.json" our_npm update --package-lock-only --prefix tests/cfn/permissions
