"""Check that the service is up and its clock within a second of true time."""

import argparse
import functools
import itertools
import signal
from collections.abc import Callable, Sequence

from healthcheck import reference
from healthcheck.arguments import parser
from healthcheck.check import AskReference, Result, check
from healthcheck.output import Exit, discard_output, print_error, report
from healthcheck.periodic import SparingReference, State, ticks
from healthcheck.timestamp import format_utc
from healthcheck.url import BadUrl, complete_url
from healthcheck.waiting import Bell


def main(argv: Sequence[str] | None = None) -> int:
    """Check as the arguments say; return the exit code."""
    usage = parser()
    args = usage.parse_args(argv)
    if args.count is not None and args.every is None:
        usage.error("--count needs --every")
    if args.url is None:
        usage.error(
            "no URL: give it as the argument or set TIMESERVICE_URL; "
            "in a clone, `make check` checks the local deployment"
        )
    try:
        url = complete_url(args.url)
    except BadUrl as error:
        usage.error(str(error))
    run_check = functools.partial(
        check,
        url,
        ask_reference=choose_reference(args),
        limit=args.limit,
        samples=args.samples,
        deadline=args.deadline,
        environment=args.proxy_from_env,
    )
    if args.every is None:
        return report(run_check(), args)
    return check_periodically(run_check, args)


def choose_reference(args: argparse.Namespace) -> AskReference:
    """Return how true time is measured."""
    if args.reference == "local":
        return lambda patience: reference.own_clock("chosen")
    return SparingReference(args.ntp or reference.SERVERS)


def check_periodically(run_check: Callable[[], Result], args: argparse.Namespace) -> Exit:
    """Check `--count` times, or until SIGINT or SIGTERM; a check that has begun is completed."""
    state, code = State(failures=args.failures, successes=args.successes), Exit.UNKNOWN
    with Bell() as stop:
        signals = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, lambda *_: stop.ring()) for number in signals]
        try:
            for _ in itertools.islice(ticks(args.every, stop), args.count):
                result = run_check()
                code = report(result, args)
                if state.update(result.verdict.status):
                    print_error(f"{format_utc(result.checked_at)} state: {state.status}")
        finally:
            for number, handler in zip(signals, before, strict=True):
                signal.signal(number, handler)
        return Exit.OK if stop.has_rung else code


def command() -> int:
    """Run `main` as a program; Ctrl-C ends it without a verdict."""
    try:
        return main()
    except KeyboardInterrupt:
        return Exit.UNKNOWN
    # Without threads or memory, or after a bug in the check, there is no verdict.
    except Exception as defect:
        print_error(f"healthcheck: the check itself failed: {defect!a}")
        return Exit.UNKNOWN
    finally:
        discard_output()


if __name__ == "__main__":
    raise SystemExit(command())
