#!/usr/bin/env bash
# Runs the checks that need no running code.
source "$(dirname "$0")/common.sh"
PATH=$ROOT/.venv/bin:$PATH

step "ruff: lint" ruff check .
step "ruff: format" ruff format --check .
step "mypy: types" mypy .
step "cfn-lint: templates" cfn-lint
mapfile -t shells < <(grep -lE '^#!.*\b(ba)?sh$' -r scripts local/cloud .ci)
step "shellcheck: shell" shellcheck --external-sources --source-path=SCRIPTDIR scripts/common.sh "${shells[@]}"
# Where the machine lacks a library of this Node.js, tools.sh has unpacked it.
step "node: the page's script" env LD_LIBRARY_PATH="$(echo "$BUILD"/debian/libatomic1/usr/lib/*-linux-gnu)" \
    .venv/lib/python3*/site-packages/playwright/driver/node --check service/page/page.js
step "check-jsonschema: GitHub workflows" check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
step "check-jsonschema: development container" check-jsonschema --schemafile tests/scripts/devContainer.base.schema.json \
    .devcontainer/devcontainer.json
step "zizmor: weaknesses of the GitHub workflows" zizmor --offline --quiet .github
