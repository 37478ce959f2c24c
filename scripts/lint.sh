#!/usr/bin/env bash
# All that can be found out without running anything.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "$0")/common.sh"
cd "$ROOT"
PATH=$ROOT/.venv/bin:$PATH

shells() { grep -lE '^#!.*\b(ba)?sh$' -r scripts local/cloud .ci; }

step "ruff: lint" ruff check .
step "ruff: format" ruff format --check .
step "mypy: types" mypy .
step "cfn-lint: templates" cfn-lint
# shellcheck disable=SC2046 # no file name of ours has a space
step "shellcheck: shell" shellcheck --external-sources scripts/common.sh $(shells)
step "node: the page's script" .venv/lib/python3*/site-packages/playwright/driver/node --check service/page/page.js

step "zizmor: what the GitHub workflows let in" zizmor --offline --quiet .github

# Checked by Go's public list of checksums. There is no package of it that needs no Go, and CI's machines have one.
actionlint=$BUILD/go/actionlint-1.7.12
install_actionlint() {
    local folder=$BUILD/go/tmp
    GOPATH=$folder GOCACHE=$folder/cache GOFLAGS=-modcacherw GOBIN=$folder \
        go install "github.com/rhysd/actionlint/cmd/actionlint@v${actionlint##*-}"
    mv "$folder/actionlint" "$actionlint"
    rm -rf "$folder"
}
if [ -x "$actionlint" ] || command -v go >/dev/null; then
    [ -x "$actionlint" ] || {
        one_at_a_time
        step "actionlint, by Go" install_actionlint
    }
    step "actionlint: GitHub workflows" "$actionlint"
else
    echo "  actionlint: left out, as there is no Go here to build it; CI runs it"
fi
