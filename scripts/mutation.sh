#!/usr/bin/env bash
# mutation.sh [--sample N] [MODULE ...]: counts the faults that the tests notice, in the core
# modules and, without an argument, in the templates. It takes hours.
source "$(dirname "$0")/common.sh"

scripts/tools.sh mutation unit
status=0
nice "$BUILD/mutation/bin/python" -m tests.support.mutate_python "$@" || status=$?
[ $# != 0 ] || nice .venv/bin/python -m tests.support.mutate_templates || status=$?
exit "$status"
