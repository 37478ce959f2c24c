"""Check that the service is up and its clock within a second of true time."""

import argparse
import functools
import itertools
import signal
from collections.abc import Sequence

from healthcheck import reference
from healthcheck.arguments import create_parser
from healthcheck.check import AskReference, check
from healthcheck.output import EXIT_UNKNOWN, Reporter, discard_output, print_error
from healthcheck.periodic import SparingReference, ticks
from healthcheck.url import BadUrl, complete_url
from healthcheck.waiting import Bell


def main(argv: Sequence[str] | None = None) -> int:
    """Check once or periodically; return the exit code."""
    parser = create_parser()
    args = parser.parse_args(argv)
    if args.count is not None and args.every is None:
        parser.error("--count needs --every: add --every SECONDS, or leave out --count")
    if args.url is None:
        parser.error(
            "no URL: give it as the argument or set TIMESERVICE_URL; "
            "in a clone, make check checks the local deployment"
        )
    try:
        url = complete_url(args.url)
    except BadUrl as error:
        parser.error(str(error))
    run_check = functools.partial(
        check,
        url,
        ask_reference=choose_reference(args),
        limit=args.limit,
        samples=args.samples,
        deadline=args.deadline,
        instances=args.instances,
        strict=args.strict,
        environment=args.proxy_from_env,
    )
    reporter = Reporter(args)
    if args.every is None:
        return reporter.report(run_check())
    code = 0
    with Bell() as stop:
        # A check that has begun is completed.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.ring())
        reporter.watch_reader(stop)
        for _ in itertools.islice(ticks(args.every, stop), args.count):
            code = reporter.report(run_check())
            if reporter.is_reader_gone:
                return code
        if reporter.has_lost:
            return EXIT_UNKNOWN
        return 0 if stop.has_rung and not reporter.is_reader_gone else code


def choose_reference(args: argparse.Namespace) -> AskReference:
    """Return how true time is measured."""
    if args.reference == "local":
        return lambda patience: reference.use_own_clock("chosen")
    return SparingReference(args.ntp or reference.SERVERS)


def command() -> int:
    """Run `main` as a program; Ctrl-C ends it without a verdict."""
    try:
        return main()
    except KeyboardInterrupt:
        return EXIT_UNKNOWN
    # Without threads or memory, or after a bug in the check, there is no verdict.
    except Exception as defect:
        print_error(f"healthcheck: the check itself failed: {defect!a}")
        return EXIT_UNKNOWN
    finally:
        discard_output()


if __name__ == "__main__":
    raise SystemExit(command())
