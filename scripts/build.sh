#!/usr/bin/env bash
# Makes all that a deployment needs. The service's image and the Lambda's package are made beside the
# base of the local cloud's image, which takes the longest.
source "$(dirname "$0")/common.sh"
one_at_a_time

# sudo asks for the password now, because two jobs cannot ask at once.
as_root true

tick "service image, and local cloud's image" &
ticker=$! status=0
export TIMESERVICE_TICKER=1
# A shell lets its background jobs ignore Ctrl-C, unless they are started like this.
TIMESERVICE_LOG=$BUILD/log-cloud env --default-signal=INT scripts/cloud.sh 2>"$BUILD/tmp/errors-cloud" &
cloud=$!
{ scripts/setup.sh && scripts/image.sh && scripts/package.sh; } 2>"$BUILD/tmp/errors" || status=$?
wait "$cloud" || status=$?
stop_ticker "$ticker"
# Errors come last, to be seen.
cat "$BUILD/tmp/errors-cloud" "$BUILD/tmp/errors" >&2
exit "$status"
