"""Says whether the service is up and its clock within a second of true time."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NoReturn

import sntp
from healthcheck import __version__, exposition, plugin, proof, reference, telling
from healthcheck.check import DEADLINE, SAMPLES, AskReference, Result, check
from healthcheck.reading import Reference
from healthcheck.target import BadUrl, completed, default
from healthcheck.verdict import LIMIT


class Exit(IntEnum):
    """Exit codes, those of the monitoring plugins."""

    OK = 0
    FAILED = 2
    UNKNOWN = 3  # the check itself could not be made; wrong usage too


EXITS = {"OK": Exit.OK, "Failed": Exit.FAILED, "Unknown": Exit.UNKNOWN}

PLUGIN_EXITS = {"OK": Exit.OK, "CRITICAL": Exit.FAILED, "UNKNOWN": Exit.UNKNOWN}
FORMATS: dict[str, Callable[[Result], str]] = {
    "text": telling.text,
    "json": telling.record,
    "nagios": plugin.line,
    "prometheus": exposition.text,
}

EPILOG = """exit codes:
  0  OK       the service is up and its clock is proven to be within the limit
  2  Failed   the service is down, or its clock is not proven to be within the limit
  3  Unknown  nothing can be said: the NTP servers contradict each other, none answers and the service
              contradicts this machine's own clock, or that was set during the check; also wrong usage,
              and output that cannot be written
With --format nagios, a clock that is not proven to be right or wrong is UNKNOWN (3), not CRITICAL (2).
"""


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(Exit.UNKNOWN, f"{self.prog}: error: {message}\n")


def parser() -> Parser:
    parser = Parser(
        prog="healthcheck",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "url",
        nargs="?",
        help="the service, with or without /now (default: $TIMESERVICE_URL, else the local deployment, "
        "else `pulumi stack output url`)",
    )
    parser.add_argument("--limit", type=seconds, default=LIMIT, help="seconds (default: 1.0)")
    parser.add_argument(
        "--samples", type=samples, default=SAMPLES, help="requests at most, 2 to 100 (default: 8)"
    )
    parser.add_argument(
        "--deadline", type=seconds, default=DEADLINE, help="seconds for everything (default: 10)"
    )
    parser.add_argument(
        "--ntp", type=server, action="append", metavar="HOST[:PORT]",
        help=f"NTP server; repeatable (default: {', '.join(reference.SERVERS)})",
    )  # fmt: skip
    parser.add_argument(
        "--reference", choices=["ntp", "local"], default="ntp",
        help="what true time is: NTP, or this machine's own clock",
    )  # fmt: skip
    parser.add_argument("--format", choices=FORMATS, default="text", help="(default: text)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write there instead; the file is always whole"
    )
    parser.add_argument(
        "--verbose", action="store_true", help="explain the verdict, on standard error"
    )
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def seconds(text: str) -> float:
    """A type for argparse, as the next two; their names are in its messages."""
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds above 0")
    return value


def samples(text: str) -> int:
    value = int(text)
    if not 2 <= value <= 100:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 2 to 100")
    return value


def server(text: str) -> str:
    try:
        sntp.split(text)
    except ValueError as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from None
    return text


def main(argv: Sequence[str] | None = None) -> int:
    usage = parser()
    args = usage.parse_args(argv)
    url = default() if args.url is None else args.url
    if url is None:
        usage.error(
            "which service? Give its URL, set TIMESERVICE_URL, or start the local deployment (make up)"
        )
    try:
        url = completed(url)
    except BadUrl as wrong:
        usage.error(str(wrong))
    ask: AskReference = functools.partial(reference.measure, args.ntp or reference.SERVERS)
    if args.reference == "local":
        ask = _own_clock
    result = check(url, ask, args.limit, args.samples, args.deadline)
    if args.verbose:
        print(proof.text(result), file=sys.stderr)
    told = FORMATS[args.format](result)
    if not (written(told, args.output) if args.output else printed(told)):
        return Exit.UNKNOWN
    if args.format == "nagios":
        return PLUGIN_EXITS[plugin.status(result)]
    return EXITS[result.verdict.status]


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
