#!/usr/bin/env bash
# Runs the rehearsal beside the unit tests, because it mostly waits, and then the integration tests.
# The rehearsal's output comes after that of the unit tests.
source "$(dirname "$0")/common.sh"
log=$BUILD/log-rehearsal status=0

# sudo asks for the password now, because two jobs cannot ask at once.
as_root true
echo "  the rehearsal runs beside the unit tests (${log#"$ROOT/"})"
# A shell lets its background jobs ignore Ctrl-C, unless they are started like this.
env --default-signal=INT make --no-print-directory rehearsal >"$log" 2>&1 &
rehearsal=$!
# Ctrl-C reaches the rehearsal as well, which then removes what it deployed.
trap 'wait "$rehearsal" || :; echo; exit 130' INT
trap 'kill "$rehearsal" || :; wait "$rehearsal" || :; exit 143' TERM
make --no-print-directory unit || status=$?
tail --lines=+1 --follow --pid="$rehearsal" "$log"
wait "$rehearsal" || status=$?
# The integration tests do not run beside the rehearsal: Chromium drops requests when a network of
# the machine changes.
make --no-print-directory integration || status=$?
exit "$status"
