"""Says whether the service is up and its clock within a second of true time."""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import signal
from collections.abc import Callable, Iterator, Sequence

from healthcheck import reference
from healthcheck.arguments import Exit, parser
from healthcheck.check import AskReference, Result, check
from healthcheck.output import FORMATS, Teller, complain
from healthcheck.periodic import SparingReference, State, ticks
from healthcheck.target import BadUrl, completed
from healthcheck.timestamp import utc
from healthcheck.waiting import Bell


def main(argv: Sequence[str] | None = None) -> int:
    usage = parser(FORMATS)
    args = usage.parse_args(argv)
    if args.count is not None and args.every is None:
        usage.error("--count needs --every")
    url = os.environ.get("TIMESERVICE_URL") or None if args.url is None else args.url
    if url is None:
        usage.error(
            "no URL: give it as the argument or set TIMESERVICE_URL; "
            "in a clone, `make check` checks the local deployment"
        )
    try:
        url = completed(url)
    except BadUrl as wrong:
        usage.error(str(wrong))
    once = functools.partial(
        check,
        url,
        asking(args),
        args.limit,
        args.samples,
        args.deadline,
        args.proxy_from_env,
    )
    return Teller(args).told(once()) if args.every is None else periodically(once, args)


def asking(args: argparse.Namespace) -> AskReference:
    """How true time is measured."""
    if args.reference == "local":
        return lambda patience: reference.own_clock("chosen")
    servers = args.ntp or reference.SERVERS
    if args.every is None:
        return functools.partial(reference.measure, servers)
    return SparingReference(servers)


def periodically(once: Callable[[], Result], args: argparse.Namespace) -> Exit:
    """Check until it was done `--count` times, or until a signal; a check that has begun is ended first."""
    state, code, teller = State(args.failures, args.successes), Exit.UNKNOWN, Teller(args)
    with Bell() as stop, signals(stop):
        for _ in ticks(args.every, stop, args.count):
            result = once()
            code = teller.told(result)
            if state.after(result.verdict.status):
                complain(f"{utc(result.checked_at)} state: {state.status}")
        return Exit.OK if stop.rung else code


@contextlib.contextmanager
def signals(bell: Bell) -> Iterator[None]:
    """Let SIGINT and SIGTERM ring, while the context lasts."""
    before = {
        number: signal.signal(number, lambda *_: bell.ring())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def command() -> int:
    """`main` as a program; Ctrl-C ends it without a verdict."""
    try:
        return main()
    except KeyboardInterrupt:
        return Exit.UNKNOWN
    # No thread to be had, no memory, a defect of ours: whatever it is, nothing can be said then.
    except Exception as defect:
        complain(f"healthcheck: the check itself failed: {defect!a}")
        return Exit.UNKNOWN


if __name__ == "__main__":
    raise SystemExit(command())
