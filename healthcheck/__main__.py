"""Says whether the service is up and its clock within a second of true time."""

from __future__ import annotations

import argparse
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from healthcheck import exposition, plugin, proof, reference, telling
from healthcheck.arguments import Exit, parser
from healthcheck.check import AskReference, Result, check
from healthcheck.periodic import SparingReference, State, ticks
from healthcheck.reading import Reference
from healthcheck.target import BadUrl, completed, default
from healthcheck.timestamp import utc

EXITS = {"OK": Exit.OK, "Failed": Exit.FAILED, "Unknown": Exit.UNKNOWN}

PLUGIN_EXITS = {"OK": Exit.OK, "CRITICAL": Exit.FAILED, "UNKNOWN": Exit.UNKNOWN}
FORMATS: dict[str, Callable[[Result], str]] = {
    "text": telling.text,
    "json": telling.record,
    "nagios": plugin.line,
    "prometheus": exposition.text,
}


def main(argv: Sequence[str] | None = None) -> int:
    usage = parser(FORMATS)
    args = usage.parse_args(argv)
    if args.count is not None and args.every is None:
        usage.error("--count needs --every")
    url = default() if args.url is None else args.url
    if url is None:
        usage.error(
            "which service? Give its URL, set TIMESERVICE_URL, or start the local deployment (make up)"
        )
    try:
        url = completed(url)
    except BadUrl as wrong:
        usage.error(str(wrong))
    servers = args.ntp or reference.SERVERS
    if args.every is None:
        ask: AskReference = functools.partial(reference.measure, servers)
    else:
        ask = SparingReference(servers)
    if args.reference == "local":
        ask = _own_clock
    once = functools.partial(
        check, url, ask, args.limit, args.samples, args.deadline, args.follow, args.proxy_from_env
    )
    return told(once(), args) if args.every is None else periodically(once, args)


def told(result: Result, args: argparse.Namespace) -> Exit:
    """Tell it as the arguments say; returns the exit code."""
    if args.verbose:
        print(proof.text(result), file=sys.stderr)
    text = FORMATS[args.format](result)
    if not (written(text, args.output) if args.output else printed(text)):
        return Exit.UNKNOWN
    if args.format == "nagios":
        return PLUGIN_EXITS[plugin.status(result)]
    return EXITS[result.verdict.status]


def periodically(once: Callable[[], Result], args: argparse.Namespace) -> Exit:
    """Check until it was done `--count` times, or until a signal; a check that has begun is ended first."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    state, code = State(args.failures, args.successes), Exit.UNKNOWN
    try:
        for _ in ticks(args.every, stop, args.count):
            result = once()
            code = told(result, args)
            if state.after(result.verdict.status):
                print(
                    f"{utc(result.checked_at)} state: {state.status}", file=sys.stderr, flush=True
                )
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return Exit.OK if stop.is_set() else code


def written(text: str, path: Path) -> bool:
    """Write the file whole, then put it in its place; False if that fails."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(f"{text}\n")
        part.replace(path)
    except OSError as trouble:
        part.unlink(missing_ok=True)
        print(f"healthcheck: {path} cannot be written: {trouble.strerror}", file=sys.stderr)
        return False
    return True


def printed(line: str) -> bool:
    """Print it; False if nobody can read it (a closed pipe, a full disk)."""
    try:
        print(line, flush=True)
    except OSError as trouble:
        print(f"healthcheck: nothing can be printed: {trouble.strerror}", file=sys.stderr)
        # Python would try once more at its end, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _own_clock(patience: float) -> Reference:
    return reference.own_clock("chosen")


def command() -> int:
    """`main` as a program; Ctrl-C ends it without a verdict."""
    try:
        return main()
    except KeyboardInterrupt:
        return Exit.UNKNOWN


if __name__ == "__main__":
    raise SystemExit(command())
